"""The command `ast-edge fleet`."""
