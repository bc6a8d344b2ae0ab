"""What a head is learnt from: the variants of takes, and other sound."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.enrolment.embedder import Embedded, Embedder, join
from ast_edge.enrolment.head import Whitening, fit_head, whitening
from ast_edge.enrolment.margin import HeadPair
from ast_edge.enrolment.negatives import Negatives
from ast_edge.enrolment.take import Take
from ast_edge.enrolment.variants import VariantMaker

VARIANTS, FEWEST = 96, 12
"""Of all takes together, and of each take at least."""
NOISE_WINDOWS = 24
"""Windows of noise alone: that the sound has been made louder than noise is nothing to learn."""
MOST_SOUND, MOST_OTHER = 1500, 4000
"""Steps that a head is learnt from; of other sound, half are those that are nearest to it."""


@dataclass(frozen=True, eq=False)
class Sound:
    """Variants of takes as the network hears them."""

    clip: NDArray[np.float32]
    """(variants, width)."""
    take: NDArray[np.int64]
    """(variants,) which take each is of."""
    steps: NDArray[np.float32]
    """(n, width) of steps that hold the sound; none without frame scores."""
    step_take: NDArray[np.int64]
    beside: NDArray[np.float32]
    """(m, width) of steps of the same windows that do not."""
    beside_take: NDArray[np.int64]
    noise: Embedded
    """Windows of noise alone."""


def hear_variants(takes: Sequence[Take], maker: VariantMaker, embedder: Embedder) -> Sound:
    """Let the network hear variants of takes."""
    each = max(FEWEST, VARIANTS // len(takes))
    numbers = np.repeat(np.arange(len(takes)), each)
    variants = [maker.make(take) for take in takes for _ in range(each)]
    heard = join(embedded for embedded, _ in embedder.run(v.fbank for v in variants))
    quiet = join(e for e, _ in embedder.run(maker.noise() for _ in range(NOISE_WINDOWS)))
    nothing = np.zeros((0, heard.clip.shape[1]), np.float32)
    if heard.frame is None:
        none = np.zeros(0, np.int64)
        return Sound(heard.clip, numbers, nothing, none, nothing, none, quiet)
    loud, near = (
        np.stack([_of_steps(frames, embedder) for frames in kind])
        for kind in ([v.loud for v in variants], [v.near for v in variants])
    )
    beside = ~near
    return Sound(
        heard.clip,
        numbers,
        heard.frame[loud],
        np.repeat(numbers, loud.sum(axis=1)),
        heard.frame[beside],
        np.repeat(numbers, beside.sum(axis=1)),
        quiet,
    )


def _of_steps(frames: NDArray[np.bool_], embedder: Embedder) -> NDArray[np.bool_]:
    """Return of each step of the network whether any frame of it is so."""
    _, patch, stride = embedder.bundle.members[0].time_grid
    steps = embedder.bundle.members[0].steps
    return np.array([frames[one * stride : one * stride + patch].any() for one in range(steps)])


class Teacher:
    """Learns heads of a sound from some of its takes and some of the other sound."""

    def __init__(self, sound: Sound, negatives: Negatives) -> None:
        """Take all that there is to learn from."""
        self._sound, self._negatives = sound, negatives
        self._random = np.random.default_rng(0)
        self._white = whitening(np.concatenate([negatives.embedded.clip, sound.noise.clip]))
        frame = negatives.embedded.frame
        if frame is not None:
            assert sound.noise.frame is not None
            rows = [self._some(_flat(frame), 4 * MOST_OTHER), _flat(sound.noise.frame[:, ::5])]
            self._step_white: Whitening = whitening(np.concatenate(rows))

    def learn(self, takes: NDArray[np.bool_], other: NDArray[np.bool_]) -> HeadPair:
        """Learn from these takes (takes,) and windows of other sound (windows,)."""
        sound, negatives = self._sound, self._negatives.embedded[other]
        clips = np.concatenate([negatives.clip, sound.noise.clip])
        clip = fit_head(sound.clip[takes[sound.take]], clips, self._white)
        if negatives.frame is None:
            return HeadPair(clip, None)
        steps = self._some(sound.steps[takes[sound.step_take]], MOST_SOUND)
        assert sound.noise.frame is not None
        beside = sound.beside[takes[sound.beside_take]]
        easy = [
            self._some(_flat(negatives.frame), MOST_OTHER // 2),
            self._some(beside, MOST_SOUND // 2),
            self._some(_flat(sound.noise.frame), MOST_SOUND // 2),
        ]
        frame = fit_head(steps, np.concatenate(easy), self._step_white)
        # Once more, with those that passed for the sound.
        nearest = self._nearest(HeadPair(clip, frame), _flat(negatives.frame))
        frame = fit_head(steps, np.concatenate([*easy, nearest]), self._step_white)
        return HeadPair(clip, frame)

    def _nearest(self, heads: HeadPair, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        most = min(MOST_OTHER // 2, len(rows))
        logits = heads.frame_logits(rows)
        return rows[np.argpartition(-logits, most - 1)[:most]].astype(np.float32)

    def _some(self, rows: NDArray[np.float32], most: int) -> NDArray[np.float32]:
        if len(rows) > most:
            rows = rows[self._random.choice(len(rows), most, replace=False)]
        return rows.astype(np.float32)


def _flat(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    return frame.reshape(-1, frame.shape[-1])
