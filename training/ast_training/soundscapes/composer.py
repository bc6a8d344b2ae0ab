"""Soundscapes: recordings placed over background noise at known times."""

import math
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import ConfigError
from ast_training.data.activity import Activity
from ast_training.data.audio_cache import AudioCache
from ast_training.data.recordings import Recording
from ast_training.soundscapes.balance import by_source, shares
from ast_training.soundscapes.config import SoundscapeConfig
from ast_training.soundscapes.degradation import degrade, hiss
from ast_training.soundscapes.room import made_response, measured_response, reverberate

Audio = NDArray[np.float32]

FADE_SECONDS = 0.01
"""At the cuts of an excerpt."""
CROSSFADE_SECONDS = 0.5
"""From one background to the next."""
BACKGROUND_LEVEL = 0.1
"""RMS of each that follows another."""
MEASURED_ROOMS = 0.5
"""Share of rooms that are measured ones, where there are any."""


@dataclass(frozen=True)
class PlacedEvent:
    """What sounds when; seconds from the start of the soundscape."""

    label: int
    onset: float
    offset: float


@dataclass(frozen=True, eq=False)
class Soundscape:
    """A composed recording and all that is to be heard in it."""

    samples: Audio
    """(samples,), full scale at 1.0."""
    events: tuple[PlacedEvent, ...]
    """In the order of their onsets."""
    open: frozenset[int] = frozenset()
    """Labels that may be heard as well, of which nobody said whether they are."""
    unsaid: tuple[PlacedEvent, ...] = ()
    """Where those may be heard."""


@dataclass(frozen=True, eq=False)
class _Excerpt:
    samples: Audio
    active: tuple[Activity, ...]
    recording: Recording


