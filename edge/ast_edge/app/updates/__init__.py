"""Bundles that others point a running daemon to: fetched, tried, taken, given back."""
