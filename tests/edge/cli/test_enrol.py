"""The command that learns a sound, at a tiny network whose embeddings are its mel bins."""

import contextlib
import io
import json
import shutil

import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE
from rigs.reviews import clip_of, said, write_reviews

from ast_edge.cli import enrol_recording
from ast_edge.cli.main import main
from ast_edge.enrolment import lesson
from ast_edge.model.bundle import load_bundle

NAME = "Doorbell (mine)"


def chirp(hertz, seconds=0.6, seed=0):
    """Return a second and a half of a room with a tone in it (samples,)."""
    random = np.random.default_rng(seed)
    sound = 0.001 * random.standard_normal(round(1.5 * RATE))
    times = np.arange(round(seconds * RATE)) / RATE
    start = 4000 + int(random.integers(4000))
    sound[start : start + len(times)] += 0.3 * np.sin(2 * np.pi * hertz * times)
    return sound.astype(np.float32)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Three takes of a tone at 1 kHz, and a folder of other sound."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "days" / "monday").mkdir(parents=True)
    takes = [folder / f"ring{number}.wav" for number in range(3)]
    for number, path in enumerate(takes):
        soundfile.write(path, chirp(1000 + 5 * number, seed=number), RATE)
    for number, hertz in enumerate((150, 300, 500, 2200, 3500, 5000, 7000)):
        sound = np.concatenate([chirp(hertz, seed=10 * number + part) for part in range(8)])
        soundfile.write(folder / "days" / "monday" / f"{hertz}.flac", sound, RATE)
    return takes, folder / "days"


