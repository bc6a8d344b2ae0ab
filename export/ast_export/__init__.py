"""Export of trained checkpoints to bundles and engines."""
