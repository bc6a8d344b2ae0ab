"""Weights: their layouts, where they come from and go to, and their averages."""
