"""Recordings are listened to as the daemon listens to a source."""

import json

import numpy as np
import pytest
import soundfile

from ast_edge.cli.main import main
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.offline import find_events
from ast_edge.detection.pipeline import Pipeline
from ast_edge.frontend.conditioner import Conditioning
from ast_edge.frontend.gate import GateSettings
from ast_edge.model.bundle import load_bundle
from ast_edge.sources.recording import RecordingSource

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, scores, silence, tone

from ast_edge.engines.engine import Scores

FAINT = 0.003 * tone("Hum", 2.0)
SOUND = [silence(2), tone("Hum", 0.5), silence(2.5), FAINT, silence(1), tone("Hiss", 0.4), FAINT]


class Engine:
    """Scores in NumPy, and counts windows."""

    def __init__(self):
        self.windows = 0

    def run(self, fbank):
        self.windows += len(fbank)
        return Scores(scores(fbank).astype(np.float32), None)


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "mix.wav"
    soundfile.write(path, np.concatenate(SOUND), RATE)
    return path


@pytest.fixture
def find(bundle, recording):
    """Return what is found, as (label, onset, offset), and how many windows were scored."""

    def find(batch=16, **options):
        engine = Engine()
        pipeline = Pipeline("mix", Hearing(bundle, bundle.settings, 0.1, **options))
        source = RecordingSource("mix", recording, pace="fast")
        events = [e for _, found in find_events(source, pipeline, engine, batch) for e in found]
        events += pipeline.finish()
        ends = [e for e in events if e.phase == "end"]
        return [(e.label.name, round(e.onset, 3), round(e.offset, 3)) for e in ends], engine.windows

    return find


WAYS = [{}, {"gate": GateSettings(-40.0, None)}, {"idle_hop": 0.5}]


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_events_do_not_depend_on_the_size_of_the_batch(find, options):
    assert len({str(find(batch, **options)) for batch in (1, 3, 16)}) == 1


def test_a_gate_keeps_quiet_windows_from_the_model(find):
    (everything, all_windows), (loud, scored) = find(), find(gate=GateSettings(-40.0, None))
    assert scored < all_windows
    assert {label for label, *_ in everything} == {label for label, *_ in loud} == {"Hum", "Hiss"}


def test_an_idle_hop_leaves_windows_out(find):
    assert find(idle_hop=0.5)[1] < find()[1]


def test_gain_is_added(find):
    assert find(conditioning=Conditioning(gain_db=-60.0))[0] == []


@pytest.fixture
def configure(tmp_path, tiny_model):
    def configure(**sources):
        path = tmp_path / "c.yaml"
        tree = {"bundle": str(tiny_model), "hop": 0.1, "jsonl": "events", "sources": sources}
        path.write_text(json.dumps(tree))
        return str(path)

    return configure