@pytest.fixture(scope="module", autouse=True)
def few_variants():
    """Half a minute of other sound is learnt from in a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lesson, "VARIANTS", 24)
        patch.setattr(lesson, "NOISE_WINDOWS", 8)
        yield


def call(recordings, out, *arguments, name=NAME, base=None):
    takes, days = recordings
    known = {"TAKES": takes, "ONE": takes[:1], "DAYS": ["--negatives", days]}
    words = [word for a in arguments for word in known.get(a, [a])]
    where = ["--bundle", base] if base else []
    return main(["enrol", name, *map(str, [*words, *where, "--out", out])])


@pytest.fixture(scope="module")
def learnt(embedding_model, recordings, tmp_path_factory):
    """The folder of a bundle in which the sound was enrolled, and what was said of it."""
    folder, said = tmp_path_factory.mktemp("learnt") / "mine", io.StringIO()
    with contextlib.redirect_stdout(said):
        assert call(recordings, folder, "TAKES", "DAYS", base=embedding_model) == 0
    return folder, said.getvalue()


@pytest.fixture
def mine(learnt, tmp_path):
    """A copy of that bundle."""
    return shutil.copytree(learnt[0], tmp_path / "mine")


@pytest.fixture
def enrol(embedding_model, recordings, tmp_path):
    """Call the command; the bundle is written to the folder `mine`."""

    def enrol(*arguments, name=NAME, base=True):
        chosen = embedding_model if base else None
        return call(recordings, tmp_path / "mine", *arguments, name=name, base=chosen)

    return enrol


def labels(folder):
    return [label.name for label in load_bundle(folder).labels]


def heard(folder, path, capsys):
    """Return how likely the sound is somewhere in a recording."""
    capsys.readouterr()
    assert main(["tag", "--json", "--bundle", str(folder), str(path)]) == 0
    return json.loads(capsys.readouterr().out)["scores"][NAME]


def test_a_sound_is_heard_after_it_was_enrolled_and_no_other(mine, tmp_path, capsys):
    soundfile.write(tmp_path / "again.wav", chirp(1003, seed=99), RATE)
    soundfile.write(tmp_path / "other.wav", chirp(2600, seed=98), RATE)
    assert heard(tmp_path / "mine", tmp_path / "again.wav", capsys) > 0.5
    assert heard(tmp_path / "mine", tmp_path / "other.wav", capsys) < 0.2


def test_its_events_are_those_of_any_label(mine, tmp_path, capsys):
    soundfile.write(tmp_path / "day.wav", np.concatenate([chirp(1000), chirp(300)]), RATE)
    capsys.readouterr()
    main(["replay", "--json", "--bundle", str(tmp_path / "mine"), str(tmp_path / "day.wav")])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ends = [event for event in events if event["label"] == NAME]
    assert len(ends) == 1
    assert ends[0]["offset"] - ends[0]["onset"] == pytest.approx(0.6, abs=0.4)


def test_what_is_said_is_what_the_bundle_states(learnt):
    folder, said = learnt
    bundle = load_bundle(folder)
    evidence = bundle.own[bundle.label(NAME)]
    assert f"{NAME}: {evidence}" in said
    assert (evidence.takes, evidence.held_out, evidence.bank) == (3, 3, False)
    assert evidence.hours == pytest.approx(7 * 12 / 3600, abs=0.01)


def test_one_take_is_learnt_and_said_to_prove_nothing(enrol, tmp_path, capsys):
    assert enrol("ONE", "DAYS") == 0
    said = capsys.readouterr().out
    assert "one take, so none was held out" in said
    assert "record three to five" in said
    assert labels(tmp_path / "mine")[-1] == NAME


def test_a_second_sound_joins_the_first(mine, enrol, tmp_path):
    before = load_bundle(mine)
    assert enrol("ONE", "DAYS", name="Kettle", base=False) == 0
    after = load_bundle(tmp_path / "mine")
    assert labels(tmp_path / "mine") == ["Hum", "Hiss", NAME, "Kettle"]
    assert np.array_equal(after.heads.clip[0], before.heads.clip[0])


def test_a_sound_is_renamed_and_stays_what_it_is(mine, enrol, tmp_path):
    before = load_bundle(mine)
    assert enrol("--rename", "Front door", base=False) == 0
    after = load_bundle(tmp_path / "mine")
    assert labels(tmp_path / "mine") == ["Hum", "Hiss", "Front door"]
    assert after.heads == before.heads
    assert list(after.own.values()) == list(before.own.values())


@pytest.mark.parametrize("new", ["doorbell (Mine)", "Doorbell, mine"])
def test_a_sound_may_be_spelt_otherwise(mine, enrol, tmp_path, new):
    assert enrol("--rename", new, base=False) == 0
    assert labels(tmp_path / "mine") == ["Hum", "Hiss", new]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("hum", "is what 'mine' hears by itself"),
        ("", "no topic name can be made"),
        ("two\nlines", "in one line"),
    ],
)
def test_a_new_name_that_no_label_can_have_or_another_has_is_refused(
    mine, enrol, capsys, new, said
):
    assert enrol("--rename", new, base=False) == 65
    assert said in capsys.readouterr().err
    assert labels(mine) == ["Hum", "Hiss", NAME]


def test_the_last_sound_that_is_removed_leaves_a_plain_bundle(mine, enrol, tmp_path):
    assert enrol("--remove", base=False) == 0
    bundle = load_bundle(tmp_path / "mine")
    assert labels(tmp_path / "mine") == ["Hum", "Hiss"]
    assert bundle.heads is None
    assert sorted(p.name for p in bundle.folder.iterdir()) == ["bundle.json", "model.onnx"]
    assert json.loads((bundle.folder / "bundle.json").read_bytes())["format"] == 2


def test_the_bundle_it_is_derived_from_stays_as_it_is(learnt, embedding_model):
    assert sorted(path.name for path in embedding_model.iterdir()) == ["bundle.json", "model.onnx"]
    assert load_bundle(embedding_model).own == {}


def test_the_same_takes_teach_the_same(learnt, enrol, tmp_path):
    enrol("TAKES", "DAYS")
    assert load_bundle(tmp_path / "mine").heads == load_bundle(learnt[0]).heads


def test_check_lists_own_sounds_with_their_evidence(mine, tmp_path, capsys):
    config = tmp_path / "mine.yaml"
    config.write_text(
        f"bundle: {tmp_path / 'mine'}\nsources: {{door: {{stdin: s16le}}}}\n"
        f"labels: {{'{NAME}': {{on: 0.6}}}}\n"
    )
    capsys.readouterr()
    assert main(["check", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert f"own     {NAME}: found" in said
    assert "doorbell_mine" in said


def test_a_take_that_is_silent_is_named(enrol, tmp_path, capsys):
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    assert enrol("TAKES", str(tmp_path / "silent.wav"), "DAYS") == 65
    assert "silent.wav: is silent" in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.01, "of 0.03 s or more"), (130, "of at most 120")]
)
def test_a_take_of_another_length_than_a_take_has_is_named(enrol, tmp_path, capsys, seconds, said):
    sound = np.random.default_rng(0).normal(0, 0.1, round(seconds * 8000))
    soundfile.write(tmp_path / "take.wav", sound, 8000)
    assert enrol(str(tmp_path / "take.wav"), "DAYS") == 65
    assert said in capsys.readouterr().err


def test_a_label_that_the_graph_has_is_refused(enrol, capsys):
    assert enrol("TAKES", "DAYS", name="hum") == 65
    assert "'Hum' is what 'bands' hears by itself" in capsys.readouterr().err


def test_a_label_that_was_enrolled_is_refused(mine, enrol, capsys):
    assert enrol("ONE", "DAYS", base=False) == 65
    assert "remove it first (--remove)" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "  ", "?!", "x" * 300, "two\nlines"])
def test_a_name_that_no_label_can_have_is_refused(enrol, name, tmp_path):
    assert enrol("ONE", "DAYS", name=name) == 65
    assert not (tmp_path / "mine").exists()


def test_what_was_not_enrolled_cannot_be_removed(mine, enrol, capsys):
    assert enrol("--remove", name="Dorbell (mine)", base=False) == 65
    assert "did you mean 'Doorbell (mine)'" in capsys.readouterr().err
    assert enrol("--remove", name="Hum", base=False) == 65
    assert "the graph itself hears it" in capsys.readouterr().err


def test_a_bundle_without_embeddings_is_refused_with_a_remedy(framed_model, recordings, capsys):
    takes = [str(path) for path in recordings[0]]
    out = str(framed_model.parent / "never")
    assert main(["enrol", NAME, *takes, "--bundle", str(framed_model), "--out", out]) == 65
    assert "gives no embeddings" in capsys.readouterr().err


def test_without_a_bank_and_negatives_there_is_nothing_to_learn_against(enrol, capsys):
    assert enrol("TAKES") == 65
    assert "has no bank of other sound: give recordings" in capsys.readouterr().err


def test_a_folder_of_something_else_is_not_written_to(enrol, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert enrol("ONE", "DAYS") == 65
    assert "exists and is no bundle to add to" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_bundle_of_another_base_is_not_replaced(mine, enrol, capsys):
    assert enrol("ONE", "DAYS", name="Kettle") == 65
    assert "leave out --bundle to add to it" in capsys.readouterr().err


def test_events_that_were_reviewed_as_it_are_its_takes(enrol, recordings, tmp_path, capsys):
    lines = []
    for number, take in enumerate(recordings[0]):
        soundfile.write(clip_of(tmp_path, number), soundfile.read(take)[0], RATE)
        lines.append(said(number, "other", true="Doorbell", label="Hiss", slug="hiss"))
    for number in (10, 11):
        soundfile.write(clip_of(tmp_path, number), chirp(2600, seed=number), RATE)
        lines.append(said(number, "wrong", label="Doorbell", slug="doorbell"))
    lines.append(said(12, "wrong", label="Doorbell", slug="doorbell"))
    file = str(write_reviews(tmp_path / "r.jsonl", *lines, "{"))
    named = ["--reviewed-as", "Doorbell", "--clips", str(tmp_path)]
    assert enrol("--from-reviews", file, *named, "DAYS") == 0
    out = capsys.readouterr().out
    assert "learning from 3 takes and 2 mistakes" in out
    assert "0 of 2 mistakes pass for it once more" in out
    assert "a line is damaged" in out
    assert "no clip of 1 of the events" in out
    evidence = load_bundle(tmp_path / "mine").own[load_bundle(tmp_path / "mine").label(NAME)]
    assert (evidence.takes, evidence.held_out) == (3, 3)
    assert evidence.hours == pytest.approx(7 * 12 / 3600, abs=0.01)  # mistakes are no hours


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["TAKES", "--clips", "x"], "are for --from-reviews"),
        (["--from-reviews", "x", "--remove"], "--remove and --rename take no recordings"),
        (["--from-reviews", "x", "--microphone", "usb"], "expected recordings of the sound"),
        (["DAYS"], "expected recordings of the sound, or --microphone"),
        (["TAKES", "--microphone", "usb"], "expected recordings of the sound, or --microphone"),
        (["TAKES", "DAYS", "--alarms", "never"], "--alarms: expected something like"),
        (["TAKES", "--keep", "folder"], "--keep is for what a --microphone records"),
        (["TAKES", "TAKES", "DAYS"], "each once: a recording is named twice"),
        (["TAKES", "--remove"], "--remove and --rename take no recordings"),
        (["DAYS", "--rename", "Other"], "--remove and --rename take no recordings"),
    ],
)
def test_options_that_cannot_be_are_refused(enrol, capsys, arguments, said):
    assert enrol(*arguments) == 78
    assert said in capsys.readouterr().err


def test_negatives_that_hold_the_sound_are_named_with_their_place(enrol, tmp_path, capsys):
    days = tmp_path / "days"
    days.mkdir()
    parts = [chirp(2200, seed=part) for part in range(40)]
    parts[20] = chirp(1000, seed=50)
    soundfile.write(days / "tuesday.wav", np.concatenate(parts), RATE)
    assert enrol("TAKES", "DAYS", "--negatives", str(days), "--alarms", "100/h") == 0
    assert "tuesday.wav at 0:00:29" in capsys.readouterr().out


def test_a_recording_of_days_that_cannot_be_read_is_left_out_and_named(
    enrol, recordings, tmp_path, caplog
):
    (tmp_path / "broken.wav").write_bytes(b"RIFF of nothing")
    days = map(str, (tmp_path / "broken.wav", recordings[1]))
    assert enrol("ONE", "--negatives", *days) == 0
    (said,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert said.startswith(f"left out of the negatives: {tmp_path / 'broken.wav'}: expected a WAV")


def test_days_that_are_not_there_are_named(enrol, tmp_path, capsys):
    assert enrol("ONE", "DAYS", "--negatives", str(tmp_path / "dyas")) == 66
    assert "dyas: no such recording" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["x" * 300, "two\nlines"])
def test_a_folder_that_no_bundle_can_be_called_as_is_refused_before_takes_are_recorded(
    embedding_model, recordings, tmp_path, monkeypatch, out
):
    monkeypatch.setattr(enrol_recording, "record_takes", lambda *_: pytest.fail("recorded"))
    arguments = ["--microphone", "usb", "DAYS"]
    assert call(recordings, tmp_path / out, *arguments, base=embedding_model) == 65
    assert list(tmp_path.iterdir()) == []


def test_takes_are_recorded_when_nothing_else_can_go_wrong(
    embedding_model, recordings, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(enrol_recording, "record_takes", lambda *_: pytest.fail("recorded"))
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF of nothing")
    arguments = ["--microphone", "usb", "--negatives", str(broken)]
    assert call(recordings, tmp_path / "mine", *arguments, base=embedding_model) == 65
    assert "none can be used" in capsys.readouterr().err


def test_a_known_sound_in_every_take_is_said(enrol, tmp_path, capsys):
    takes = [tmp_path / f"{number}.wav" for number in range(3)]
    for number, path in enumerate(takes):
        soundfile.write(path, chirp(200, seed=number) + chirp(1000, seed=number), RATE)
    assert enrol(*map(str, takes), "DAYS") == 0
    assert "'Hum' is heard in 3 of 3 takes" in capsys.readouterr().out
