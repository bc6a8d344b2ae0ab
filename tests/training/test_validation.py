import numpy as np
import pytest
import torch
from rigs.packs import Pack, hiss, make_recipe, tone
from torch import nn

from ast_edge.errors import ConfigError
from ast_edge.spec import ModelSpec
from ast_training.metrics import measure
from ast_training.processes import Processes
from ast_training.recordings import AudioCache, read_recordings
from ast_training.validation import ValidationSet

FRAMES = 32
QUIET, LOUD = 0.003, 0.3


class Loudness(nn.Module):
    """Answers every label with how loud the window is, where a model has its logits."""

    spec = ModelSpec(labels=2, frames=FRAMES, stride=(16, 16))

    def __init__(self):
        super().__init__()
        self.zero = nn.Parameter(torch.zeros(()))

    def forward(self, fbank):
        assert fbank.shape[1:] == (FRAMES, 128)
        loudness = fbank.mean(dim=(1, 2)) / 4 + self.zero
        return torch.stack([loudness, loudness], dim=1)


def validation_set(pack, **settings):
    settings = {"labels": {"whistle": "Whistle", "hum": "Hum"}} | settings
    recipe = make_recipe({"one": pack.config(**settings)})
    return ValidationSet(AudioCache(read_recordings(recipe), 16000), recipe)


def predictions(validation):
    return validation.predict(Loudness(), Processes(torch.device("cpu")))


@pytest.fixture
def pack(tmp_path):
    return Pack(tmp_path / "pack")


def test_a_recording_counts_by_the_best_of_its_windows(pack):
    # On average over its windows the first is the quieter one.
    silence = np.zeros(48000, np.float32)
    pack.add("burst.wav", "whistle", np.concatenate([silence, hiss(1, 0.5, LOUD), silence]))
    pack.add("steady.wav", "hum", hiss(2, 3.0, QUIET))
    metrics = measure(predictions(validation_set(pack)))
    assert metrics.average_precisions.tolist() == [1.0, 0.5]


def test_predictions_say_what_they_are_of(pack):
    pack.add("a.wav", "hum", hiss(1))
    pack.add("other.wav", "neither", hiss(9))
    found = predictions(validation_set(pack))
    assert found.labels == ("Whistle", "Hum")
    assert found.clips == ("one/a.wav", "one/other.wav")
    assert found.targets.tolist() == [[0, 1], [0, 0]]
    assert found.activation == "sigmoid"


@pytest.mark.parametrize("seconds", [0.01, 0.1, 5.0])
def test_recordings_of_any_length_are_scored(pack, seconds):
    pack.add("a.wav", "hum", hiss(1, seconds))
    assert np.isfinite(predictions(validation_set(pack)).logits).all()


def test_the_fbank_of_a_recording_is_whole(pack):
    pack.add("a.wav", "hum", hiss(1, 2.0))
    assert validation_set(pack).fbank(0).shape == (198, 128)


@pytest.mark.parametrize("labels", [[], ["neither"]])
def test_without_labelled_recordings_there_is_nothing_to_validate(pack, labels):
    for label in labels:
        pack.add(f"{label}.wav", label, hiss(1))
    with pytest.raises(ConfigError, match="validation_share"):
        validation_set(pack)


# Thresholds


@pytest.fixture(scope="module")
def noises(tmp_path_factory):
    """Two hundred windows without a label from quiet to loud, and two tones."""
    pack = Pack(tmp_path_factory.mktemp("noises") / "pack")
    for take, level in enumerate(np.geomspace(1e-4, 0.5, 200)):
        pack.add(f"{take}.wav", "neither", hiss(take, 0.32, level))
    pack.add("w.wav", "whistle", tone(3000))
    pack.add("h.wav", "hum", tone(200))
    return validation_set(pack)


def shares_reached(validation, thresholds):
    logits = validation._logits(Loudness())
    scores = 1 / (1 + np.exp(-logits.astype(float)))
    others = validation.targets[validation._clip] == 0
    return [
        float((scores[others[:, i], i] >= threshold).mean())
        for i, threshold in enumerate(thresholds.values())
    ]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.333])
def test_no_larger_share_of_the_windows_without_a_label_reaches_its_threshold(noises, share):
    thresholds = noises.thresholds(Loudness(), share, 0.0, 1.0)
    assert max(shares_reached(noises, thresholds)) <= share


@pytest.mark.parametrize("share", [0.01, 0.1, 0.333])
def test_thresholds_are_no_higher_than_they_have_to_be(noises, share):
    thresholds = noises.thresholds(Loudness(), share, 0.0, 1.0)
    lower = {label: threshold - 0.002 for label, threshold in thresholds.items()}
    assert min(shares_reached(noises, lower)) > share - 0.01


def test_thresholds_lie_between_their_limits(noises):
    assert set(noises.thresholds(Loudness(), 0.0, 0.0, 0.3).values()) == {0.3}
    assert set(noises.thresholds(Loudness(), 1.0, 0.7, 1.0).values()) == {0.7}


def test_a_label_that_all_windows_have_gets_the_lowest_threshold(pack):
    pack.add("h.wav", "hum", tone(200))
    assert validation_set(pack).thresholds(Loudness(), 0.002, 0.3, 0.95)["Hum"] == 0.3
