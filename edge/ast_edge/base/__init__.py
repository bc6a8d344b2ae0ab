"""What knows nothing of sound: errors, files, clocks, threads, text."""
