"""What `ast-edge run` does as an app of Home Assistant."""
