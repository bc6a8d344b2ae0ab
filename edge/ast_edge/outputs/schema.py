"""The version of the JSON that leaves the machine, in messages as in files."""

SCHEMA = 1
"""Raised when a key changes its meaning or goes away; a new key does not raise it."""
