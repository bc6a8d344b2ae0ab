import json

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import FRAMES, LABELS, scores, silence, step_scores, tone, write_bundle, write_tree

from ast_edge.base.errors import BundleError
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_training.teacher.bundle_teacher import BundleTeacher
from ast_training.teacher.grid import RATE

SECOND = np.concatenate([silence(0.5), tone("Hum", 0.5)])


def pictures(*sounds):
    """Return what the bundle sees of seconds."""
    return np.stack([fbank(one[:RATE], FbankSpec()) for one in sounds])


def change(folder, **keys):
    tree = json.loads((folder / "bundle.json").read_text())
    write_tree(folder, tree | keys)
    return folder


def test_a_sound_of_one_window_is_what_the_bundle_says_of_it(tmp_path):
    teacher = BundleTeacher(write_bundle(tmp_path / "bundle"))
    heard = teacher.hear(np.stack([tone("Hiss", 1.0), silence(1.0)]))
    assert teacher.labels == LABELS
    expected = scores(pictures(tone("Hiss", 1.0), silence(1.0)))
    np.testing.assert_allclose(heard.clip, expected, atol=1e-4)
    np.testing.assert_allclose(heard.steps, expected[:, None].repeat(2, 1), atol=1e-4)


def test_without_frame_scores_each_moment_has_a_window_around_it(tmp_path):
    sound = np.concatenate([tone("Hum", 1.5), silence(1.5)])
    heard = BundleTeacher(write_bundle(tmp_path / "bundle")).hear(sound[None])
    length = FbankSpec().samples_in(FRAMES)
    starts = np.clip(np.arange(4000, 48000, 8000) - length // 2, 0, 48000 - length)
    around = [sound[start : start + length] for start in starts]
    np.testing.assert_allclose(heard.steps[0], scores(pictures(*around)), atol=1e-4)
    np.testing.assert_allclose(heard.clip[0], heard.steps[0].mean(axis=0), atol=1e-6)


def test_with_frame_scores_a_moment_is_the_mean_of_its_steps(tmp_path):
    heard = BundleTeacher(write_bundle(tmp_path / "bundle", frame=True)).hear(SECOND[None])
    steps = step_scores(pictures(SECOND))[0]  # of 80 ms
    np.testing.assert_allclose(heard.steps[0], [steps[:6].mean(0), steps[6:].mean(0)], atol=1e-4)


def test_a_clip_gate_holds_moments_to_their_window(tmp_path):
    folder = write_bundle(tmp_path / "bundle", frame=True)
    heard = BundleTeacher(change(folder, clip_gate=True)).hear(SECOND[None])
    gated = np.sqrt(step_scores(pictures(SECOND))[0] * scores(pictures(SECOND)))
    np.testing.assert_allclose(heard.steps[0], [gated[:6].mean(0), gated[6:].mean(0)], atol=1e-4)


@pytest.mark.parametrize("seconds", [0.2, 1.0, 2.7, 4.0])
def test_sounds_of_any_length_have_all_their_moments(tmp_path, seconds):
    teacher = BundleTeacher(write_bundle(tmp_path / "bundle", frame=True))
    heard = teacher.hear(tone("Hum", seconds)[None])
    assert heard.steps.shape == (1, max(1, round(2 * seconds)), 2)
    assert heard.clip[0, 0] > 0.9 > 0.1 > heard.clip[0, 1]
    whole = heard.steps[0, : max(1, int(2 * seconds))]
    assert (whole[:, 0] > (0.9 if seconds >= 1 else 0.3)).all()


def test_a_bundle_of_another_rate_is_refused(tmp_path):
    folder = write_bundle(tmp_path / "bundle")
    front_end = json.loads((folder / "bundle.json").read_text())["fbank"] | {"sample_rate": 8000}
    with pytest.raises(BundleError, match="expected a bundle for 16000 Hz, got 8000 Hz"):
        BundleTeacher(change(folder, fbank=front_end))
