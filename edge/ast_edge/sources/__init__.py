"""Where sound comes from: microphones, cards, live streams, pipes, recordings."""
