"""The command `ast-train`, one module per sub-command."""
