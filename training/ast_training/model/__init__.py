"""The network, its losses and optimizer, and checkpoints of it."""
