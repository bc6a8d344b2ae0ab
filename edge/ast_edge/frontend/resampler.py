"""Any sound to mono at the model's sample rate, as a stream."""

import numpy as np
import soxr
from numpy.typing import NDArray


class Resampler:
    """Average the channels, or choose one, and change the sample rate, block by block.

    The output is independent of how the input is cut, and it is aligned with the input: output
    sample `k` is the sound at `k / sample_rate_out` seconds of the input, from `k = 0` on. soxr
    works in batches and holds back what depends on future input (6 to 40 ms at 44.1 and 48 kHz, up
    to 115 ms at 8 kHz): samples come late but never shifted, so event times need no correction.
    `flush` gives the rest; then n input samples have given n * out / in, rounded half up.

    Memory is bounded by one block and soxr's delay.
    """

    def __init__(
        self,
        sample_rate_in: int,
        channels: int,
        sample_rate_out: int,
        channel: int | None = None,
    ) -> None:
        """Prepare for one stream; the rates are in hertz, `channel` counts from 1.

        Raises:
            ValueError: if there is no such channel.
        """
        if channel is not None and not 1 <= channel <= channels:
            raise ValueError(f"expected a channel from 1 to {channels}, got {channel}")
        self._channels = channels
        self._only = 0 if channels == 1 else None if channel is None else channel - 1
        """The channel that is not averaged with others."""
        self._stream: soxr.ResampleStream | None = (
            None
            if sample_rate_in == sample_rate_out
            else soxr.ResampleStream(sample_rate_in, sample_rate_out, 1, "float32", "HQ")
        )

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take `(n, channels)` samples and return the `(m,)` mono samples that are ready."""
        if samples.ndim != 2 or samples.shape[1] != self._channels:
            raise ValueError(f"expected samples (n, {self._channels}), got {samples.shape}")
        mono = self._mono(samples)
        return mono if self._stream is None else _resample(self._stream, mono, last=False)

    def _mono(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._only is not None:  # to average one takes as long as to resample it
            return np.ascontiguousarray(samples[:, self._only], np.float32)
        mono: NDArray[np.float32] = samples.mean(axis=1, dtype=np.float32)
        return mono

    def flush(self) -> NDArray[np.float32]:
        """Return what was held back, `(m,)`, and start afresh."""
        nothing = np.zeros(0, np.float32)
        if self._stream is None:
            return nothing
        rest = _resample(self._stream, nothing, last=True)
        self._stream.clear()
        return rest

    def reset(self) -> None:
        """Forget what was held back: the next sample is the first of another stream."""
        if self._stream is not None:
            self._stream.clear()


def _resample(
    stream: soxr.ResampleStream, mono: NDArray[np.float32], *, last: bool
) -> NDArray[np.float32]:
    resampled: NDArray[np.float32] = stream.resample_chunk(mono, last)
    return resampled
