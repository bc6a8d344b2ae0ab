"""The broker: one connection, and what is published and followed over it."""
