from dataclasses import dataclass, replace

import pytest
import torch
from huggingface_hub import constants
from rigs.hub.push_server import TOKEN, PushHub
from rigs.training.checkpoints import random_checkpoint

from ast_training.cli.main import main
from ast_training.model.checkpoint import load_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # its own
RECIPE = {"name": "mine", "licence": "CC BY 4.0", "data": {"folder": "/home/anna/sounds/set"}}


@pytest.fixture
def hub():
    with PushHub() as hub:
        yield hub


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "last.safetensors"
    state = {"step": torch.tensor(7)}
    random_checkpoint(recipe=RECIPE, state=state).save(path)
    return path


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def push(hub, checkpoint, monkeypatch, capsys, tmp_path, caplog):
    """Runs the command by the environment of somebody who has logged in."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)

    def run(*options):
        status = main(["push", str(checkpoint), hub.repository, *options])
        said = capsys.readouterr()
        assert TOKEN not in said.out + said.err + caplog.text
        return Done(status, said.out, said.err)

    return run


def test_a_checkpoint_arrives_with_its_card_and_recipe(hub, push, checkpoint, tmp_path):
    done = push()
    assert done.returncode == 0, done.stderr
    assert set(hub.files) == {"README.md", "checkpoint.safetensors", "recipe.yaml"}
    assert hub.files["README.md"].startswith(b"---\nlicense: other\n")
    (tmp_path / "arrived.safetensors").write_bytes(hub.files["checkpoint.safetensors"])
    found, sent = load_checkpoint(tmp_path / "arrived.safetensors"), load_checkpoint(checkpoint)
    assert found.labels == sent.labels
    assert found.weights.keys() == sent.weights.keys()
    assert not found.state
    assert hub.message == "ast-train push: mine, 3 epochs"
    assert f"{hub.url}/somebody/mine/commit/" in done.stdout


def test_a_repository_is_private_unless_it_is_to_be_public(hub, push):
    push()
    assert hub.private
    hub.exists = False
    push("--public")
    assert not hub.private


def test_a_dry_run_shows_all_and_sends_nothing(hub, push):
    hub.exists, hub.files = True, {"README.md": b"of before"}
    done = push("--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"{hub.url}/somebody/mine (there, private):" in done.stdout
    assert "README.md: " in done.stdout
    assert ", in place of the one there" in done.stdout
    assert "nothing was sent" in done.stdout
    assert "| Licence of the weights | CC BY 4.0 |" in done.stdout
    assert hub.written == []


def test_a_dry_run_needs_neither_hub_nor_token(hub, push, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    done = push("--dry-run")
    assert done.returncode == 0, done.stderr
    assert "what is there is not known" in done.stdout
    assert "checkpoint.safetensors: " in done.stdout
    assert hub.asked == []


def test_paths_of_this_machine_stay_here(hub, push):
    push()
    assert b"folder: set\n" in hub.files["recipe.yaml"]
    assert not [name for name, content in hub.files.items() if b"anna" in content]


def test_what_everybody_can_read_is_not_pushed_to_unasked(hub, push):
    hub.exists, hub.private = True, False
    done = push()
    assert done.returncode == 78
    assert "somebody/mine: everybody can read it; say --public" in done.stderr
    assert hub.written == []
    assert push("--public").returncode == 0


def test_without_a_token_it_says_how_to_get_one(hub, push, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    done = push()
    assert done.returncode == 78
    assert "run `hf auth login`, or set HF_TOKEN" in done.stderr
    assert hub.written == []


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_hub_that_refuses_is_an_error_in_a_line(hub, push, status):
    hub.refusal = status
    done = push()
    assert done.returncode == 74
    (line,) = [one for one in done.stderr.splitlines() if one.startswith("ast-train: ")]
    assert str(status) in line
    assert not hub.files


def test_a_file_that_does_not_arrive_is_an_error_in_a_line(hub, push):
    hub.is_store_closed = True
    done = push()
    assert done.returncode == 74
    assert "somebody/mine: Error while uploading 'checkpoint.safetensors'" in done.stderr
    assert "403" in done.stderr
    assert not hub.files


def test_a_hub_that_is_not_there_is_an_error_in_a_line(push, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    done = push()
    assert done.returncode == 74
    assert "ast-train: http://127.0.0.1:9: somebody/mine: " in done.stderr


@pytest.mark.parametrize("name", ["mine", "a/b/c", "../mine", "somebody/", "hf:somebody/mine"])
def test_what_is_no_repository_is_refused(hub, push, name):
    hub.repository = name
    done = push()
    assert done.returncode == 78
    assert "expected a repository as OWNER/NAME" in done.stderr


def test_weights_that_fit_no_model_are_not_pushed(hub, push, checkpoint):
    sent = load_checkpoint(checkpoint)
    replace(sent, weights=dict(list(sent.weights.items())[:-1])).save(checkpoint)
    done = push()
    assert done.returncode == 65
    assert hub.asked == []
