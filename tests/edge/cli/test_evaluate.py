"""`evaluate` and `tune` as a user calls them, with a tiny model and sounds at known times."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from ast_edge.app.config import load_config
from ast_edge.base.files import file_sha256
from ast_edge.cli.main import main

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, silence, tone
from rigs.reviews import said, write_reviews


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Beeps with a Hum from 1 to 2 s and a Hiss from 3 to 4 s; quiet with a faint Hum."""
    folder = tmp_path_factory.mktemp("recordings")
    beeps = [silence(1), tone("Hum", 1), silence(1), tone("Hiss", 1), silence(2)]
    soundfile.write(folder / "beeps.flac", np.concatenate(beeps), RATE)
    quiet = [silence(3), 0.03 * tone("Hum", 1), silence(16)]
    soundfile.write(folder / "quiet.flac", np.concatenate(quiet), RATE)
    (folder / "events.tsv").write_text(
        "filename\tonset\toffset\tevent_label\n"
        "beeps.flac\t1\t2\tHum\nbeeps.flac\t3\t4\thiss\nquiet.flac\t\t\t\n"
    )
    return folder


@pytest.fixture
def config(tmp_path, framed_model):
    path = tmp_path / "c.yaml"
    path.write_text(
        f"bundle: {framed_model}\nhop: 0.1\nlatency: 0.3\nsources: {{a: {{stdin: s16le}}}}\n"
        "labels:\n  Hum: {on: 0.05, off: 0.02} # deep\n  Hiss:\n"
    )
    return path


def test_evaluate_writes_figures_and_a_page(folder, framed_model, tmp_path, capsys):
    model = ["--bundle", str(framed_model), "--hop", "0.1", "--latency", "0.3"]
    files = ["--json", str(tmp_path / "r.json"), "--html", str(tmp_path / "r.html")]
    table = str(folder / "events.tsv")
    assert main(["evaluate", "--annotations", table, *model, *files]) == 0
    tree = json.loads((tmp_path / "r.json").read_text())
    assert tree["recordings"] == 2
    assert tree["annotations"] == file_sha256(folder / "events.tsv")
    assert tree["bundle"]["sha256"] == file_sha256(framed_model / "model.onnx")
    assert tree["micro"]["event_200ms"]["f1"] == 1.0
    assert tree["labels"]["Hiss"]["references"] == 1
    assert 0.3 <= tree["latency"]["p50"] <= 0.6
    assert "<h1>bands on events.tsv</h1>" in (tmp_path / "r.html").read_text()
    out = capsys.readouterr().out
    assert "Hiss" in out
    assert "0 false alarms in 26 s" in out


def test_evaluate_takes_the_thresholds_of_a_configuration(folder, config, capsys):
    table = str(folder / "events.tsv")
    assert main(["evaluate", "--annotations", table, "--config", str(config)]) == 0
    assert "1 false alarm in 20 s where nothing is to be heard" in capsys.readouterr().out


def test_what_may_sound_in_a_negative_is_no_false_alarm(folder, config, tmp_path, capsys):
    unsure = tmp_path / "unsure.tsv"
    unsure.write_text("filename\tonset\toffset\tevent_label\nquiet.flac\t2\t5\tHum\n")
    table = ["--annotations", str(folder / "events.tsv"), "--config", str(config)]
    files = ["--unsure", str(unsure), "--json", str(tmp_path / "r.json")]
    assert main(["evaluate", *table, *files]) == 0
    assert "0 false alarms in 20 s where nothing is to be heard" in capsys.readouterr().out
    tree = json.loads((tmp_path / "r.json").read_text())
    assert (tree["undecided"], tree["unsure"]) == (1, [file_sha256(unsure)])


def test_a_negative_needs_no_rows(folder, framed_model, tmp_path, capsys):
    table = tmp_path / "events.tsv"
    table.write_text("filename\tonset\toffset\tevent_label\nbeeps.flac\t1\t2\tHum\n")
    recordings = [str(folder / "beeps.flac"), "--negatives", str(folder / "quiet.flac")]
    model = ["--bundle", str(framed_model), "--hop", "0.1"]
    assert main(["evaluate", *recordings, "--annotations", str(table), *model]) == 0
    assert "2 recordings" in capsys.readouterr().out


def test_a_folder_may_hold_its_table_and_be_negative_too(folder, config, tmp_path, capsys):
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    shutil.copy(folder / "quiet.flac", quiet / "other.flac")
    (quiet / "notes.txt").touch()
    given = [str(folder), "--negatives", str(quiet), "--annotations", str(folder / "events.tsv")]
    assert main(["evaluate", *given, "--config", str(config)]) == 0
    assert "3 recordings" in capsys.readouterr().out


