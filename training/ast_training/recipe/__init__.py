"""Recipes: one YAML file says all of a training."""
