import unicodedata

import pytest

from ast_edge.base.errors import ConfigError
from ast_edge.model.label import Label
from ast_training.data.sources import source_of_name
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


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("hum/rec1_00.wav", "hum/rec1"),
        ("hum/rec1_01.flac", "hum/rec1"),
        ("hum/deep/rec1.01.wav", "hum/deep/rec1"),
        ("Neue Aufnahme (12).m4a", "Neue Aufnahme"),
        ("hum/100032-3-0-7.wav", "hum/100032-3-0"),
        ("hum/7.wav", "hum/7.wav"),
        ("hum/_7.wav", "hum/_7.wav"),
        ("hum/a.wav", "hum/a"),
    ],
)
def test_takes_that_differ_in_a_trailing_number_are_of_one_source(name, source):
    assert source_of_name(name) == source


def test_takes_of_one_source_are_not_divided(tmp_path):
    touch(tmp_path, *(f"hum/rec{n}_{take:02d}.wav" for n in range(10) for take in range(4)))
    clips = read_folder(tmp_path).clips
    assert len({(clip.name.split("_")[0], clip.split) for clip in clips}) == 10
    assert {clip.split for clip in clips} == {"train", "validation"}


def test_a_link_within_a_label_is_no_second_recording(tmp_path):
    touch(tmp_path, *(f"hum/{n}.wav" for n in range(8)))
    for number in range(8):
        (tmp_path / "hum" / f"{number} copy.wav").symlink_to(f"{number}.wav")
    clips = read_folder(tmp_path)
    assert len(clips.clips) == 8
    assert f"{tmp_path}/hum/3.wav: is {tmp_path}/hum/3 copy.wav once more" in clips.missing


@pytest.mark.parametrize("how", ["link", "hard link", "link to the folder"])
def test_a_file_in_the_folders_of_two_labels_has_both(tmp_path, how):
    touch(tmp_path, "beep/1.wav", "hum/2.wav")
    if how == "link":
        (tmp_path / "hum" / "1.wav").symlink_to("../beep/1.wav")
    elif how == "hard link":
        (tmp_path / "hum" / "1.wav").hardlink_to(tmp_path / "beep" / "1.wav")
    else:
        (tmp_path / "hum" / "beeps").symlink_to("../beep")
    labels = {name: clip.labels for name, clip in by_name(read_folder(tmp_path)).items()}
    assert labels == {"beep/1.wav": ("beep", "hum"), "hum/2.wav": ("hum",)}


def test_a_link_to_all_labels_gives_none_of_them_another(tmp_path):
    touch(tmp_path, "beep/1.wav", "hum/2.wav")
    (tmp_path / "hum" / "all").symlink_to("..")
    clips = read_folder(tmp_path)
    assert {clip.labels for clip in clips.clips} == {("beep",), ("hum",)}
    assert clips.missing[0].startswith(f"{tmp_path}/hum/all: is not followed")


def test_what_is_no_recording_is_listed(tmp_path):
    touch(tmp_path, "hum/1.wav", "hum/notes.txt", "readme.md", "stray.wav")
    assert read_folder(tmp_path).missing == (
        f"{tmp_path}/readme.md: lies in no label's folder",
        f"{tmp_path}/stray.wav: lies in no label's folder",
        f"{tmp_path}/hum/notes.txt: no recording, by its name",
    )


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_folder_may_spell_an_accented_letter_as_two_characters(tmp_path, form):
    touch(tmp_path, unicodedata.normalize(form, "Türklingel/1.wav"))
    labels = (Label(0, unicodedata.normalize("NFC", "Türklingel"), ""),)
    assert read_folder(tmp_path, labels).clips[0].labels == (labels[0].name,)


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


def test_without_a_column_of_groups_takes_of_one_source_are_not_divided(tmp_path):
    rows = "".join(f"rec{n}_{take}.wav,x\n" for n in range(10) for take in range(4))
    clips = read_csv(write(tmp_path / "t.csv", f"filename,label\n{rows}")).clips
    assert len({(clip.name.split("_")[0], clip.split) for clip in clips}) == 10


@pytest.mark.parametrize("other", ["./a.wav", "../here/a.wav", "link.wav", "hard.wav"])
def test_names_of_one_file_are_one_recording(tmp_path, other):
    touch(tmp_path, "here/a.wav")
    (tmp_path / "here" / "link.wav").symlink_to("a.wav")
    (tmp_path / "here" / "hard.wav").hardlink_to(tmp_path / "here" / "a.wav")
    table = write(tmp_path / "here" / "t.csv", f"filename,label\na.wav,hum\n{other},beep\n")
    assert [clip.labels for clip in read_csv(table).clips] == [("hum", "beep")]


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_table", ["NFC", "NFD"])
def test_a_file_may_be_spelt_otherwise_on_the_disk(tmp_path, on_disk, in_table):
    name = "Küche/Tür.wav"
    touch(tmp_path, unicodedata.normalize(on_disk, name))
    text = unicodedata.normalize(in_table, f"filename,label\n{name},Tür\n")
    clips = read_csv(write(tmp_path / "t.csv", text))
    assert clips.clips[0].path.exists()
    assert clips.labels[0].name == unicodedata.normalize("NFC", "Tür")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("filename,class\na.wav,x\n", r"expected a column 'label', got filename, class"),
        ("", r"expected a column 'filename', got an empty file"),
        ("filename,label\n", r"has no rows"),
        ("filename,label\n,x\n", r"t\.csv:2: has no filename"),
        ("filename,label\na.wav,Child speech, kid speaking\n", r"t\.csv:2: expected 2 values"),
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
