"""The sub-commands of `ast-export`, a module each."""
