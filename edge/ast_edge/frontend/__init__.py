"""From sound to the windows of a model."""
