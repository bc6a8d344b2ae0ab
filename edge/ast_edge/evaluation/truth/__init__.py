"""What is known of recordings: what sounds in them, what may, and which belong together."""
