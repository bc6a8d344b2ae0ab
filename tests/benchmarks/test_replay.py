from dataclasses import replace

import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
from parts.replay import Variant, replay, score
from rigs.model import RATE, silence, tone

from ast_edge.detection.hearing import Hearing
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.evaluation.detector import Detector
from ast_edge.model.bundle import load_bundle

VARIANTS = [
    Variant(hop=0.1, latency=0.3),
    Variant(hop=0.2, latency=0.3),
    Variant(hop=0.3, latency=0.0),
    Variant(hop=0.2, latency=0.6, gate=True),
    Variant(hop=0.1, frame=False),
    Variant(hop=0.3, frame=False),
]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Sounds at the beginning, in the middle and at an end that is no multiple of any hop."""
    path = tmp_path_factory.mktemp("recording") / "beeps.flac"
    parts = [tone("Hiss", 0.33), silence(1), tone("Hum", 1.05), silence(1.5), tone("Hiss", 0.6)]
    soundfile.write(path, np.concatenate(parts), RATE)
    return path


@pytest.fixture(scope="module")
def bundle(framed_model):
    return load_bundle(framed_model)


@pytest.fixture(scope="module")
def engine(bundle):
    with_engine = open_engine(bundle, EngineConfig(threads=1))
    yield with_engine
    with_engine.close()


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_replay_feeds_the_tracker_what_the_pipeline_would(recording, bundle, engine, variant):
    scored, seconds = score(recording, bundle, engine, 0.1)
    replayed = replay(scored, bundle, variant)
    deployed = variant.apply(bundle)
    detector = Detector(Hearing(deployed, bundle.settings, variant.hop, variant.latency), engine)
    heard = detector.listen(recording)
    assert seconds == heard.seconds
    assert replayed.curve.offsets == pytest.approx(heard.curve.offsets)
    assert replayed.curve.scores == pytest.approx(heard.curve.scores, abs=1e-5)
    assert replayed.detect(bundle.settings) == [
        replace(one, peak=pytest.approx(one.peak, abs=1e-5)) for one in heard.detections
    ]


def test_the_three_sounds_are_detected(recording, bundle, engine):
    scored, _ = score(recording, bundle, engine, 0.1)
    found = replay(scored, bundle, Variant(hop=0.1, latency=0.3)).detect(bundle.settings)
    assert [one.label.name for one in found] == ["Hum", "Hiss", "Hiss"]
