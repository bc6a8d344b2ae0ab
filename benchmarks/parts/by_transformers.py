"""Score all files of a folder by the loop that one writes with `transformers`: its one argument."""

import sys
from pathlib import Path

import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).parents[1]))
from parts.peer import RATE, Peer, peer_spec

FRAMES = 1024
HOP_SECONDS = 10
"""Windows are nearly side by side, as far apart as `ast-edge replay` goes."""


def main(folder: Path) -> None:
    """Look at a window every 10 s."""
    peer = Peer(peer_spec("base", FRAMES), 1)
    for path in sorted(folder.iterdir()):
        sound, rate = soundfile.read(path, dtype="float32")
        sound = soxr.resample(sound, rate, RATE)
        for start in range(0, len(sound), HOP_SECONDS * RATE):
            peer.score(sound[start : start + peer.samples])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
