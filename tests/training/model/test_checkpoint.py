import json
import pickle
import struct
from dataclasses import replace

import pytest
import torch
from rigs.training.checkpoints import random_checkpoint
from safetensors.torch import save_file

from ast_edge.base.errors import BundleError
from ast_training.base.errors import TrainingError
from ast_training.model import checkpoint as checkpoint_module
from ast_training.model.checkpoint import load_checkpoint


@pytest.fixture
def path(tmp_path):
    """A checkpoint with a state for resuming."""
    path = tmp_path / "some.safetensors"
    state = {"model.a": torch.randn(3, 5), "optimizer.0.step": torch.tensor(7.0)}
    random_checkpoint(state=state).save(path)
    return path


def test_comes_back_as_it_was_saved(path):
    saved = random_checkpoint()
    loaded = load_checkpoint(path)
    assert replace(loaded, weights={}, state={}) == replace(saved, weights={}, state={})


def test_weights_come_back_bit_by_bit(path):
    expected, found = random_checkpoint().weights, load_checkpoint(path).weights
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_state_for_resuming_comes_back(path):
    state = load_checkpoint(path).state
    assert state["model.a"].shape == (3, 5)
    assert state["optimizer.0.step"] == 7.0


def test_saving_twice_writes_the_same_bytes(path, tmp_path):
    load_checkpoint(path).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_built_model_has_the_weights_and_is_in_evaluation_mode(path):
    checkpoint = load_checkpoint(path)
    model = checkpoint.build()
    assert not model.training
    assert all(torch.equal(v, checkpoint.weights[k]) for k, v in model.state_dict().items())


def test_failing_while_writing_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def half(tensors, file, metadata):
        file.write_bytes(before[: len(before) // 2])
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoint_module, "save_file", half)
    with pytest.raises(TrainingError, match="No space left"):
        random_checkpoint(epoch=99).save(path)
    assert path.read_bytes() == before


def test_a_half_written_rest_of_an_earlier_crash_is_no_obstacle(path):
    path.with_name(path.name + ".partial").write_bytes(b"half")
    random_checkpoint(epoch=99).save(path)
    assert load_checkpoint(path).epoch == 99
    assert list(path.parent.iterdir()) == [path]


# What is no checkpoint of ours


def refused(path):
    with pytest.raises(BundleError) as caught:
        load_checkpoint(path)
    return str(caught.value)


def test_refuses_a_file_that_is_not_there(tmp_path):
    assert "none.safetensors: not a readable checkpoint" in refused(tmp_path / "none.safetensors")


def test_refuses_a_folder(tmp_path):
    assert "not a readable checkpoint" in refused(tmp_path)


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_refuses_a_truncated_file(path, size):
    path.write_bytes(path.read_bytes()[:size])
    assert "not a readable checkpoint" in refused(path)


def test_refuses_safetensors_of_others(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    assert "no ast-edge checkpoint" in refused(tmp_path / "foreign.safetensors")


def write_with_header(path, header):
    metadata = {"ast_edge": header if isinstance(header, str) else json.dumps(header)}
    save_file({"a": torch.zeros(2)}, path, metadata=metadata)
    return path


@pytest.mark.parametrize("header", ["{", [], {}, {"format": 2}])
def test_refuses_a_header_of_another_format(tmp_path, header):
    refused(write_with_header(tmp_path / "other.safetensors", header))


def header_of(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["ast_edge"])


@pytest.mark.parametrize("key", ["model", "fbank", "labels", "recipe", "epoch", "metrics"])
def test_refuses_a_header_that_lacks_something(path, key):
    header = header_of(path)
    del header[key]
    assert f"lacks {key!r}" in refused(write_with_header(path, header))


@pytest.mark.parametrize("model", [3, {"colour": "blue"}, {"std": 0}, {"stride": 16}])
def test_refuses_a_header_that_describes_no_model(path, model):
    header = header_of(path)
    header["model"] = header["model"] | model if isinstance(model, dict) else model
    assert "malformed" in refused(write_with_header(path, header))


def test_refuses_to_build_from_weights_of_another_model():
    weights = random_checkpoint().weights
    del weights["v.cls_token"]
    with pytest.raises(BundleError, match=r"v\.cls_token"):
        random_checkpoint(weights=weights).build()


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_refuses_pickle_and_does_not_execute_it(tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(pickle.dumps(Trap(tmp_path / "executed")))
    refused(path)
    torch.save({"model": Trap(tmp_path / "executed")}, path)
    refused(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "change",
    [{"width": 64_000_000}, {"depth": 10**9}, {"labels": 10**12}, {"frames": 10**12}],
)
def test_refuses_a_model_far_larger_than_the_weights_before_it_takes_memory(change):
    checkpoint = random_checkpoint()
    with pytest.raises(BundleError, match="weights do not fit its model"):
        replace(checkpoint, model=replace(checkpoint.model, **change)).build()


@pytest.mark.parametrize("key", ["recipe", "epoch", "metrics", "provenance"])
def test_refuses_a_header_with_a_value_of_another_kind(path, key):
    header = header_of(path) | {key: ["x"]}
    assert "malformed" in refused(write_with_header(path, header))
