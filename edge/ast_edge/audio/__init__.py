"""What sound is: streams, levels, recordings, and what is wrong with a signal."""
