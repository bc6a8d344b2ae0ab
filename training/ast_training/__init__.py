"""Training of Audio Spectrogram Transformers: model, data, loop."""
