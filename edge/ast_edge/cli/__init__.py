"""The command `ast-edge`: one module per sub-command."""
