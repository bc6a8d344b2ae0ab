"""What benchmarks of the running daemon are made of."""
