"""A pipeline that hears a source whose crystal is off.

The rate is so low, and frames and hops are so long, that hours are heard in seconds.
"""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.sound.arrivals import Arrivals, crystal, truth

from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.model.spec import ModelSpec
from ast_edge.sources.pcm import PcmFormat, PcmSource

RATE = 200
FBANK = FbankSpec(sample_rate=RATE, frame_length_ms=100, frame_shift_ms=100, mel_bins=4)
FRAMES, HOP = 100, 5.0
TONE = Label(0, "Tone", "")
SOUNDS = ((30, 40), (600, 2400), (3000, 3003), (3500, 3510))
"""Seconds in which there is a tone."""
HOUR = 3600
FORMAT = PcmFormat("s16le", RATE, 1)


def bundle(frame):
    network = ModelSpec(
        labels=1, frames=FRAMES, mel_bins=4, patch=(4, 1), stride=(4, 1), frame_head=frame
    )
    return Bundle(
        folder=Path(),
        name="tone",
        fbank=FBANK,
        members=(network,),
        labels=(TONE,),
        settings={TONE: TrackerSettings(hold=0.5)},
        sha256="",
        precision="fp32",
        frame="head" if frame else "none",
        clip_gate=False,
        metrics={},
        licence="CC0",
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    seconds = np.arange(HOUR * RATE) / RATE
    heard = np.any([(start <= seconds) & (seconds < end) for start, end in SOUNDS], axis=0)
    path = tmp_path_factory.mktemp("sound") / "hour.pcm"
    path.write_bytes((heard * np.sin(seconds * 200) * 16000).astype("<i2").tobytes())
    return path


def listen(sound, ppm, seconds=HOUR):
    """Return the blocks of the sound as a source gives them whose crystal is off."""
    arrivals = Arrivals(crystal(ppm, late=lambda block: block * 7919 % 40 / 1000))
    with sound.open("rb") as file:
        source = PcmSource(
            *("p", file.fileno(), FORMAT),
            clock=arrivals.wall,
            monotonic=arrivals.monotonic,
        )
        blocks = list(itertools.islice(source.blocks(), seconds * 10))
        source.close()
    return blocks


def detect(blocks, frame):
    heard, ids = bundle(frame), itertools.count()
    pipeline = Pipeline("p", Hearing(heard, heard.settings, HOP), new_id=lambda: str(next(ids)))
    events = []
    for window in itertools.chain.from_iterable(map(pipeline.feed, blocks)):
        steps = (window.fbank.mean(axis=1, keepdims=True) > -5).astype(np.float32)
        events += pipeline.score(window, steps.max(axis=0), steps if frame else None)
    return events + pipeline.finish()


def spans(events):
    return [(event.onset, event.offset) for event in events if event.phase == "end"]


@pytest.fixture(scope="module")
def expected(sound):
    """The seconds of the sound where events lie, with frame scores and without."""
    with sound.open("rb") as file:
        source = PcmSource("p", file.fileno(), FORMAT, live=False, clock=lambda: 0.1)
        blocks = list(source.blocks())
        source.close()
    return [spans(detect(blocks, frame)) for frame in (False, True)]


@pytest.mark.parametrize("frame", [False, True], ids=["clip", "frame"])
@pytest.mark.parametrize("ppm", [50, -50, 200])
def test_a_crystal_that_is_off_splits_no_event_and_moves_none(sound, expected, ppm, frame):
    found = spans(detect(listen(sound, ppm), frame))
    assert len(found) == len(expected[frame]) == len(SOUNDS)
    for event, seconds in zip(found, expected[frame], strict=True):
        assert event == pytest.approx([truth(second, ppm) for second in seconds], abs=0.05)


@pytest.mark.parametrize("frame", [False, True], ids=["clip", "frame"])
@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 19), min_size=1, max_size=7))
def test_any_cutting_of_sound_that_drifts_gives_the_same_events(sound, frame, cuts):
    blocks = listen(sound, 2000, seconds=60)

    def pieces():
        for block, cut in zip(blocks, itertools.cycle(cuts), strict=False):
            for start, stop in ((0, cut), (cut, 20)):
                samples = block.samples[start:stop]
                yield replace(block, start=block.start + start, samples=samples)

    assert detect(pieces(), frame) == detect(blocks, frame)
