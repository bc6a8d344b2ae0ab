"""What is loaded: bundles, labels and what they mean."""
