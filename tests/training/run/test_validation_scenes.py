import numpy as np
import pytest
import soundfile
import torch
from rigs.model import RATE, silence, tone, write_bundle
from rigs.training.packs import backgrounds, make_recipe, two_sounds

from ast_edge.detection.hearing import Hearing
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.detector import Detector
from ast_edge.evaluation.span import Span
from ast_edge.frontend.fbank import fbank
from ast_edge.model.bundle import load_bundle
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.run.validation_scenes import (
    ValidationScenes,
    aggregated,
    silence_unknown,
    sliding,
    step_probabilities,
)


@pytest.mark.parametrize("rest", [0.0, 0.37])
def test_the_scores_of_moments_are_those_that_the_edge_makes(tmp_path, rest):
    bundle = load_bundle(write_bundle(tmp_path / "bands", frame=True))
    engine = open_engine(bundle, EngineConfig())
    parts = [silence(1), tone("Hum", 1.3), silence(0.7), tone("Hiss", 0.5 + rest)]
    samples = np.concatenate(parts)
    soundfile.write(tmp_path / "sounds.wav", samples, RATE, subtype="FLOAT")
    detector = Detector(Hearing(bundle, bundle.settings, hop=0.5), engine)
    wanted = detector.listen(tmp_path / "sounds.wav", draw=False).curve

    features = fbank(samples, bundle.fbank)
    ends, windows = sliding(features, bundle.frames, 50, bundle.fbank)
    frame = engine.run(windows).frame
    found = aggregated(frame, ends, len(features), bundle.members[0], bundle.fbank)
    np.testing.assert_allclose(found.onsets, wanted.onsets, atol=1e-6)
    np.testing.assert_allclose(found.offsets, wanted.offsets, atol=1e-6)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-4)


def test_steps_are_scored_by_the_head_for_them(packs):
    spec = recipe_of(packs).model_spec
    model = AudioSpectrogramTransformer(spec).eval()
    windows = np.random.default_rng(1).normal(-7, 5, (2, spec.frames, 128)).astype(np.float32)
    with torch.inference_mode():
        wanted = model.forward_both(torch.from_numpy(windows))[1].sigmoid()
    found = step_probabilities(model, windows)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-6)


def test_scores_where_a_label_may_sound_are_taken_out_but_not_where_it_does():
    onsets = np.arange(5.0)
    curve = Curve(onsets, onsets + 1, onsets + 1, np.ones((5, 2), np.float32))
    silence_unknown(curve, {1: [Span(1.0, 4.0)]}, {1: [Span(2.0, 3.0)]})
    assert curve.scores[:, 1].tolist() == [1, 0, 1, 0, 1]
    assert curve.scores[:, 0].tolist() == [1] * 5


@pytest.fixture
def packs(tmp_path):
    return two_sounds(tmp_path / "sounds") | backgrounds(
        tmp_path / "noise", 3, validation_share=1.0
    )


def recipe_of(packs, **sections):
    scenes = {"validation_minutes": 2}
    return make_recipe(packs, model={"frame_head": True}, soundscapes=scenes, **sections)


def test_scenes_are_the_same_whatever_the_seed_of_the_run(packs):
    model = AudioSpectrogramTransformer(recipe_of(packs).model_spec).eval()
    scenes = [ValidationScenes(recipe_of(packs, seed=seed)) for seed in (1, 2)]
    first, second = (one.score(model) for one in scenes)
    assert len(scenes[0]) == 2
    assert first == second


def test_only_labels_that_are_wanted_are_scored(packs, monkeypatch):
    seen = []
    monkeypatch.setattr("ast_training.run.validation_scenes.event_figures", seen.extend)
    model = AudioSpectrogramTransformer(recipe_of(packs).model_spec).eval()
    ValidationScenes(recipe_of(packs, wanted=["Hum"])).score(model)
    assert {column for scene in seen for column in scene.references} == {1}
    assert not any(scene.curve.scores[:, 0].any() for scene in seen)
    assert all(scene.curve.scores[:, 1].any() for scene in seen)
