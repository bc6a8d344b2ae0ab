import numpy as np
import pytest
import soundfile
import torch
from rigs.training.teachers import MN04, SHARED, mobilenet_weights, save_mobilenet

from ast_edge.base.errors import BundleError
from ast_training.teacher.grid import WINDOWS
from ast_training.teacher.mobilenet import PART, Mobilenet, MobilenetTeacher, window_shares

NAMES = ("a", "b", "c", "d", "e")
NOISE = (np.random.default_rng(1).normal(size=(PART + 1, 32000)) * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return MobilenetTeacher(save_mobilenet(tmp_path_factory.mktemp("mn") / "mn.pt"), NAMES)


@pytest.mark.skipif(not MN04.exists(), reason="mn04 is not at hand")
def test_mn04_gives_what_the_published_implementation_gives():
    network = Mobilenet(torch.load(MN04, weights_only=True))
    golden = np.load(MN04.parent / "golden.npz")
    assert len(golden["clip"]) == 28
    for number, clip in enumerate(golden["clip"]):
        samples, _ = soundfile.read(SHARED / "data" / str(clip), dtype="float32", frames=160000)
        with torch.inference_mode():
            found = network(torch.from_numpy(samples)[None])
        np.testing.assert_allclose(found.logits[0], golden["logits"][number], atol=1e-3)
        np.testing.assert_allclose(found.features[0], golden["features"][number], atol=1e-3)


def test_a_sound_gets_the_same_answer_in_any_batch(teacher):
    together = teacher.hear(NOISE)
    alone = teacher.hear(NOISE[-1:])
    np.testing.assert_allclose(together.clip[-1:], alone.clip, atol=1e-5)
    np.testing.assert_allclose(together.steps[-1:], alone.steps, atol=1e-5)


def test_clip_and_steps_have_the_shapes_of_their_description(teacher):
    heard = teacher.hear(NOISE)
    batch, features = len(NOISE), heard.clip_features.shape[1]
    assert heard.clip.shape == (batch, 5)
    assert heard.steps.shape == (batch, 4, 5)
    assert heard.step_features.shape == (batch, 4, len(WINDOWS), features)
    assert heard.clip.dtype == heard.steps.dtype == heard.step_features.dtype == np.float32


def test_a_sound_in_the_middle_is_in_the_features_of_its_own_steps(teacher):
    silence = np.zeros((1, 96000), np.float32)
    burst = silence.copy()
    burst[:, 48000:56000] = NOISE[:1, :8000]  # 3.0 to 3.5 s: step 6
    quiet, loud = (teacher.hear(sound).step_features[0, :, 0] for sound in (silence, burst))
    change = np.abs(loud - quiet).sum(1)
    assert change.argmax() == 6


def test_the_width_is_read_from_the_weights():
    narrow, wide = (Mobilenet(mobilenet_weights(width=w)) for w in (0.1, 0.2))
    sound = torch.from_numpy(NOISE[:1])
    assert wide(sound).features.shape[1] == 2 * narrow(sound).features.shape[1]


def test_windows_at_the_ends_take_what_there_is():
    shares = window_shares(64000, 13)
    assert shares.shape == (8, len(WINDOWS), 13)
    np.testing.assert_allclose(shares.sum(2), 1)
    # The first step's window of 1 s reaches from -0.25 to 0.75 s, columns from -0.16 on.
    np.testing.assert_allclose(shares[0, 0, :4] * 0.91, [0.32, 0.32, 0.27, 0], atol=1e-9)


def test_a_window_counts_columns_by_their_share_in_it():
    shares = window_shares(64000, 13)[2, 0]  # around 1.25 s: from 0.75 to 1.75 s
    columns = np.flatnonzero(shares)
    assert columns.tolist() == [2, 3, 4, 5]
    np.testing.assert_allclose(shares[2:6], [0.05, 0.32, 0.32, 0.31], atol=1e-9)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"head.weight": torch.zeros(3, 3)}, tmp_path / "other.pt")
    with pytest.raises(BundleError, match=r"other\.pt: expected a MobileNet of EfficientAT"):
        MobilenetTeacher(tmp_path / "other.pt", NAMES)


def test_a_missing_layer_is_named(tmp_path):
    weights = mobilenet_weights()
    del weights["features.3.block.0.0.weight"]
    torch.save(weights, tmp_path / "mn.pt")
    with pytest.raises(BundleError, match=r"Missing key.*features\.3\.block\.0\.0\.weight"):
        MobilenetTeacher(tmp_path / "mn.pt", NAMES)


def test_another_number_of_outputs_than_labels_is_refused(tmp_path):
    with pytest.raises(BundleError, match="expected 4 outputs, one per label, got 5"):
        MobilenetTeacher(save_mobilenet(tmp_path / "mn.pt"), NAMES[:4])
