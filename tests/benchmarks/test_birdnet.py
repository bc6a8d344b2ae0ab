import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from birdnet import RATE, SHARED, WINDOW, BirdNet

LABELS = ["Music", "Dog", "Siren"]
CLASSES = ["Siren", "Parus major", *(name for name in SHARED.values() if name != "Siren")]
LENGTH = round(WINDOW * RATE)


def middle(windows):
    """A network whose dog barks where a window is loud in its middle; nothing else sounds."""
    loud = np.abs(windows[:, LENGTH // 2 - 10 : LENGTH // 2 + 10]).max(axis=1) > 0.1
    logits = np.full((len(windows), len(CLASSES)), -20.0, np.float32)
    logits[:, CLASSES.index("Dog")] = np.where(loud, 20, -20)
    return logits


@pytest.fixture
def birdnet():
    return BirdNet(middle, CLASSES, LABELS)


@pytest.mark.parametrize("hop", [0.5, 1.0])
def test_a_window_scores_the_moment_in_its_middle(birdnet, tmp_path, hop):
    sound = np.zeros(10 * 16_000, np.float32)
    sound[5 * 16_000 : 6 * 16_000] = 0.5  # steady, so that it stays loud when it is resampled
    soundfile.write(tmp_path / "bark.wav", sound, 16_000)
    curve = birdnet.replay(tmp_path / "bark.wav", hop).curve
    loud = curve.scores[:, LABELS.index("Dog")] > 0.5
    assert curve.onsets[loud].min() == 5
    assert curve.offsets[loud].max() == 6


def test_a_moment_is_known_when_its_window_has_been_heard(birdnet, tmp_path):
    soundfile.write(tmp_path / "quiet.wav", np.zeros(5 * 16_000), 16_000)
    replay = birdnet.replay(tmp_path / "quiet.wav", 0.5)
    middles = (replay.curve.onsets + replay.curve.offsets) / 2
    assert replay.told - middles == pytest.approx(WINDOW / 2)


def test_a_label_that_it_does_not_know_scores_nothing(birdnet):
    scores = birdnet.score(np.full(LENGTH, 0.5, np.float32), 1.0)
    assert scores[:, LABELS.index("Dog")].max() > 0.5
    assert scores[:, LABELS.index("Siren")].max() > 0
    assert not scores[:, LABELS.index("Music")].any()


def test_a_short_sound_is_one_window(birdnet):
    assert birdnet.score(np.zeros(100, np.float32), 1.0).shape == (1, len(LABELS))