def replayed(capsys, *arguments):
    assert main(["replay", "--json", *map(str, arguments)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [(e["label"], e["onset"], e["offset"], e["peak"]) for e in found]


@pytest.mark.parametrize(
    "options",
    [
        *({}, {"gain_db": -20}, {"gate": -40}, {"high_pass": 400, "gain_db": 6}),
        {"channel": 2, "gain_db": -10},
    ],
    ids=str,
)
def test_replay_finds_what_run_does(configure, recording, tmp_path, capsys, options):
    sound = np.concatenate(SOUND)
    if "channel" in options:
        soundfile.write(recording, np.stack([silence(len(sound) / RATE), sound], axis=1), RATE)
    config = configure(mix={"file": str(recording), "pace": "fast"} | options)
    assert main(["run", "--config", config]) == 0
    capsys.readouterr()
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    ends = [e for e in events if e["type"] == "end"]
    found = replayed(capsys, "--config", config, recording)
    assert [(name, peak) for name, _, _, peak in found] == [(e["label"], e["peak"]) for e in ends]
    durations = [offset - onset for _, onset, offset, _ in found]
    assert durations == pytest.approx([e["duration"] for e in ends], abs=0.002)


def test_each_source_of_a_daemon_is_looked_at_by_its_own_hop(
    configure, recording, tmp_path, capsys
):
    source = {"file": str(recording), "pace": "fast"}
    hops = {"often": 0.1, "seldom": 0.9, "between": 0.3}
    config = configure(**{name: source | {"hop": hop} for name, hop in hops.items()})
    assert main(["run", "--config", config]) == 0
    capsys.readouterr()
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    for name in hops:
        ends = [e["duration"] for e in events if e["type"] == "end" and e["source"] == name]
        found = replayed(capsys, "--config", config, "--source", name, recording)
        assert ends == pytest.approx([off - on for _, on, off, _ in found], abs=0.002)
    assert len({e["duration"] for e in events if e["label"] == "Hiss" and e["type"] == "end"}) > 1


def test_sources_that_are_heard_alike_need_no_choice(configure, recording, capsys):
    config = configure(a={"microphone": "x"}, b={"microphone": "y"})
    assert len(replayed(capsys, "--config", config, recording)) >= 2


def test_sources_that_differ_have_to_be_chosen_from(configure, recording, capsys):
    config = configure(a={"microphone": "x"}, b={"microphone": "y", "gain_db": -60})
    assert main(["replay", "--config", config, str(recording)]) == 78
    assert "choose one by --source a or b" in capsys.readouterr().err
    assert replayed(capsys, "--config", config, "--source", "b", recording) == []
    assert replayed(capsys, "--config", config, "--source", "a", recording)


def test_a_source_that_is_not_there_is_said_with_the_nearest(configure, recording, capsys):
    config = configure(attic={"microphone": "x"})
    assert main(["replay", "--config", config, "--source", "atic", str(recording)]) == 78
    assert "no source 'atic', did you mean 'attic'?" in capsys.readouterr().err


@pytest.mark.parametrize("source", [{"microphone": "x"}, {"url": "http://x/y"}], ids=str)
@pytest.mark.parametrize(("channel", "found"), [(1, False), (2, True)])
def test_the_channel_of_a_source_is_chosen_of_recordings(
    configure, recording, capsys, source, channel, found
):
    sound = np.concatenate(SOUND)
    soundfile.write(recording, np.stack([0 * sound, sound], axis=1), RATE)
    config = configure(a=source | {"channel": channel})
    assert bool(replayed(capsys, "--config", config, recording)) is found


def test_a_recording_of_one_channel_is_the_channel_that_is_listened_to(
    configure, recording, capsys
):
    config = configure(a={"microphone": "x", "channel": 2})
    assert replayed(capsys, "--config", config, recording)


def test_a_recording_that_lacks_the_channel_is_refused(configure, recording, capsys):
    soundfile.write(recording, np.zeros((RATE, 2)), RATE)
    config = configure(a={"microphone": "x", "channel": 3})
    assert main(["replay", "--config", config, str(recording)]) == 66
    assert "expected a channel 3, as the configuration says, got 2" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "tune"])
def test_evaluate_and_tune_listen_as_to_a_source(configure, recording, capsys, command):
    table = "filename\tonset\toffset\tevent_label\nmix.wav\t2\t2.5\tHum\n"
    recording.with_name("t.tsv").write_text(table)
    soundfile.write(recording.with_name("quiet.wav"), silence(3), RATE)
    config = configure(a={"microphone": "x"}, b={"microphone": "y", "gain_db": -60})
    options = ["--config", config, "--negatives", str(recording.with_name("quiet.wav"))]
    options += ["--annotations", str(recording.with_name("t.tsv"))]
    options += ["--false-alarms", "1/h", "--dry-run"] if command == "tune" else []
    assert main([command, *options]) == 78
    assert "choose one by --source" in capsys.readouterr().err
    assert main([command, *options, "--source", "b"]) == 0


@pytest.mark.parametrize(("source", "label"), [("a", "Hum"), ("b", "Buzz")])
def test_replay_hears_with_the_bundle_of_the_source(
    configure, recording, other_model, capsys, source, label
):
    config = configure(a={"microphone": "x"}, b={"microphone": "y", "bundle": str(other_model)})
    soundfile.write(recording, tone("Hum", 1.0), RATE)
    found = replayed(capsys, "--config", config, "--source", source, recording)
    assert [name for name, *_ in found] == [label]
