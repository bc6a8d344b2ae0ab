"""Recordings in bulk, on the command line: options, and what is done with the results."""
