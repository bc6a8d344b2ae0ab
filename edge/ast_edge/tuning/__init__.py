"""Thresholds made for a place: from its own recordings and a wish to thresholds per label."""
