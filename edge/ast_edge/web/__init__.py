"""The page: what is heard, for browsers."""
