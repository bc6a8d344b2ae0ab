"""What keeps a configuration from working, found step by step."""
