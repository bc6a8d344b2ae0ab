"""Other sound, which a head is learnt and judged against: the user's own days, or the bank."""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.sound_file import AUDIO_SUFFIXES
from ast_edge.base.errors import AudioError
from ast_edge.enrolment.embedder import Embedded, Embedder, join
from ast_edge.enrolment.errors import EnrolmentError
from ast_edge.enrolment.take import read_mono
from ast_edge.frontend.listener import Listener, Window
from ast_edge.frontend.listening import Listening
from ast_edge.model.bundle import Bundle
from ast_edge.sources.recording import RecordingSource

log = logging.getLogger(__name__)

STRETCH = 60.0
"""Seconds of a recording that are held out together."""
MOST_STEPS = 25
"""Of a window that are kept: neighbours say nearly the same."""
MOST_HOURS = 6.0
"""What is kept of longer days fills memory and teaches little."""
NOISES, NOISE_SECONDS = 8, 20.0
"""Recordings that variants are mixed with, and how much of each."""


@dataclass(frozen=True, eq=False)
class Negatives:
    """Windows of other sound."""

    embedded: Embedded
    stretch: NDArray[np.int64]
    """(windows,) number of the stretch of sound that it is held out with."""
    follows: NDArray[np.bool_]
    """(windows,) whether it overlaps the window before: an alarm in both is one."""
    hours: float
    places: Sequence[tuple[str, float]]
    """Recording and second where each window begins; empty for the bank."""

    def __len__(self) -> int:
        return len(self.embedded)


def find_recordings(paths: Iterable[Path]) -> list[Path]:
    """Return files as they are named, and the recordings in folders, however deep.

    Raises:
        AudioError: if one that is named is not there.
        EnrolmentError: if there is none in a folder.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            if not path.exists():
                raise AudioError(f"{path}: no such recording, nor folder of recordings")
            found.append(path)
            continue
        below = sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)
        shown = [p for p in below if not any(part[0] == "." for part in p.relative_to(path).parts)]
        if not shown:
            raise EnrolmentError(
                f"{path}: expected recordings ({', '.join(sorted(AUDIO_SUFFIXES))}), found none"
            )
        found += shown
    return found


def hear_negatives(paths: Sequence[Path], embedder: Embedder) -> Negatives:
    """Let the network hear recordings without the sound, up to `MOST_HOURS`.

    Those that cannot be read are named in the log and left out.

    Raises:
        EnrolmentError: if none is left.
    """
    hop = embedder.bundle.window_seconds / 2
    heard: list[_Heard] = []

    def due() -> Iterator[NDArray[np.float32]]:
        for number, window in _windows(paths, embedder.bundle, hop):
            heard.append(_Heard(number, max(0.0, window.start), window.hop))
            yield window.fbank

    parts = []
    for embedded, _ in embedder.run(due()):
        parts.append(thinned(embedded))
        if len(heard) * hop > MOST_HOURS * 3600:
            break
    if not parts:
        raise EnrolmentError(
            "--negatives: expected recordings of ordinary days, none can be used: they cannot be "
            "read, or are too short"
        )
    count = sum(map(len, parts))
    files = np.array([one.recording for one in heard[:count]])
    of_stretch = np.array([one.start // STRETCH for one in heard[:count]])
    stretch = np.unique(np.stack([files, of_stretch]), axis=1, return_inverse=True)[1]
    return Negatives(
        join(parts),
        np.asarray(stretch, np.int64).reshape(-1),
        np.concatenate([[False], np.diff(files) == 0]),
        sum(one.hop for one in heard[:count]) / 3600,
        [(str(paths[one.recording]), one.start) for one in heard[:count]],
    )


def beside(one: Negatives, other: Negatives) -> Negatives:
    """Return the windows of two, those of `other` behind; hours are those of the first.

    They need not keep as many steps: those of the one that keeps fewer are repeated.
    """
    kept = [part.embedded.frame for part in (one, other)]
    frames = [frame for frame in kept if frame is not None]
    most = max((frame.shape[1] for frame in frames), default=0)
    even = [
        frame if frame.shape[1] == most else frame[:, np.arange(most) * frame.shape[1] // most]
        for frame in frames
    ]
    clip = np.concatenate([one.embedded.clip, other.embedded.clip])
    return Negatives(
        Embedded(clip, np.concatenate(even) if even else None),
        np.concatenate([one.stretch, other.stretch + one.stretch.max() + 1]),
        np.concatenate([one.follows, other.follows]),
        one.hours,
        (),
    )


@dataclass(frozen=True)
class _Heard:
    """Where a window was; its sound is not kept."""

    recording: int
    start: float
    hop: float


def _windows(paths: Sequence[Path], bundle: Bundle, hop: float) -> Iterator[tuple[int, Window]]:
    for number, path in enumerate(paths):
        listener = Listener(Listening(bundle.fbank, bundle.frames, hop))
        try:
            for block in RecordingSource(path.stem, path, pace="fast").blocks():
                for window in listener.feed(block):
                    yield number, window
        except AudioError as exc:
            log.warning("left out of the negatives: %s", exc)
            continue
        for window in listener.flush():
            yield number, window


def thinned(embedded: Embedded, most: int = MOST_STEPS) -> Embedded:
    """Leave out steps of windows, evenly, so that so many stay at most."""
    if embedded.frame is None:
        return embedded
    every = -(-embedded.frame.shape[1] // most)
    return Embedded(embedded.clip, embedded.frame[:, ::every].astype(np.float16))


def noises(paths: Sequence[Path], rate: int, seed: int = 0) -> list[NDArray[np.float32]]:
    """Read the beginnings of some recordings that can be read, to mix takes with (samples,)."""
    found: list[NDArray[np.float32]] = []
    for one in np.random.default_rng(seed).permutation(len(paths)):
        if len(found) == NOISES:
            break
        with contextlib.suppress(AudioError):  # said when it was to be heard
            found.append(read_mono(paths[one], rate, most=NOISE_SECONDS))
    return found