def test_a_negative_in_which_a_label_is_annotated_is_refused(folder, config, capsys):
    again = str(folder / ".." / folder.name / "beeps.flac")
    table = ["--annotations", str(folder / "events.tsv"), "--config", str(config)]
    assert main(["evaluate", "--negatives", again, *table]) == 65
    said = capsys.readouterr().err
    assert "beeps.flac: is one of the negatives" in said
    assert "is said to hold Hiss, Hum; leave it out of one of both" in said


def test_a_negative_whose_annotations_do_not_count_is_heard_once(folder, config, capsys):
    table = ["--annotations", str(folder / "events.tsv"), "--config", str(config)]
    ignored = ["--ignore", "Hum", "--ignore", "hiss"]
    assert main(["evaluate", "--negatives", str(folder / "beeps.flac"), *table, *ignored]) == 0
    assert "2 recordings" in capsys.readouterr().out


def test_a_recording_is_no_negative_and_positive_at_once(folder, config, capsys):
    table = ["--annotations", str(folder / "events.tsv")]
    negatives = [str(folder / "beeps.flac"), "--false-alarms", "100/h"]
    arguments = ["tune", "--config", str(config), *table, "--negatives", *negatives]
    assert main(arguments) == 65
    assert "beeps.flac: is one of the negatives" in capsys.readouterr().err


def test_an_unknown_label_ends_with_one_line(folder, framed_model, tmp_path, capsys):
    table = tmp_path / "events.tsv"
    table.write_text("filename\tonset\toffset\tevent_label\nbeeps.flac\t1\t2\tHums\n")
    arguments = ["evaluate", "--annotations", str(table), "--bundle", str(framed_model)]
    assert main(arguments) == 65
    assert "did you mean 'Hum'?" in capsys.readouterr().err


def tune(folder, config, *more):
    negatives = ["--negatives", str(folder / "quiet.flac"), "--false-alarms", "100/h"]
    return main(["tune", "--config", str(config), *negatives, *more])


def test_tune_raises_what_cries_wolf_and_keeps_what_is_found(folder, config, tmp_path, capsys):
    before = config.read_text()
    positives = ["--annotations", str(folder / "events.tsv")]
    assert tune(folder, config, "--write", *positives, "--plot", str(tmp_path / "p.svg")) == 0
    hum, hiss = load_config(config).labels.values()
    assert 0.2 <= hum.on <= 0.9
    assert hum.off < hum.on
    assert hiss.on == 0.2
    assert "# deep" in config.read_text()
    assert (tmp_path / "c.yaml.bak").read_text() == before
    assert (tmp_path / "p.svg").read_text().startswith("<svg")
    out = capsys.readouterr().out
    assert "1 → 0" in out
    assert "1 → 1 of 1" in out
    assert "1 false alarm in 20 s" in out


def test_tune_counts_nothing_where_a_label_may_sound(folder, config, tmp_path, capsys):
    unsure = tmp_path / "unsure.tsv"
    unsure.write_text("filename\tonset\toffset\tevent_label\nquiet.flac\t2\t5\tHum\n")
    assert tune(folder, config, "--write", "--unsure", str(unsure)) == 0
    assert load_config(config).labels["Hum"].on == 0.2
    assert "0 → 0" in capsys.readouterr().out
    assert load_config(config).tuned.unsure == [file_sha256(unsure)]


def test_a_wish_that_the_recordings_cannot_prove_is_said(folder, config, capsys):
    assert tune(folder, config, "--false-alarms", "1 per week", "--dry-run") == 0
    out = capsys.readouterr().out
    assert "the wish, 1 a week, is not promised: none at all in 20 s would mean" in out
    assert "it takes 1510 h without any" in out


def test_tune_writes_on_what_it_has_chosen(folder, config, tmp_path):
    positives = ["--annotations", str(folder / "events.tsv")]
    assert tune(folder, config, "--write", *positives) == 0
    written = load_config(config)
    assert written.tuned.covers(written.labels)
    assert (written.tuned.negative_recordings, written.tuned.negative_rooms) == (1, 1)
    assert (written.tuned.positive_recordings, written.tuned.events) == (2, 2)
    assert written.tuned.annotations == file_sha256(folder / "events.tsv")
    assert tune(folder, config, "--write", "--label", "Hum") == 0
    again = load_config(config).tuned
    assert (again.labels, again.annotations) == (["Hum"], "")


def test_what_is_changed_by_hand_is_not_what_was_chosen(folder, config):
    assert tune(folder, config, "--write") == 0
    config.write_text(config.read_text().replace("on: 0.2", "on: 0.3"))
    written = load_config(config)
    assert not written.tuned.covers(written.labels)


def test_rooms_are_told_by_a_table(folder, config, tmp_path, capsys):
    table = tmp_path / "rooms.tsv"
    table.write_text(f"filename\troom\n{folder / 'quiet.flac'}\tkitchen\n")
    assert tune(folder, config, "--rooms", str(table)) == 0
    table.write_text("filename\troom\nloud.flac\tkitchen\n")
    assert tune(folder, config, "--rooms", str(table)) == 65
    assert "loud.flac is none of the recordings" in capsys.readouterr().err


