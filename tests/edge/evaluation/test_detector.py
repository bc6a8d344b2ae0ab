import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, silence, tone

from ast_edge.cli.replay import replay
from ast_edge.detection.hearing import Hearing
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.evaluation.detector import Detector
from ast_edge.model.bundle import load_bundle

HOP = 0.1


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """6 s with a Hum from 1 to 2 s and a Hiss from 4 s to the end."""
    path = tmp_path_factory.mktemp("recordings") / "beeps.flac"
    soundfile.write(
        path, np.concatenate([silence(1), tone("Hum", 1), silence(2), tone("Hiss", 2)]), RATE
    )
    return path


def make_detector(folder, latency=0.4):
    bundle = load_bundle(folder)
    engine = open_engine(bundle, EngineConfig(name="openvino"))
    return Detector(Hearing(bundle, bundle.settings, HOP, latency), engine)


@pytest.fixture(scope="module", params=["tiny_model", "framed_model"])
def detector(request):
    return make_detector(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def outcome(detector, recording):
    return detector.listen(recording)


def test_the_detections_are_the_events_of_replay(detector, recording, outcome):
    events = replay(recording, detector.hearing, detector.engine)
    expected = sorted((e.label.index, e.onset, e.offset, e.peak) for e in events)
    found = [(d.label.index, d.span.onset, d.span.offset, d.peak) for d in outcome.detections]
    assert found == expected
    assert len(found) == 2


def test_a_sound_is_told_when_enough_of_it_was_heard(detector, outcome):
    hum, _ = outcome.detections
    latency = 0.0 if detector.bundle.frame == "none" else detector.hearing.latency
    assert 1.0 + latency <= hum.told <= 1.0 + latency + 2 * HOP + 0.1


def test_the_curve_is_what_the_tracker_was_fed(detector, outcome):
    curve = outcome.curve
    assert curve.scores.shape == (len(curve.onsets), 2)
    hum = curve.scores[:, 0] >= 0.5
    assert curve.onsets[hum][0] == outcome.detections[0].span.onset
    assert np.all(np.diff(curve.nows) >= 0)
    assert curve.nows[-1] == pytest.approx(6.0, abs=0.1)


def test_what_is_not_needed_takes_no_memory(detector, recording, outcome):
    small = detector.listen(recording, np.float16, draw=False)
    assert small.curve.scores.dtype == np.float16
    assert small.curve.scores == pytest.approx(outcome.curve.scores, abs=1e-3)
    assert len(small.spectrogram) == 0


def test_the_spectrogram_shows_the_whole_recording(outcome):
    assert outcome.seconds == 6.0
    assert outcome.spectrogram.shape == (pytest.approx(120, abs=1), 64)
    loud = outcome.spectrogram[:, 5] > -4
    assert np.flatnonzero(loud)[[0, -1]].tolist() == pytest.approx([20, 40], abs=1)


def test_a_latency_that_is_longer_is_told_later(framed_model, recording):
    fast, slow = (make_detector(framed_model, s).listen(recording) for s in (0.2, 0.8))
    gaps = [b.told - a.told for a, b in zip(fast.detections, slow.detections, strict=True)]
    assert gaps[0] == pytest.approx(0.6, abs=HOP)
