"""Evaluation reports: findings, plots, sections and the page made of them."""
