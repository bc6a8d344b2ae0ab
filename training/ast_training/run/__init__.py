"""Trainings, from a recipe to a folder of results."""
