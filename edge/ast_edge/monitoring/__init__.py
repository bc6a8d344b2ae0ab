"""How the running program is."""
