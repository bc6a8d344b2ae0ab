"""`ast-edge bundle` as a user calls it."""

import json
import os

import pytest
from rigs.hub.server import COMMIT, REPOSITORY, Hub, status

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs import exported
from rigs.model import write_bundle
from rigs.own import write_own

from ast_edge.cli.main import main
from ast_edge.hub.known import KNOWN
from ast_edge.model.bundle import find_bundle, load_bundle
from ast_edge.model.installed import bundle_folders


@pytest.fixture
def hub(monkeypatch, tmp_path):
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    with Hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.files.update(exported.files())
        yield hub


@pytest.fixture
def call(capsys):
    """Call `ast-edge bundle` and return its exit status, output and errors."""

    def call(*arguments):
        status = main(["bundle", *arguments])
        return status, *capsys.readouterr()

    return call


def test_a_known_model_is_one_command_away(hub, call):
    code, out, _ = call("get", "audioset")
    assert code == 0
    known = KNOWN["audioset"]
    assert f"hf:{known.repository}@{known.revision}" in out
    assert "by the sum that the hub states" in out
    assert "5 labels" in out
    assert "hop: 0.5" in out
    assert "ast-edge listen --bundle audioset --hop 0.5" in out
    assert "no threshold is tuned" in out
    assert all(f"/{known.revision}/" in request.path for request in hub.asked)


def test_a_bundle_with_own_labels_is_got_with_them_and_with_its_thresholds(
    hub, call, embedding_model, tmp_path
):
    folder = write_own(embedding_model, tmp_path / "own")
    code, out, _ = call("get", str(folder), "--name", "mine")
    assert code == 0
    assert "4 labels" in out
    assert "no threshold is tuned" not in out
    assert [label.name for label in load_bundle(find_bundle("mine")).own] == ["Bell", "Whistle"]


def test_a_graph_that_allows_no_curve_is_got_without(hub, call, caplog):
    code, out, _ = call("get", "audioset", "--frame-curve")
    assert code == 0
    assert "no --frame-curve: its classifier does not read the two special tokens" in caplog.text
    assert "5 labels" in out


def test_what_was_got_is_used_by_its_name(hub, call, tmp_path, capsys):
    import numpy as np
    import soundfile

    call("get", "audioset")
    soundfile.write(tmp_path / "a.wav", np.zeros(32_000), 16_000)
    assert main(["tag", "--json", "--bundle", "audioset", str(tmp_path / "a.wav")]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert tuple(scores) == exported.LABELS


def test_a_second_time_nothing_is_downloaded(hub, call):
    call("get", "audioset")
    asked = len(hub.asked)
    code, out, _ = call("get", "audioset")
    assert (code, len(hub.asked)) == (0, asked)
    assert "by the sum it had when it was fetched" in out


def test_without_a_network_the_cache_is_enough(hub, call, monkeypatch):
    call("get", f"hf:{REPOSITORY}", "--precision", "int8")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(hub, "files", {})
    code, out, _ = call("get", f"hf:{REPOSITORY}", "--precision", "int8", "--name", "again")
    assert code == 0
    assert f"@{COMMIT}" in out


def test_the_name_is_that_of_the_repository_unless_given(hub, call):
    call("get", f"hf:{REPOSITORY}")
    call("get", f"hf:{REPOSITORY}", "--name", "mine")
    assert sorted(path.name for path in bundle_folders()[0].iterdir()) == ["mine", "tiny-ast"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nonsense"], 78, "expected audioset, hf:OWNER/NAME"),
        (["audioset", "--name", "home"], 78, "ships with ast-edge"),
        (["audioset", "--sha256", "x"], 78, "--sha256: expected 64"),
        (["audioset", "--sha256", "0" * 64], 65, "is not what was promised"),
        (["audioset", "--offline"], 69, "is not in the cache"),
    ],
)
def test_what_cannot_be_is_one_line_and_an_exit_code(hub, call, arguments, code, message):
    found, _, err = call("get", *arguments)
    assert found == code
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("code", "exit_code", "message"),
    [(403, 69, "set HF_TOKEN to a token"), (404, 65, "found neither")],
)
def test_a_hub_that_refuses_is_quoted(hub, call, code, exit_code, message):
    hub.faults["config.json"] = [status(code)]
    hub.files = {}
    found, _, err = call("get", "audioset")
    assert found == exit_code
    assert message in err


def test_all_that_is_here_and_what_can_be_fetched_are_listed(hub, call):
    call("get", f"hf:{REPOSITORY}", "--name", "mine")
    (bundle_folders()[0] / "broken").mkdir()
    (bundle_folders()[0] / "broken" / "bundle.json").write_text("{")
    code, out, _ = call("list")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "57 labels" in lines["home"]
    assert "shipped" in lines["home"]
    assert "5 labels" in lines["mine"]
    assert "cannot be used" in lines["broken"]
    assert "ast-edge bundle get audioset" in out
    assert "91 MB int8" in out


def test_a_bundle_is_shown_with_its_origin_and_card(hub, call):
    call("get", f"hf:{REPOSITORY}", "--name", "mine")
    code, out, _ = call("show", "mine")
    assert code == 0
    for part in ("bsd-3-clause", COMMIT, "Doorbell", "128 mel bins", "none: the published model's"):
        assert part in out
    assert "# Model card: `mine`" in out


def test_the_shipped_bundle_is_shown_and_measured(call):
    code, out, _ = call("show", "home", "--measure")
    assert code == 0
    assert "also of steps of 0.04 s" in out
    assert "hop: 0.5" in out


@pytest.mark.parametrize("load", [0.1, 1000.0])
def test_times_of_a_busy_machine_are_said_to_be(call, monkeypatch, load):
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    _, out, _ = call("show", "home", "--measure", "--engine", "openvino")
    assert ("these times are too long" in out) is (load > 1)


def test_a_folder_is_verified(call, tmp_path):
    code, out, _ = call("verify", str(write_bundle(tmp_path / "bands")))
    assert code == 0
    assert "scores silence with probabilities" in out
    assert "fbank (any, 98, 128) float32" in out
    assert "not measured" in out


def test_parity_that_was_measured_is_said(call):
    _, out, _ = call("verify", "home")
    assert "openvino fp32: largest difference 0.00" in out


def test_a_damaged_bundle_is_not_verified(call, tmp_path):
    folder = write_bundle(tmp_path / "bands")
    with (folder / "model.onnx").open("ab") as file:
        file.write(b" ")
    code, _, err = call("verify", str(folder))
    assert code == 65
    assert "is damaged or was changed" in err


def test_progress_is_told_where_there_is_no_terminal(capsys):
    from ast_edge.hub.download_progress import DownloadProgress

    with DownloadProgress() as progress:
        progress("config.json", 1000, 1000)
        for done in range(0, 20_000_001, 100_000):
            progress("model.onnx", done, 20_000_000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[-1] == "model.onnx: 20.0 of 20.0 MB"
