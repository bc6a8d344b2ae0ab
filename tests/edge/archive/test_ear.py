"""A recording that is heard in stretches gives what it gives in one."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
from rigs.archive import events_of, heard_in, job_of, replayed
from rigs.model import RATE, silence, tone

from ast_edge.archive.job import Stretch
from ast_edge.base.errors import AudioError
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.frontend.conditioner import Conditioning
from ast_edge.model.bundle import find_bundle, load_bundle

DEMO = Path(__file__).parents[3] / "configs/demo/home.ogg"
PARTS = ("Hum", 2.3), ("", 1.5), ("Hiss", 0.3), ("", 4), ("Hum", 19), ("", 2), ("Hiss", 6), ("", 5)
SECONDS = 40
SEEDS = range(5)


def engine_of(folder):
    bundle = load_bundle(folder)
    engine = open_engine(bundle, EngineConfig(threads=1))
    return bundle, engine


@pytest.fixture(scope="module", params=["clip", "frame"])
def ear(request, tiny_model, framed_model):
    """A bundle with frame scores or without, and its engine."""
    bundle, engine = engine_of({"clip": tiny_model, "frame": framed_model}[request.param])
    yield bundle, engine
    engine.close()


@pytest.fixture(scope="module", params=["wav", "flac", "ogg", "cd.wav"])
def path(request, tmp_path_factory):
    """Tones in a format that is read from anywhere, or only to its end, or resampled."""
    rate = 44_100 if request.param == "cd.wav" else RATE
    sound = [tone(what, t, rate) if what else silence(t, rate) for what, t in PARTS]
    path = tmp_path_factory.mktemp("tones") / f"tones.{request.param}"
    soundfile.write(path, np.concatenate(sound), rate)
    return path


def cuts(seed, seconds, grid, pieces=4):
    """Return stretches of a recording that is cut at random."""
    inside = random.Random(seed).sample(range(grid, seconds, grid), k=pieces - 1)
    edges = [0, *sorted(inside), seconds + 1000 * grid]
    return [Stretch(n, a, b) for n, (a, b) in enumerate(itertools.pairwise(edges))]


@pytest.mark.parametrize("once", [False, True], ids=["each", "once"])
def test_events_are_those_of_one_pass_wherever_it_is_cut(ear, path, once):
    bundle, engine = ear
    job = job_of(bundle)
    whole = replayed(job, engine, path)
    assert len(whole) == 4
    for seed in SEEDS:
        heard = heard_in(job, engine, path, cuts(seed, SECONDS, job.grid), once=once)
        assert events_of(job, heard) == whole


@pytest.mark.parametrize("hop", [0.1, 0.3, 0.98])
def test_events_are_those_of_one_pass_at_any_hop(ear, path, hop):
    bundle, engine = ear
    job = job_of(bundle, hop=hop)
    whole = replayed(job, engine, path)
    pieces = min(4, SECONDS // job.grid)
    heard = heard_in(job, engine, path, cuts(1, SECONDS, job.grid, max(pieces, 1)))
    assert events_of(job, heard) == whole


def test_a_high_pass_and_a_long_latency_are_heard_across_cuts(ear, path):
    bundle, engine = ear
    job = job_of(bundle, latency=3.0, conditioning=Conditioning(gain_db=3, high_pass=10))
    whole = replayed(job, engine, path)
    for seed in SEEDS:
        assert events_of(job, heard_in(job, engine, path, cuts(seed, SECONDS, job.grid))) == whole


def test_the_scores_of_windows_are_those_of_one_pass(ear, path):
    bundle, engine = ear
    job = job_of(bundle, events=False, scores=True)
    (whole,) = heard_in(job, engine, path, [Stretch(0, 0, 1000)])
    parts = heard_in(job, engine, path, cuts(3, SECONDS, job.grid))
    np.testing.assert_allclose(
        np.concatenate([one.scores for one in parts]), whole.scores, atol=1e-5
    )
    np.testing.assert_array_equal(np.concatenate([one.times for one in parts]), whole.times)
    np.testing.assert_allclose(np.max([one.best for one in parts], axis=0), whole.best, atol=1e-5)


@pytest.mark.parametrize("beyond", [0.0, 0.005, 0.02, 0.5])
def test_a_recording_may_end_where_it_is_cut(ear, tmp_path, beyond):
    bundle, engine = ear
    job = job_of(bundle)
    path = tmp_path / "short.wav"
    soundfile.write(path, np.concatenate([silence(3), tone("Hum", 2 + beyond)]), RATE)
    heard = heard_in(job, engine, path, [Stretch(0, 0, 5), Stretch(1, 5, 10)])
    assert events_of(job, heard) == replayed(job, engine, path)


def test_a_stretch_depends_on_nothing_that_was_heard_before(ear, path):
    bundle, engine = ear
    job = job_of(bundle)
    stretches = cuts(2, SECONDS, job.grid)
    each = heard_in(job, engine, path, stretches)
    again = heard_in(job, engine, path, stretches)
    assert [one.evidence for one in each] == [one.evidence for one in again]


def test_a_recording_that_grows_is_refused(ear, tmp_path, monkeypatch):
    bundle, engine = ear
    path = tmp_path / "growing.wav"
    soundfile.write(path, tone("Hum", 2), RATE)
    run = engine.run

    def grow(fbank):
        with path.open("ab") as file:
            file.write(bytes(1000))
        return run(fbank)

    monkeypatch.setattr(engine, "run", grow)
    with pytest.raises(AudioError, match="was changed while it was read"):
        heard_in(job_of(bundle), engine, path, [Stretch(0, 0, 10)])


@pytest.mark.slow
def test_events_of_real_sound_are_those_of_one_pass_wherever_it_is_cut(tmp_path):
    bundle, engine = engine_of(find_bundle("home"))
    job, path = job_of(bundle), tmp_path / "home.flac"
    samples, rate = soundfile.read(DEMO)
    soundfile.write(path, samples, rate * 3 // 2)  # faster, and to be resampled
    whole = replayed(job, engine, path)
    assert len(whole) > 5
    for seed in range(2):
        found = events_of(job, heard_in(job, engine, path, cuts(seed, 40, job.grid)))
        assert [e[:3] for e in found] == [e[:3] for e in whole]
        np.testing.assert_allclose([e[3] for e in found], [e[3] for e in whole], atol=1e-3)
    engine.close()
