"""The commands as a user calls them, with a tiny model and recordings whose events are known."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from datetime import datetime

import numpy as np
import pytest
import soundfile

from ast_edge.app import open_source as sources
from ast_edge.cli.main import COMMANDS, main

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.broker.mosquitto import wait_until
from rigs.model import RATE, silence, tone

NAMES = list(COMMANDS)
TIMEOUT = 30.0


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """5 s with a Hum from 1 to 2 s and a Hiss from 3 to 3.5 s."""
    path = tmp_path_factory.mktemp("recordings") / "beeps.flac"
    sounds = [silence(1), tone("Hum", 1), silence(1), tone("Hiss", 0.5), silence(1.5)]
    soundfile.write(path, np.concatenate(sounds), RATE)
    return path


@pytest.fixture
def write(tmp_path, tiny_model):
    """Write a configuration; keyword arguments become keys."""

    def write(**more):
        tree = {"node": "n", "bundle": str(tiny_model), "hop": 0.1} | more
        (tmp_path / "c.yaml").write_text(json.dumps(tree))
        return tmp_path / "c.yaml"

    return write


@pytest.fixture
def model(tiny_model):
    return ["--bundle", str(tiny_model), "--hop", "0.1"]


def spawn(*arguments, **more):
    command = [sys.executable, "-m", "ast_edge", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **more)


def unix_time(iso8601):
    return datetime.fromisoformat(iso8601.replace("Z", "+00:00")).timestamp()


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_every_command_has_an_example(name, capsys):
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    _, example = capsys.readouterr().out.split("\nexample", maxsplit=1)
    assert f"ast-edge {name}" in example


def test_the_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert set(NAMES) <= set(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "arguments", [[], ["sing"], ["run"], ["tag"], ["replay", "--hop", "0", "a.wav"]], ids=str
)
def test_a_command_line_that_cannot_be_is_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: ast-edge" in capsys.readouterr().err


@pytest.mark.parametrize("hop", ["0", "-1", "nan", "inf", "0.01", "soon"])
def test_a_hop_that_cannot_be_is_a_usage_error(hop, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["tag", "--hop", hop, "a.wav"])
    assert caught.value.code == 2


def test_replay_prints_each_finished_event_as_a_line_of_json(recording, model, capsys):
    assert main(["replay", "--json", *model, str(recording)]) == 0
    hum, hiss = lines(capsys)
    assert list(hum) == ["file", "id", "label", "onset", "offset", "peak"]
    assert (hum["file"], hum["label"], hiss["label"]) == (str(recording), "Hum", "Hiss")
    assert hum["id"] != hiss["id"]
    times = [hum["onset"], hum["offset"], hiss["onset"], hiss["offset"]]
    assert times == pytest.approx([1.0, 2.0, 3.0, 3.5], abs=0.13)
    assert 0.9 < hum["peak"] <= 1


def test_replay_without_json_is_for_people(recording, model, capsys):
    assert main(["replay", *model, str(recording)]) == 0
    first, _ = capsys.readouterr().out.splitlines()
    assert first.startswith("beeps.flac")
    assert first.endswith("Hum")


def test_replay_places_events_by_frame_scores_where_there_are_some(recording, framed_model, capsys):
    options = ["--bundle", str(framed_model), "--hop", "0.5", "--latency", "0.2"]
    assert main(["replay", "--json", *options, str(recording)]) == 0
    hum, hiss = lines(capsys)
    times = [hum["onset"], hum["offset"], hiss["onset"], hiss["offset"]]
    assert times == pytest.approx([1.0, 2.0, 3.0, 3.5], abs=0.12)


@pytest.mark.parametrize("latency", ["-1", "nan", "inf", "soon"])
def test_a_latency_that_cannot_be_is_a_usage_error(latency, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["replay", "--latency", latency, "a.wav"])
    assert caught.value.code == 2


def test_replay_takes_labels_and_hop_from_a_configuration(recording, write, capsys):
    config = write(sources={"a": {"microphone": "x"}}, labels={"Hiss": None})
    assert main(["replay", "--json", "--config", str(config), str(recording)]) == 0
    assert [line["label"] for line in lines(capsys)] == ["Hiss"]


def test_tag_prints_each_file_as_a_line_of_json(recording, model, capsys):
    assert main(["tag", "--json", *model, str(recording)]) == 0
    (line,) = lines(capsys)
    assert list(line) == ["file", "duration", "scores"]
    assert line["file"] == str(recording)
    assert line["duration"] == pytest.approx(5.0, abs=0.025)
    assert list(line["scores"]) == ["Hum", "Hiss"]
    assert min(line["scores"].values()) > 0.9


def test_tag_without_json_lists_the_likeliest_first(model, tmp_path, capsys):
    path = tmp_path / "hiss[red].flac"
    soundfile.write(path, tone("Hiss", 1.0), RATE)
    assert main(["tag", *model, "--top", "1", str(path)]) == 0
    heading, best = capsys.readouterr().out.splitlines()
    assert heading.startswith(str(path))
    assert best.endswith("Hiss")


@pytest.mark.parametrize("command", ["tag", "replay"])
def test_a_bad_file_does_not_stop_the_good_ones(command, recording, model, tmp_path, capsys):
    (tmp_path / "empty.wav").touch()
    bad = [str(tmp_path / "empty.wav"), str(tmp_path / "missing.wav")]
    assert main([command, "--json", *model, *bad, str(recording)]) == 66
    printed = capsys.readouterr()
    assert {json.loads(line)["file"] for line in printed.out.splitlines()} == {str(recording)}
    errors = [line for line in printed.err.splitlines() if line.startswith("ast-edge: ")]
    assert len(errors) == 2
    assert "empty.wav" in errors[0]
    assert "missing.wav" in errors[1]


@pytest.mark.parametrize("command", ["tag", "replay"])
def test_a_name_that_is_not_unicode_is_printed(command, recording, model, tmp_path, capsys):
    path = tmp_path / os.fsdecode(b"caf\xe9.flac")
    shutil.copy(recording, path)
    assert main([command, "--json", *model, str(path)]) == 0
    assert {line["file"] for line in lines(capsys)} == {str(path)}


@pytest.mark.parametrize("command", ["tag", "replay", "listen"])
def test_a_hop_that_skips_sound_is_refused(command, recording, tiny_model, capsys):
    files = ["--file", str(recording)] if command == "listen" else [str(recording)]
    assert main([command, "--bundle", str(tiny_model), "--hop", "2", *files]) == 78
    assert "longer than the 0.99 s" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["tag", "replay"])
def test_a_damaged_bundle_is_one_line_and_65(command, recording, model_folder, capsys):
    (model_folder / "model.onnx").write_bytes(b"damaged")
    assert main([command, "--bundle", str(model_folder), str(recording)]) == 65
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ast-edge: ")
    assert "is damaged or was changed" in line


def test_ctrl_c_is_130(recording, monkeypatch):
    def interrupt(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("ast_edge.cli.tag.open_model", interrupt)
    assert main(["tag", str(recording)]) == 130


def test_a_reader_that_leaves_causes_no_traceback(recording, model):
    with spawn("replay", "--json", *model, *[recording] * 50, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline().startswith(b'{"file"')
        child.stdout.close()
        errors = child.stderr.read().decode()
        assert child.wait(TIMEOUT) == 0
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


def test_check_prints_what_would_run(recording, write, capsys):
    config = write(
        sources={"hall": {"file": str(recording)}},
        labels={"Hiss": {"on": 0.75}},
        mqtt={"host": "broker.example"},
    )
    assert main(["check", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert f"hall: recording {recording}, realtime" in out
    assert "bands: AST, 0.99 s window every 0.1 s" in " ".join(out.split())
    assert "broker.example:1883, MQTT 5" in out
    assert "ast-edge/n/hall/" in out
    (row,) = [line.split() for line in out.splitlines() if line.split()[:1] == ["Hiss"]]
    assert row == ["Hiss", "0.75", "0.3", "0", "0.5", "0", "hiss"]


def test_check_says_how_exactly_events_are_placed(recording, write, framed_model, capsys):
    sources = {"hall": {"file": str(recording)}}
    assert main(["check", "--config", str(write(sources=sources))]) == 0
    assert "clip scores: events lie where they were to 0.1 s, the hop" in capsys.readouterr().out
    config = write(sources=sources, bundle=str(framed_model), latency=0.5)
    assert main(["check", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert "frame scores: events lie where they were to 0.08 s, told 0.5 s on" in out


def test_check_prints_the_members_of_groups_and_the_rules(recording, write, capsys):
    config = write(
        sources={"hall": {"file": str(recording)}},
        labels={"Hiss": {"suppress_while": "Hum", "active": ["22:00-06:00"]}},
        groups={"Tone": {"members": ["Hum", "Hiss"], "score": "noisy-or"}},
    )
    assert main(["check", "--config", str(config)]) == 0
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "Tone 0.5 0.5 0 0.5 0 tone" in rows
    assert "Tone noisy-or Hum; Hiss" in rows
    assert "Hiss 22:00-06:00 Hum" in rows


def test_listen_prints_a_line_for_each_look(model, tmp_path, capsys):
    path = tmp_path / "hum.flac"
    soundfile.write(path, tone("Hum", 0.5), RATE)
    assert main(["listen", *model, "--file", str(path)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 4
    assert all("dBFS  Hum 1.00" in line for line in out)


@pytest.mark.parametrize("kind", ["tiny_model", "framed_model"])
def test_run_ends_with_its_recordings_and_finds_what_replay_finds(
    kind, recording, write, tmp_path, capsys, monkeypatch, request
):
    bundle = str(request.getfixturevalue(kind))
    monkeypatch.setattr(sources.time, "time", lambda: 0.0)  # replay counts in seconds of the file
    source = {"file": str(recording), "pace": "fast"}
    config = write(
        sources={"a": source}, jsonl=str(tmp_path / "e.jsonl"), bundle=bundle, latency=0.3
    )
    assert main(["run", "--config", str(config)]) == 0
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    found = [
        (e["label"], unix_time(e["onset"]), unix_time(e["offset"]), e["peak"])
        for e in events
        if e["type"] == "end"
    ]
    assert len(found) == 2
    capsys.readouterr()
    assert main(["replay", "--json", "--config", str(config), str(recording)]) == 0
    assert found == [(e["label"], e["onset"], e["offset"], e["peak"]) for e in lines(capsys)]


def test_run_without_a_recording_that_can_be_read_is_66(write, tmp_path, capsys):
    (tmp_path / "empty.wav").touch()
    config = write(sources={"a": {"file": "empty.wav"}})
    assert main(["run", "--config", str(config)]) == 66
    assert "got an empty file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {"Hom": None}}, "labels.Hom: 'Hom' is not a label of 'bands', did you mean"),
        ({"hopp": 1}, "hopp: unknown key, did you mean 'hop'?"),
        ({"bundle": "nowhere"}, "bundle: no bundle 'nowhere'"),
        ({"hop": 3}, "hop: 3 s is longer than"),
    ],
    ids=str,
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_mistake_in_the_configuration_is_one_line_and_78_and_starts_nothing(
    command, changes, message, write, tmp_path, capsys
):
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.setblocking(False)
        mqtt = {"host": "127.0.0.1", "port": broker.getsockname()[1]}
        sources = {"a": {"stdin": "s16le"}}
        config = write(**({"sources": sources, "mqtt": mqtt, "jsonl": "e.jsonl"} | changes))
        threads = threading.active_count()
        assert main([command, "--config", str(config)]) == 78
        with pytest.raises(BlockingIOError):
            broker.accept()
    assert threading.active_count() == threads
    assert not (tmp_path / "e.jsonl").exists()
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith(f"ast-edge: {config}: {message}")
    assert printed.out == ""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=lambda sign: sign.name)
def test_a_signal_ends_a_run_cleanly_and_its_events_too(sign, write, tmp_path):
    config = write(sources={"a": {"stdin": "f32le"}}, jsonl="e.jsonl")
    log = tmp_path / "e.jsonl"
    with spawn("run", "--config", config, stdin=subprocess.PIPE) as child:
        child.stdin.write(tone("Hum", 1.0).tobytes())
        child.stdin.flush()
        wait_until(lambda: log.exists() and log.read_text().count("\n") == 1, TIMEOUT)
        child.send_signal(sign)
        errors = child.stderr.read().decode()
        assert child.wait(TIMEOUT) == 0
    assert "Traceback" not in errors
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["type"] for event in events] == ["start", "end"]


def test_the_module_is_the_command():
    with spawn("--version", stdout=subprocess.PIPE) as child:
        assert child.stdout.read().startswith(b"ast-edge ")


def test_check_says_how_each_source_is_looked_at_where_they_differ(write, capsys):
    sources = {"a": {"stdin": "s16le"}, "b": {"url": "http://x/y", "hop": 0.25}}
    main(["check", "--config", str(write(sources=sources))])
    out = capsys.readouterr().out
    assert "a: every 0.1 s, clip scores: events lie where they were to 0.1 s, the hop" in out
    assert "b: every 0.25 s, clip scores: events lie where they were to 0.25 s, the hop" in out


def test_doctor_shows_no_secret(tiny_model, tmp_path, capsys):
    (tmp_path / "secrets.yaml").write_text("host: hunter2.invalid\n")
    config = tmp_path / "c.yaml"
    config.write_text(
        f"bundle: {tiny_model}\nsources: {{a: {{stdin: s16le}}}}\nmqtt: {{host: !secret host}}\n"
    )
    assert main(["doctor", "--config", str(config)]) == 1
    shown = capsys.readouterr().out
    assert "!secret host" in shown
    assert "hunter2" not in shown


def test_check_says_of_several_bundles_who_listens_with_each_and_what_it_lacks(
    write, recording, other_model, capsys
):
    hall = {"file": str(recording)}
    sources = {"hall": hall, "door": {**hall, "bundle": str(other_model)}}
    config = write(sources=sources, labels={"Hum": None, "Hiss": {"on": 0.75}})
    assert main(["check", "--config", str(config)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "model bands: for hall; AST" in out
    assert "model other: for door; AST" in out
    assert out.count("engine ") == 2
    assert "lacks Hiss: not heard there" in out
    assert out.count("lacks") == out.count(" hiss ") == 1
