"""Data sets as they lie on disk, one module for each kind."""
