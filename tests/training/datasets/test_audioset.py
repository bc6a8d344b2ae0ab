import json

import pytest

from ast_edge.base.errors import ConfigError
from ast_training.datasets.audioset import read_audioset, read_author_lists

SPEECH, MUSIC, DOG = "/m/09x0r", "/m/04rlf", "/m/0bt9lr"
COMMENTS = """# Segments csv created Sun Mar  5 10:54:25 2017
# num_ytids=22160, num_segs=22160
# YTID, start_seconds, end_seconds, positive_labels
"""


def write_list(root, name, *rows):
    lines = [
        f'{id}, {start:.3f}, {start + 10:.3f}, "{",".join(mids)}"\n' for id, start, mids in rows
    ]
    (root / name).write_text(COMMENTS + "".join(lines))


@pytest.fixture
def root(tmp_path):
    write_list(tmp_path, "balanced_train_segments.csv", ("--4gqARaEJE", 0, [SPEECH, DOG]))
    write_list(tmp_path, "unbalanced_train_segments.csv", ("YdlsiellS4Q", 30, [MUSIC]))
    write_list(tmp_path, "eval_segments.csv", ("-_12345678_", 120, [SPEECH]))
    return tmp_path


def add(root, *names):
    for name in names:
        path = root / "audio" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(root, train="full"):
    return {clip.name: clip.path.name for clip in read_audioset(root, train).clips}


def test_reads_labels_and_split_of_every_segment(root):
    add(root, "--4gqARaEJE.wav", "YdlsiellS4Q.wav", "-_12345678_.wav")
    clips = read_audioset(root, "full").clips
    assert [(clip.name, clip.labels, clip.split) for clip in clips] == [
        ("--4gqARaEJE_0", ("Speech", "Dog"), "train"),
        ("YdlsiellS4Q_30", ("Music",), "train"),
        ("-_12345678__120", ("Speech",), "test"),
    ]


def test_the_source_of_a_segment_is_its_video(root):
    add(root, "YdlsiellS4Q.wav")
    assert [clip.group for clip in read_audioset(root, "full").clips] == ["YdlsiellS4Q"]


def test_a_byte_order_mark_is_no_part_of_the_first_id(tmp_path):
    row = f'aaaaaaaaaaa, 0.000, 10.000, "{SPEECH}"\n'
    (tmp_path / "balanced_train_segments.csv").write_text(row, encoding="utf-8-sig")
    write_list(tmp_path, "eval_segments.csv")
    add(tmp_path, "aaaaaaaaaaa.m4a")
    assert found(tmp_path, "balanced") == {"aaaaaaaaaaa_0": "aaaaaaaaaaa.m4a"}


def test_the_balanced_list_can_be_had_alone(root):
    add(root, "--4gqARaEJE.wav", "YdlsiellS4Q.wav", "-_12345678_.wav")
    assert list(found(root, "balanced")) == ["--4gqARaEJE_0", "-_12345678__120"]


@pytest.mark.parametrize(
    "name",
    [
        "-_12345678_.wav",
        "Y-_12345678_.flac",
        "-_12345678__120.wav",
        "-_12345678__120_130.mp3",
        "-_12345678__120000_130000.flac",
        "Y-_12345678__120.000_130.000.wav",
        "eval/00/-_12345678_.WAV",
    ],
)
def test_audio_is_found_by_the_usual_names(root, name):
    add(root, name)
    assert found(root) == {"-_12345678__120": name.rsplit("/")[-1]}


@pytest.mark.parametrize(
    "name", ["YdlsiellS4Q.wav", "YYdlsiellS4Q_30.wav", "YdlsiellS4Q_30_40.wav"]
)
def test_an_id_may_begin_with_y(root, name):
    add(root, name)
    assert found(root) == {"YdlsiellS4Q_30": name}


@pytest.mark.parametrize(
    "name", ["-_12345678__90.wav", "-_12345678__90000_100000.wav", "x-_12345678_.wav", "note.wav"]
)
def test_audio_of_another_segment_is_not_taken(root, name):
    add(root, "--4gqARaEJE.wav", name)
    assert list(found(root)) == ["--4gqARaEJE_0"]


def test_segments_without_audio_are_missing(root):
    add(root, "--4gqARaEJE.wav")
    missing = read_audioset(root, "full").missing
    assert [line.split(":")[0] for line in missing] == ["YdlsiellS4Q", "-_12345678_"]


def test_no_audio_at_all_is_refused(root):
    with pytest.raises(ConfigError, match="found no recording of the 3 that are listed"):
        read_audioset(root, "full")


def test_labels_are_those_of_the_folder_if_it_has_some(root):
    add(root, "--4gqARaEJE.wav")
    rows = [("/m/0bt9lr", "Hund"), ("/m/09x0r", "Sprache"), ("/m/04rlf", "Musik")]
    table = "".join(f'{index},{mid},"{name}"\n' for index, (mid, name) in enumerate(rows))
    (root / "class_labels_indices.csv").write_text("index,mid,display_name\n" + table)
    clips = read_audioset(root, "full")
    assert [label.name for label in clips.labels] == ["Hund", "Sprache", "Musik"]
    assert clips.clips[0].labels == ("Sprache", "Hund")


def test_labels_are_the_527_otherwise(root):
    add(root, "--4gqARaEJE.wav")
    assert len(read_audioset(root, "full").labels) == 527


def test_a_missing_list_is_named(root):
    (root / "unbalanced_train_segments.csv").unlink()
    with pytest.raises(
        ConfigError, match=r"expected unbalanced_train_segments\.csv there or below"
    ):
        read_audioset(root, "full")


def test_a_line_that_is_no_segment_is_named(root):
    (root / "eval_segments.csv").write_text(COMMENTS + "--4gqARaEJE, 0.000\n")
    with pytest.raises(ConfigError, match=r"eval_segments\.csv:4: expected id, start, end"):
        read_audioset(root, "full")


def test_an_unknown_label_is_named(root):
    write_list(root, "eval_segments.csv", ("-_12345678_", 120, ["/m/none"]))
    with pytest.raises(ConfigError, match="-_12345678_: '/m/none' is none of the 527 labels"):
        read_audioset(root, "full")


# The lists of the AST authors


def write_json(path, *entries):
    path.write_text(
        json.dumps({"data": [{"wav": wav, "labels": labels} for wav, labels in entries]})
    )
    return path


def test_reads_the_authors_lists(tmp_path):
    train = write_json(tmp_path / "train.json", ("a.flac", f"{SPEECH},{DOG}"))
    test = write_json(tmp_path / "eval.json", ("/data/b.flac", MUSIC))
    clips = read_author_lists(train, test).clips
    assert [(str(clip.path), clip.labels, clip.split) for clip in clips] == [
        (f"{tmp_path}/a.flac", ("Speech", "Dog"), "train"),
        ("/data/b.flac", ("Music",), "test"),
    ]


@pytest.mark.parametrize("text", ["[]", "{", '{"data": [{"wav": "a.wav"}]}', '{"data": [3]}'])
def test_a_file_that_is_no_such_list_is_refused(tmp_path, text):
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(ConfigError, match=r"train\.json: expected \{\"data\""):
        read_author_lists(tmp_path / "train.json")
