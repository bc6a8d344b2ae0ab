"""Recordings: what they are called, who is held out, and their samples."""
