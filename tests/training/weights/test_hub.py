"""The cache is read in processes of its own: the Hub's client reads its environment on import."""

import os
import subprocess
import sys

import pytest
from rigs.training.foreign import hub_cache

from ast_edge.base.errors import ConfigError
from ast_training.weights.hub import MEMBERS, download, find_member

NAME = "MIT/ast-finetuned-audioset-16-16-0.442"


def offline(home, source):
    """Download without a network; return what it says."""
    program = (
        "import sys\n"
        "from ast_edge.base.errors import BundleError\n"
        "from ast_training.weights.hub import download\n"
        "try:\n"
        "    snapshot = download(sys.argv[1])\n"
        "except BundleError as exc:\n"
        "    print(exc)\n"
        "else:\n"
        "    from huggingface_hub import constants\n"
        "    assert constants.HF_HUB_DISABLE_TELEMETRY\n"
        "    print(snapshot.folder, snapshot.origin)\n"
    )
    environment = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    command = [sys.executable, "-W", "error", "-c", program, source]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.mark.parametrize("revision", ["", "@main", f"@{'a' * 40}"])
def test_offline_a_model_comes_from_the_cache_and_its_commit_is_told(folder, tmp_path, revision):
    snapshot = hub_cache(tmp_path, NAME, folder)
    assert offline(tmp_path, f"hf:{NAME}{revision}") == f"{snapshot} hf:{NAME}@{'a' * 40}\n"


def test_a_cached_model_of_the_older_format_is_found(folder, tmp_path):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    snapshot = hub_cache(tmp_path, NAME, folder)
    assert str(snapshot) in offline(tmp_path, f"hf:{NAME}")


@pytest.mark.parametrize("name", ["model-00001-of-00002.safetensors", "pytorch_model-1-of-2.bin"])
def test_a_cached_model_in_several_files_is_found(folder, tmp_path, name):
    (folder / "model.safetensors").rename(folder / name)
    snapshot = hub_cache(tmp_path, NAME, folder)
    assert str(snapshot) in offline(tmp_path, f"hf:{NAME}")


def test_a_published_member_with_a_pin_comes_at_that_commit(folder, tmp_path):
    member = MEMBERS[0]
    hub_cache(tmp_path, member.name, folder, commit=member.revision)
    assert offline(tmp_path, f"hf:{member.name}").endswith(f"@{member.revision}\n")


def test_offline_without_a_cache_one_line_says_so(tmp_path):
    printed = offline(tmp_path, f"hf:{NAME}")
    assert printed.startswith(f"hf:{NAME}: revision 'main' can be neither downloaded nor found")
    assert printed.count("\n") == 1


def test_another_revision_than_the_cached_is_not_taken_for_it(folder, tmp_path):
    hub_cache(tmp_path, NAME, folder)
    assert "revision 'v2' can be neither" in offline(tmp_path, f"hf:{NAME}@v2")


@pytest.mark.parametrize(
    "source", ["hf:", "hf:name", "hf:a/b/c", "hf:a/b@", "hf:a b/c", "hf:../x/y"]
)
def test_what_names_no_repository_is_refused(source):
    with pytest.raises(ConfigError, match="expected hf:OWNER/NAME"):
        download(source)


# The published models


def test_there_are_eight_members_each_with_its_own_logits():
    assert len({member.name for member in MEMBERS}) == len({m.logits for m in MEMBERS}) == 8
    assert {member.name.split("/")[0] for member in MEMBERS} == {"MIT"}


@pytest.mark.parametrize(
    "source",
    [
        "hf:MIT/ast-finetuned-audioset-16-16-0.442",
        "hf:MIT/ast-finetuned-audioset-16-16-0.442@main",
        "models/audioset_16_16_0.4422.pth",
        "models/ast-finetuned-audioset-16-16-0.442",
    ],
)
def test_a_member_is_known_by_its_name_its_file_and_its_folder(source):
    member = find_member(source)
    assert member
    assert member.name == NAME


@pytest.mark.parametrize("source", ["hf:me/my-model", "best.safetensors", "hf:MIT/other"])
def test_another_model_is_no_member(source):
    assert find_member(source) is None
