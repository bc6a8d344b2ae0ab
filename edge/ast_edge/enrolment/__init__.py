"""Learning a new sound on the device, from a handful of recordings of it."""
