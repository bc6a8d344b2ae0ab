"""Recordings in bulk: what is heard in folders of them, as tables."""
