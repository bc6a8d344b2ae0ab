"""The running program, put together."""