class Composer:
    """Composes soundscapes of recordings; what it draws comes from the generator it is given."""

    def __init__(
        self,
        events: AudioCache,
        backgrounds: AudioCache,
        rooms: AudioCache,
        config: SoundscapeConfig,
    ) -> None:
        """Take recordings with and without labels, background noise and impulse responses.

        Raises:
            ConfigError: if none of the recordings has a label and sounds.
        """
        self.events, self.backgrounds, self.rooms, self.config = events, backgrounds, rooms, config
        self.sample_rate = events.sample_rate
        self._active = [events.active(index) for index in range(len(events))]
        sounding = np.array([bool(active) for active in self._active])
        self._labelled = shares(events.recordings, sounding)
        if not self._labelled.any():
            raise ConfigError("expected recordings with a label to train on, got none: see packs")
        others = sounding & np.array([not r.targets for r in events.recordings])
        self._others = by_source(events.recordings, others)
        self._backgrounds = by_source(backgrounds.recordings, np.ones(len(backgrounds), bool))

    def undisturbed(self) -> "Composer":
        """Return the same that adds nothing to the recordings and changes nothing in them."""
        other = copy(self)
        other.config = self.config.undisturbed()
        return other

    def compose(
        self,
        seconds: float,
        count: int,
        rng: np.random.Generator,
        *,
        others: int = 0,
        whole: bool = False,
    ) -> Soundscape:
        """Place `count` events, and as many `others` without a label, in a soundscape.

        An event may begin before the soundscape and end after it, unless `whole`; then the
        background is of as many recordings as it takes, where it would be looped.
        """
        config, rate = self.config, self.sample_rate
        chosen = [self._labelled] * count
        if self._others.any():
            chosen += [self._others] * others
        background, may = self._background(round(seconds * rate), rng, whole=whole)
        samples, placed = background.copy(), list[PlacedEvent]()
        unsaid = [PlacedEvent(label, 0.0, seconds) for label in sorted(may)]
        noise = loudness(background, rate)
        for weights in chosen:
            excerpt = self._excerpt(weights, rng)
            level = (
                noise * ratio(rng.uniform(*config.snr_db))
                if background.any()
                else ratio(rng.uniform(*config.event_db))
            )
            if whole:
                latest = seconds - len(excerpt.samples) / rate
                at = rng.uniform(0, max(latest, 0))
            else:
                at = rng.uniform(-0.6 * len(excerpt.samples) / rate, seconds - 0.1)
                if rng.random() < config.filling:
                    excerpt, at = _filling(excerpt, seconds, rate), 0.0
            _add(samples, at_level(excerpt.samples, level, rate), round(at * rate))
            placed += _placed(excerpt, excerpt.recording.targets, at, seconds)
            unsaid += _placed(excerpt, excerpt.recording.open, at, seconds)
            may.update(excerpt.recording.open)
        samples = degrade(
            samples,
            rate,
            rng,
            equalizer=config.equalizer,
            band=config.band,
            clipping=config.clipping,
            codec=config.codec,
        )
        samples = at_level(samples, ratio(rng.uniform(*config.level_dbfs)), rate)
        if rng.random() < config.noise:
            level = ratio(rng.uniform(*config.noise_dbfs))
            samples = samples + hiss(len(samples), level, rng.uniform(0, 1), rng)
        return Soundscape(
            samples.clip(-1, 1).astype(np.float32),
            tuple(sorted(placed, key=lambda event: (event.onset, event.label))),
            frozenset(may) - {event.label for event in placed},
            tuple(unsaid),
        )

    def _excerpt(self, weights: NDArray[np.float64], rng: np.random.Generator) -> _Excerpt:
        """Draw a recording, cut a sounding part out of it and let it sound in a room."""
        rate, config = self.sample_rate, self.config
        index = int(rng.choice(len(weights), p=weights))
        part = _part(self._active[index], config.event_seconds, rng)
        start, end = part[0].onset, part[-1].offset
        samples = self.events.samples(index)[round(start * rate) : round(end * rate)]
        speed = rng.uniform(*config.speed)
        samples = _faded(_played(samples, speed), rate)
        if rng.random() < config.room:
            samples = reverberate(samples, self._room(rng))
        active = tuple(
            Activity((one.onset - start) / speed, (one.offset - start) / speed) for one in part
        )
        return _Excerpt(samples, active, self.events.recordings[index])

    def _room(self, rng: np.random.Generator) -> Audio:
        if len(self.rooms) and rng.random() < MEASURED_ROOMS:
            samples = self.rooms.samples(int(rng.integers(len(self.rooms))))
            return measured_response(samples, self.sample_rate)
        return made_response(self.sample_rate, rng)

    def _background(
        self, length: int, rng: np.random.Generator, *, whole: bool
    ) -> tuple[Audio, set[int]]:
        """Draw noise of the length (samples,), turned and looped, and the labels that may be in it.

        Often there is none. A `whole` soundscape is longer than most recordings: it loops none.
        """
        config, noise, may = self.config, np.zeros(length, np.float32), set[int]()
        if not len(self.backgrounds) or rng.random() >= config.background:
            return noise, may
        for _ in range(1 + int(rng.random() < config.second_background)):
            samples, used = self._chain(length, rng) if whole else self._loop(length, rng)
            noise += samples * np.float32(ratio(rng.uniform(-10, 0)))
            may.update(*(self.backgrounds.recordings[one].open for one in used))
        return noise, may

    def _loop(self, length: int, rng: np.random.Generator) -> tuple[Audio, list[int]]:
        index = int(rng.choice(len(self.backgrounds), p=self._backgrounds))
        samples = self.backgrounds.samples(index)
        turned: Audio = np.resize(np.roll(samples, int(rng.integers(len(samples)))), length)
        return turned, [index]

    def _chain(self, length: int, rng: np.random.Generator) -> tuple[Audio, list[int]]:
        """Let backgrounds follow one another, all equally loud, none again before all others."""
        weights, rate, chain = self._backgrounds, self.sample_rate, np.zeros(0, np.float32)
        used = list[int]()
        fade = round(CROSSFADE_SECONDS * rate)
        while len(chain) < length:
            for index in rng.choice(len(weights), len(weights), replace=False, p=weights).tolist():
                missing = length + fade - len(chain)
                samples = self.backgrounds.samples(index)
                start = int(rng.integers(max(len(samples) - missing, 0) + 1))
                part = samples[start : start + missing]
                # By the whole of it: a click must not make its room quieter than the others.
                part = part * np.float32(BACKGROUND_LEVEL / max(float(part.std()), 1e-4))
                chain = _crossfaded(chain, part, fade)
                used.append(index)
                if len(chain) >= length:
                    break
        return chain[:length], used


