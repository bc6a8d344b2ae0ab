"""Many nodes at one broker: what each says of itself, and which bundle it is to use."""
