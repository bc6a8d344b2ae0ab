"""What ast-edge says of itself: versions, its manual, completions, an archive for bug reports."""
