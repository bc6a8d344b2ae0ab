"""Compute the golden filterbanks of tests/edge/frontend/test_fbank.py with torchaudio.

    .venv/bin/python tests/edge/data/make_golden.py

For each clip beside this file: one array per window, named `<clip>-<window>`, in golden.npz.
"""

from pathlib import Path

import numpy as np
import soundfile
import torch
from torchaudio.compliance import kaldi

HERE = Path(__file__).parent


def main() -> None:
    golden = {}
    for path in sorted(HERE.glob("*.flac")):
        samples, rate = soundfile.read(path, dtype="float32")
        for window in ("hanning", "hamming"):
            golden[f"{path.stem}-{window}"] = kaldi.fbank(
                torch.from_numpy(samples)[None],
                htk_compat=True,
                sample_frequency=rate,
                use_energy=False,
                window_type=window,
                num_mel_bins=128,
                dither=0.0,
                frame_shift=10,
            ).numpy()
    np.savez_compressed(HERE / "golden.npz", **golden)


if __name__ == "__main__":
    main()
