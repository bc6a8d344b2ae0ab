"""Columns of mel energies, however the sound was cut into windows."""

import itertools
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ast_edge.audio.stream import Block, Stream
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.frontend.listener import Listener
from ast_edge.frontend.listening import Listening
from ast_edge.web.columns import BANDS, Columns

SPEC = FbankSpec()
NOISE = np.random.default_rng(1).normal(0, 0.1, (3 * 16000, 1)).astype(np.float32)


def columns(hop, sound=NOISE, cuts=()):
    """Return the columns (n, bands) of a sound, and when the first begins."""
    stream = Stream("hall", 16000, 1, 1000.0, live=True)
    listener, maker = Listener(Listening(SPEC, 400, hop)), Columns(SPEC)
    edges = [0, *sorted(cuts), len(sound)]
    messages = []
    for start, stop in itertools.pairwise(edges):
        if start < stop:
            windows = listener.feed(Block(stream, start, sound[start:stop]))
            messages += [m for window in windows if (m := maker.feed(window))]
    times = [struct.unpack_from("<BBHfd", m)[4] for m in messages]
    return np.concatenate(
        [np.frombuffer(m[16:], np.uint8).reshape(-1, BANDS) for m in messages]
    ), times


@settings(max_examples=20)
@given(st.lists(st.integers(1, len(NOISE) - 1), max_size=8))
def test_any_cutting_of_the_sound_gives_the_same_columns(cuts):
    assert np.array_equal(columns(0.5, cuts=cuts)[0], columns(0.5)[0])


@pytest.mark.parametrize("hop", [0.05, 0.13, 0.5, 1.0])
def test_any_hop_gives_the_same_columns_in_the_same_places(hop):
    found, times = columns(hop)
    expected, _ = columns(0.5)
    shared = min(len(found), len(expected))
    assert shared > 40
    assert np.array_equal(found[:shared], expected[:shared])
    assert times == sorted(times)
    assert times[0] == pytest.approx(1000.0, abs=0.001)


def test_there_are_25_columns_a_second():
    assert len(columns(0.5)[0]) == pytest.approx(25 * 3, abs=13)


def test_a_sine_is_bright_in_the_band_of_its_hertz():
    hertz = Columns(SPEC).hertz
    for frequency in (200, 1000, 4000):
        time = np.arange(32000) / 16000
        sine = (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)[:, None]
        picture, _ = columns(0.5, sine)
        band = int(picture[20].argmax())
        assert hertz[max(0, band - 1)] <= frequency <= hertz[min(BANDS - 1, band + 1)]


def test_a_front_end_with_fewer_bands_has_as_many_columns_as_it_has():
    assert Columns(FbankSpec(mel_bins=40)).bands == 40
    assert len(Columns(FbankSpec(mel_bins=40)).hertz) == 40
