"""What the other rooms stand on: errors, files, processes, progress."""
