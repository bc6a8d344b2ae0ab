"""Sound scenes composed of recordings, with exact onsets and offsets."""