def test_nothing_is_written_without_being_asked_for(folder, config, capsys):
    before = config.read_text()
    assert tune(folder, config) == 0
    assert config.read_text() == before
    out = capsys.readouterr().out
    assert "+  Hum:" in out
    assert "--write does it" in out


def test_one_label_alone_leaves_the_others_as_they_are(folder, config):
    assert tune(folder, config, "--write", "--label", "hum", "--off", "0.5") == 0
    labels = load_config(config).labels
    assert labels["Hum"].off == pytest.approx(labels["Hum"].on / 2, abs=0.001)
    assert labels["Hiss"] is None


def test_all_labels_are_still_reported_when_one_is_tuned(folder, config):
    config.write_text(config.read_text().partition("labels:")[0])
    assert tune(folder, config, "--write", "--label", "Hum") == 0
    assert list(load_config(config).labels) == ["Hum", "Hiss"]


def test_positives_are_folders_with_the_names_of_labels(folder, config, tmp_path, capsys):
    (tmp_path / "sounds" / "hum").mkdir(parents=True)
    soundfile.write(tmp_path / "sounds/hum/a.wav", tone("Hum", 2), RATE)
    assert tune(folder, config, "--positives", str(tmp_path / "sounds")) == 0
    assert "1 → 1 of 1" in capsys.readouterr().out
    (tmp_path / "sounds" / "zap").mkdir()
    assert tune(folder, config, "--positives", str(tmp_path / "sounds")) == 65


@pytest.mark.parametrize(
    "arguments",
    [["--false-alarms", "few"], ["--off", "0"], ["--lowest", "x"], ["--write", "--dry-run"]],
    ids=" ".join,
)
def test_a_tune_that_cannot_be_is_a_usage_error(folder, config, arguments):
    with pytest.raises(SystemExit) as caught:
        tune(folder, config, *arguments)
    assert caught.value.code == 2


def test_a_label_that_is_not_reported_cannot_be_tuned(folder, config, capsys):
    assert tune(folder, config, "--label", "Hisss") == 78
    assert "did you mean 'Hiss'?" in capsys.readouterr().err


def test_settings_of_several_bundles_are_not_tuned_at_once(folder, config, other_model, capsys):
    door = f"{{microphone: y, bundle: {other_model}}}"
    config.write_text(config.read_text().replace("s16le}", f"s16le}}, door: {door}"))
    assert tune(folder, config) == 78
    assert "its sources listen with different bundles" in capsys.readouterr().err


@pytest.fixture
def reviews(tmp_path):
    """Ten wrong ones up to 0.3, ten right ones from 0.5 on, and a line that is torn."""
    wrong = [said(number, "wrong", peak=0.2 + 0.01 * number) for number in range(11)]
    right = [said(20 + number, peak=0.5 + 0.01 * number) for number in range(10)]
    return write_reviews(tmp_path / "reviews.jsonl", *wrong, *right, '{"schema": 1, "ver')


def test_evaluate_counts_what_was_right_among_reviews(reviews, tmp_path, capsys):
    table = tmp_path / "r.json"
    assert main(["evaluate", "--reviews", str(reviews), "--json", str(table)]) == 0
    out = capsys.readouterr().out
    assert "0.48 (0.26 to 0.70)" in out
    assert "What was missed cannot be known from reviews" in out
    assert "a line is damaged and passed over, the first of them line 22" in out
    tree = json.loads(table.read_text())
    assert tree["labels"]["Hum"]["right"] == 10
    assert tree["reviews"] == file_sha256(reviews)


def test_tune_raises_a_threshold_by_reviews_and_nothing_else(reviews, config, tmp_path, capsys):
    before = config.read_text()
    assert main(["tune", "--config", str(config), "--reviews", str(reviews), "--write"]) == 0
    out = capsys.readouterr().out
    assert "11 → 0" in out
    assert "of those to come less than 26% are lost" in out
    assert config.read_text() == before.replace("on: 0.05", "on: 0.31")
    assert main(["tune", "--config", str(config), "--reviews", str(reviews), "--write"]) == 0
    assert "the configuration has these settings already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "option"),
    [("evaluate", ["--hop", "0.2"]), ("evaluate", ["x.wav"]), ("tune", ["--off", "0.3"])],
)
def test_options_of_listening_go_with_no_reviews(command, option, reviews, config, capsys):
    where = ["--config", str(config)] if command == "tune" else []
    assert main([command, *option, *where, "--reviews", str(reviews)]) == 78
    assert "leave it out" in capsys.readouterr().err


def test_negatives_need_a_wish(folder, config, capsys):
    arguments = ["tune", "--config", str(config), "--negatives", str(folder / "quiet.flac")]
    assert main(arguments) == 78
    assert "--false-alarms" in capsys.readouterr().err
