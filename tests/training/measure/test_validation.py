import numpy as np
import pytest
import torch
from rigs.training.packs import Pack, hiss, make_recipe
from torch import nn

from ast_edge.base.errors import ConfigError
from ast_edge.model.spec import ModelSpec
from ast_training.base.processes import Processes
from ast_training.data.audio_cache import AudioCache
from ast_training.data.recordings import read_recordings
from ast_training.measure.metrics import measure
from ast_training.measure.validation import ValidationSet

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
    return ValidationSet(AudioCache(read_recordings(recipe.pack_set), 16000), recipe)


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


def test_labels_that_may_sound_in_a_recording_are_not_known(pack):
    pack.add("a.wav", "hum", hiss(1))
    pack.add("other.wav", "neither", hiss(9))
    found = predictions(validation_set(pack, may=["Hum"]))
    assert found.unknown.tolist() == [[False, False], [False, True]]


def test_only_what_is_wanted_is_measured(pack):
    pack.add("a.wav", "hum", hiss(1))
    pack.add("b.wav", "whistle", hiss(2))
    recipe = make_recipe(
        {"one": pack.config(labels={"whistle": "Whistle", "hum": "Hum"})}, wanted=["Hum"]
    )
    found = predictions(ValidationSet(AudioCache(read_recordings(recipe.pack_set), 16000), recipe))
    assert found.labels == ("Hum",)
    assert found.targets.tolist() == [[1], [0]]


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