def loudness(samples: Audio, sample_rate: int) -> float:
    """Return the RMS of the loudest 100 ms, never below -80 dBFS."""
    size = min(sample_rate // 10, len(samples))
    parts = samples[: len(samples) // size * size].reshape(-1, size)
    return max(float(np.sqrt(np.square(parts).mean(axis=1).max())), 1e-4)


def at_level(samples: Audio, level: float, sample_rate: int) -> Audio:
    """Scale a sound to a loudness; silence stays silence."""
    return samples * np.float32(level / loudness(samples, sample_rate))


def ratio(db: float) -> float:
    """Return the ratio of amplitudes of a level in decibels."""
    return float(10 ** (db / 20))


def _part(
    active: tuple[Activity, ...], lengths: tuple[float, float], rng: np.random.Generator
) -> tuple[Activity, ...]:
    """Take activities one after another, as many as fit into a length drawn at random."""
    longest = float(np.exp(rng.uniform(*np.log(lengths))))
    first = int(rng.integers(len(active)))
    begin = active[first].onset
    if active[first].offset - begin > longest:
        begin = rng.uniform(begin, active[first].offset - longest)
    end = begin + longest
    return tuple(
        Activity(max(a.onset, begin), min(a.offset, end)) for a in active[first:] if a.onset < end
    )


def _played(samples: Audio, speed: float) -> Audio:
    """Play faster or slower, as a tape would."""
    times = np.arange(int(len(samples) / speed)) * speed
    played: Audio = np.interp(times, np.arange(len(samples)), samples).astype(np.float32)
    return played


def _faded(samples: Audio, sample_rate: int) -> Audio:
    size = min(round(FADE_SECONDS * sample_rate), len(samples) // 2)
    if size:
        ramp = np.linspace(0, 1, size, dtype=np.float32)
        samples[:size] *= ramp
        samples[-size:] *= ramp[::-1]
    return samples


def _crossfaded(before: Audio, after: Audio, size: int) -> Audio:
    """Let one sound pass into another, of `size` samples or less, at constant power."""
    size = min(size, len(before), len(after) // 2)
    rise = np.sqrt(np.linspace(0, 1, size, dtype=np.float32))
    both = before[len(before) - size :] * rise[::-1] + after[:size] * rise
    joined: Audio = np.concatenate([before[: len(before) - size], both, after[size:]])
    return joined


def _filling(excerpt: _Excerpt, seconds: float, sample_rate: int) -> _Excerpt:
    """Repeat an excerpt until it is as long as a soundscape."""
    step = len(excerpt.samples) / sample_rate
    starts = np.arange(math.ceil(seconds / step)) * step
    return _Excerpt(
        np.resize(excerpt.samples, round(seconds * sample_rate)),
        tuple(Activity(at + a.onset, at + a.offset) for at in starts for a in excerpt.active),
        excerpt.recording,
    )


def _add(samples: Audio, other: Audio, at: int) -> None:
    begin, end = max(at, 0), min(at + len(other), len(samples))
    if begin < end:
        samples[begin:end] += other[begin - at : end - at]


def _placed(
    excerpt: _Excerpt, labels: tuple[int, ...], at: float, seconds: float
) -> list[PlacedEvent]:
    return [
        PlacedEvent(label, max(at + active.onset, 0.0), min(at + active.offset, seconds))
        for active in excerpt.active
        if at + active.offset > 0 and at + active.onset < seconds
        for label in labels
    ]
