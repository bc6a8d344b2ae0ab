"""The tables of an archive: written, merged, counted, and for other programs."""
