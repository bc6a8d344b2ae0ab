import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.training.loudness import loudness_graph as graph

from ast_edge.base.errors import BundleError, EngineError
from ast_training.teacher.onnx_teacher import OnnxTeacher

LABELS = ("loud", "half as loud")
SOUNDS = np.zeros((3, 32000), np.float32)
SOUNDS[1] = 0.5
SOUNDS[2, :16000] = 1.0


@pytest.mark.parametrize(
    "samples", [("batch", "samples"), (1, "samples"), ("samples",), ("batch", 16000), (16000,)]
)
def test_a_graph_of_any_shape_of_samples_says_what_is_in_clips_and_steps(tmp_path, samples):
    heard = OnnxTeacher(graph(tmp_path / "loud.onnx", samples), LABELS).hear(SOUNDS)
    np.testing.assert_allclose(heard.clip, [[0, 0], [0.5, 0.25], [0.5, 0.25]], atol=0.07)
    np.testing.assert_allclose(heard.steps[2, :, 0], [1, 0.75, 0.25, 0], atol=1e-6)
    assert heard.clip_features.shape == (3, 0)


@pytest.mark.parametrize("samples", [("batch", "samples"), ("batch", 8000)])
def test_a_graph_of_another_rate_gets_samples_of_its_own(tmp_path, samples):
    teacher = OnnxTeacher(graph(tmp_path / "loud.onnx", samples), LABELS, rate=8000)
    steps = teacher.hear(SOUNDS[1:2]).steps
    np.testing.assert_allclose(steps, np.tile([0.5, 0.25], (1, 4, 1)), atol=0.01)


def test_logits_become_probabilities(tmp_path):
    path = graph(tmp_path / "loud.onnx", gain=(4.0, -4.0))
    clip = OnnxTeacher(path, LABELS, logits=True).hear(SOUNDS[1:2]).clip
    np.testing.assert_allclose(clip, [[1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))]], rtol=1e-5)


def test_logits_that_are_said_to_be_probabilities_are_refused(tmp_path):
    teacher = OnnxTeacher(graph(tmp_path / "loud.onnx", gain=(4.0, -4.0)), LABELS)
    with pytest.raises(BundleError, match="expected probabilities, got scores from -2 to 2"):
        teacher.hear(SOUNDS[1:2])


def test_a_graph_of_pictures_is_refused(tmp_path):
    path = graph(tmp_path / "picture.onnx", ("batch", 128, "frames"))
    with pytest.raises(BundleError, match=r"expected samples .* got sound tensor\(float\)"):
        OnnxTeacher(path, LABELS)


def test_another_number_of_labels_than_scores_is_refused(tmp_path):
    path = graph(tmp_path / "loud.onnx")
    with pytest.raises(BundleError, match="expected 3 scores, one per label, got scores"):
        OnnxTeacher(path, (*LABELS, "silent"))


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(EngineError, match=r"broken\.onnx"):
        OnnxTeacher(tmp_path / "broken.onnx", LABELS)
