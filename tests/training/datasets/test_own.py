import pytest

from ast_edge.errors import ConfigError
from ast_edge.events import Label
from ast_training.datasets.own import read_csv, read_folder


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write(path, text):
    path.write_text(text)
    return path


def by_name(clips):
    return {clip.name: clip for clip in clips.clips}


# A folder for every label


def test_folders_are_labels(tmp_path):
    touch(tmp_path, "hum/1.wav", "hum/deep/2.FLAC", "beep/1.mp3", "beep/notes.txt", ".git/3.wav")
    clips = read_folder(tmp_path)
    assert [(label.index, label.name) for label in clips.labels] == [(0, "beep"), (1, "hum")]
    assert {name: clip.labels for name, clip in by_name(clips).items()} == {
        "beep/1.mp3": ("beep",),
        "hum/1.wav": ("hum",),
        "hum/deep/2.FLAC": ("hum",),
    }


def test_some_recordings_of_every_label_validate(tmp_path):
    touch(tmp_path, *(f"{label}/{n}.wav" for label in ("hum", "beep") for n in range(20)))
    held_out = [clip.labels[0] for clip in read_folder(tmp_path).clips if clip.split != "train"]
    assert sorted(held_out) == ["beep"] * 3 + ["hum"] * 3


def test_labels_can_be_given_in_another_order(tmp_path):
    touch(tmp_path, "hum/1.wav", "beep/1.wav")
    labels = (Label(0, "hum", "/m/1"), Label(1, "beep", "/m/2"), Label(2, "none yet", ""))
    assert read_folder(tmp_path, labels).labels == labels


def test_a_folder_that_is_no_given_label_is_refused(tmp_path):
    touch(tmp_path, "humm/1.wav")
    with pytest.raises(ConfigError, match=r"humm: the label 'humm' .* did you mean 'hum'\?"):
        read_folder(tmp_path, (Label(0, "hum", ""),))


def test_a_label_without_a_recording_is_refused(tmp_path):
    touch(tmp_path, "hum/1.wav", "beep/readme.txt")
    with pytest.raises(ConfigError, match="beep: holds no audio file"):
        read_folder(tmp_path)


def test_recordings_without_folders_are_refused(tmp_path):
    touch(tmp_path, "1.wav")
    with pytest.raises(ConfigError, match="expected a folder for every label, got none"):
        read_folder(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="none: no such folder"):
        read_folder(tmp_path / "none")


# A table


def test_labels_stand_in_one_row_or_in_several(tmp_path):
    table = write(tmp_path / "t.csv", "filename,label\na.wav,hum; beep\nb.wav,hum\nb.wav,hiss\n")
    clips = read_csv(table)
    assert [label.name for label in clips.labels] == ["beep", "hiss", "hum"]
    assert by_name(clips)["a.wav"].labels == ("hum", "beep")
    assert by_name(clips)["b.wav"].labels == ("hum", "hiss")


def test_a_row_without_a_label_is_an_example_of_none(tmp_path):
    clips = read_csv(write(tmp_path / "t.csv", "filename,label\na.wav,\nb.wav,hum\n"))
    assert by_name(clips)["a.wav"].labels == ()


def test_files_are_beside_the_table_or_where_it_is_said(tmp_path):
    table = write(tmp_path / "t.csv", "filename,label\nx/a.wav,hum\n")
    assert read_csv(table).clips[0].path == tmp_path / "x" / "a.wav"
    audio = tmp_path / "audio"
    assert read_csv(table, audio=audio).clips[0].path == audio / "x" / "a.wav"


def test_split_and_fold_are_those_of_the_table(tmp_path):
    text = (
        "filename,label,split,fold\na.wav,x,Training,1\nb.wav,x,val,2\nc.wav,x,eval,3\nd.wav,x,,\n"
    )
    clips = read_csv(write(tmp_path / "t.csv", text)).clips
    assert [(clip.split, clip.fold) for clip in clips] == [
        ("train", 1),
        ("validation", 2),
        ("test", 3),
        ("train", 0),
    ]


def test_without_a_split_some_groups_validate_whole(tmp_path):
    rows = "".join(f"{speaker}-{take}.wav,x,s{speaker}\n" for speaker in range(10) for take in "ab")
    table = write(tmp_path / "t.csv", "filename,label,speaker\n" + rows)
    held_out = [c.name for c in read_csv(table, group="speaker").clips if c.split == "validation"]
    assert len(held_out) == 4
    assert len({name.split("-")[0] for name in held_out}) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("filename,class\na.wav,x\n", r"expected a column 'label', got filename, class"),
        ("", r"expected a column 'filename', got an empty file"),
        ("filename,label\n", r"has no rows"),
        ("filename,label,split\na.wav,x,background\n", r"t\.csv:2: expected a split of .*'backgr"),
        ("filename,label,fold\na.wav,x,two\n", r"t\.csv:2: expected a number as fold, got 'two'"),
        ("filename,label,fold\na.wav,x,1\na.wav,y,2\n", r"t\.csv:3: a\.wav has another split"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, text, reason):
    with pytest.raises(ConfigError, match=reason):
        read_csv(write(tmp_path / "t.csv", text))


def test_a_group_that_is_no_column_is_refused(tmp_path):
    table = write(tmp_path / "t.csv", "filename,label\na.wav,x\n")
    with pytest.raises(ConfigError, match="expected a column 'speaker'"):
        read_csv(table, group="speaker")


def test_a_label_that_was_not_given_is_refused(tmp_path):
    table = write(tmp_path / "t.csv", "filename,label\na.wav,humm\n")
    with pytest.raises(ConfigError, match=r"a\.wav: .*did you mean 'hum'"):
        read_csv(table, labels=(Label(0, "hum", ""),))
