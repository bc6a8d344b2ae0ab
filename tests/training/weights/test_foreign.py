import json
import pickle
import random
from pathlib import Path

import pytest
import torch
from rigs.training.foreign import deit, official, random_model
from safetensors.torch import load_file, save_file

from ast_edge.base.errors import BundleError
from ast_training.weights.foreign import read_foreign
from ast_training.weights.layouts import from_ours


@pytest.fixture(scope="module")
def model():
    return random_model(labels=3)


def assert_weights(foreign, model):
    expected = model.state_dict()
    assert foreign.weights.keys() == expected.keys()
    assert all(torch.equal(foreign.weights[name], expected[name]) for name in expected)


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.bin"])
def test_reads_what_torch_saves(model, tmp_path, name):
    torch.save(official(model), tmp_path / name)
    assert_weights(read_foreign(tmp_path / name), model)


def test_reads_what_old_versions_of_torch_saved(model, tmp_path):
    torch.save(official(model), tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert_weights(read_foreign(tmp_path / "a.pth"), model)


def test_reads_safetensors(model, tmp_path):
    save_file(official(model), tmp_path / "a.safetensors")
    assert_weights(read_foreign(tmp_path / "a.safetensors"), model)


def test_half_precision_becomes_float32(model, tmp_path):
    torch.save({k: v.half() for k, v in official(model).items()}, tmp_path / "a.pth")
    weights = read_foreign(tmp_path / "a.pth").weights
    assert {value.dtype for value in weights.values()} == {torch.float32}


def test_a_deit_is_taken_out_of_its_wrapping(tmp_path):
    torch.save({"model": deit()}, tmp_path / "a.pth")
    assert "mlp_head.1.bias" not in read_foreign(tmp_path / "a.pth").weights


# Folders


@pytest.fixture
def folder(model, tmp_path):
    tensors = {k: v.contiguous() for k, v in from_ours(model.state_dict(), "hub").items()}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"max_length": 64}))
    return tmp_path


def test_a_folder_of_hugging_face_brings_its_configuration(folder, model):
    (folder / "preprocessor_config.json").write_text('{"mean": -7.5}')
    foreign = read_foreign(folder)
    assert_weights(foreign, model)
    assert (foreign.config, foreign.preprocessor) == ({"max_length": 64}, {"mean": -7.5})


def test_a_folder_needs_no_preprocessor(folder):
    assert read_foreign(folder).preprocessor == {}


def test_a_folder_with_the_older_file_is_read(folder, model):
    (folder / "model.safetensors").unlink()
    torch.save(from_ours(model.state_dict(), "hub"), folder / "pytorch_model.bin")
    assert_weights(read_foreign(folder), model)


def shard(folder, suffix, save):
    """Divide the weights of a folder among three files, with an index beside them."""
    tensors = load_file(folder / "model.safetensors")
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    index = {}
    for number in range(3):
        name = f"{stem}-{number + 1:05d}-of-00003.{suffix}"
        part = dict(list(tensors.items())[number::3])
        save(part, folder / name)
        index |= dict.fromkeys(part, name)
    (folder / "model.safetensors").unlink()
    path = folder / f"{stem}.{suffix}.index.json"
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": index}))
    return path


@pytest.mark.parametrize(("suffix", "save"), [("safetensors", save_file), ("bin", torch.save)])
def test_weights_in_several_files_are_read(folder, model, suffix, save):
    index = shard(folder, suffix, save)
    foreign = read_foreign(folder)
    assert_weights(foreign, model)
    assert foreign.file == index
    before = foreign.sha256()
    (foreign.parts[1]).write_bytes(b"changed")
    assert foreign.sha256() != before


def test_a_part_of_weights_alone_says_that_it_is_one(folder):
    shard(folder, "safetensors", save_file)
    with pytest.raises(BundleError, match="one part of several: name their folder"):
        read_foreign(folder / "model-00001-of-00003.safetensors")


@pytest.mark.parametrize("name", ["../other.safetensors", "/etc/passwd", "gone.safetensors", ".."])
def test_an_index_that_names_what_is_not_beside_it_is_refused(folder, name):
    index = shard(folder, "safetensors", save_file)
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(BundleError, match="which is not beside it; get all files again"):
        read_foreign(folder)


@pytest.mark.parametrize("tree", [{}, {"weight_map": {}}, {"weight_map": ["a"]}])
def test_an_index_of_nothing_is_refused(folder, tree):
    shard(folder, "safetensors", save_file).write_text(json.dumps(tree))
    with pytest.raises(BundleError, match="expected a weight_map that names files"):
        read_foreign(folder)


@pytest.mark.parametrize("size", ["64", 0, None, True, 1.5])
def test_a_size_that_is_none_is_refused(folder, size):
    (folder / "config.json").write_text(json.dumps({"max_length": size}))
    with pytest.raises(BundleError, match="expected max_length to be a size, got"):
        read_foreign(folder).size("max_length", 1024)


# What is refused


def refusal(path):
    with pytest.raises(BundleError) as caught:
        read_foreign(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("text", ["{", "[]", "3", ""])
def test_a_configuration_that_is_none_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    assert "config.json" in refusal(folder)


def test_a_folder_without_weights_is_refused(tmp_path):
    assert "model.safetensors or model.safetensors.index.json or " in refusal(tmp_path)


def test_a_path_that_is_not_there_is_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.pth")


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"onnx")
    assert "expected weights in a file of .pth, .pt, .bin, .safetensors" in refusal(
        tmp_path / "model.onnx"
    )


@pytest.mark.parametrize("tree", [{"epoch": 3}, [torch.zeros(2)], torch.zeros(2), {"model": 3}])
def test_something_else_than_a_state_dict_is_refused(tmp_path, tree):
    torch.save(tree, tmp_path / "a.pth")
    assert "expected a state dict" in refusal(tmp_path / "a.pth")


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_in_it_is_refused_and_not_executed(model, tmp_path, zipped):
    trap = official(model) | {"bomb": Bomb(tmp_path / "executed")}
    torch.save(trap, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert "could execute code" in refusal(tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(trap["bomb"], protocol=2))
    refusal(tmp_path / "b.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_a_truncated_file_is_refused(model, tmp_path, name):
    save = save_file if name.endswith("safetensors") else torch.save
    save(official(model), tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for size in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / name).write_bytes(whole[:size])
        assert name in refusal(tmp_path / name)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("zipped", [True, False])
def test_damage_anywhere_is_never_a_crash(tmp_path, zipped):
    path, rng = tmp_path / "a.pth", random.Random(0)
    torch.save(
        {f"a.{i}": torch.zeros(3) for i in range(5)}, path, _use_new_zipfile_serialization=zipped
    )
    whole = path.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 3])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        refusal(path)  # if only because it is no AST
