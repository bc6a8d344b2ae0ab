"""ast-edge: sound-event detection at the edge with a full Audio Spectrogram Transformer."""

from importlib.metadata import version

__version__ = version("ast-edge")
