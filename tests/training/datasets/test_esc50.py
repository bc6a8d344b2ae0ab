import csv
from pathlib import Path

import pytest

from ast_edge.base.errors import ConfigError
from ast_training.datasets.esc50 import read_esc50

PACK = Path(__file__).parents[4] / "shared/data/esc50"
"""Beside the repository, where it is at hand."""
ROWS = [  # as in the official table
    ("1-100032-A-0.wav", 1, 0, "dog", "True"),
    ("1-116765-A-41.wav", 1, 41, "chainsaw", "True"),
    ("5-212181-A-49.wav", 5, 49, "hand_saw", "False"),
]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "meta").mkdir()
    with (tmp_path / "meta" / "esc50.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "fold", "target", "category", "esc10", "src_file", "take"])
        writer.writerows([*row, row[0].split("-")[1], "A"] for row in ROWS)
    return tmp_path


def test_lists_every_recording_with_its_fold(root):
    clips = read_esc50(root).clips
    assert [(c.path, c.labels, c.fold) for c in clips] == [
        (root / "audio" / "1-100032-A-0.wav", ("dog",), 1),
        (root / "audio" / "1-116765-A-41.wav", ("chainsaw",), 1),
        (root / "audio" / "5-212181-A-49.wav", ("hand_saw",), 5),
    ]


def test_the_source_of_a_recording_is_its_upload(root):
    assert [clip.group for clip in read_esc50(root).clips] == [
        "freesound:100032",
        "freesound:116765",
        "freesound:212181",
    ]


def test_labels_are_at_the_targets_of_the_table(root):
    labels = read_esc50(root).labels
    assert len(labels) == 50
    assert [labels[target].name for _, _, target, _, _ in ROWS] == ["dog", "chainsaw", "hand_saw"]


def test_esc10_has_its_own_labels(root):
    clips = read_esc50(root, esc10=True)
    assert [(label.index, label.name) for label in clips.labels] == [(0, "dog"), (1, "chainsaw")]
    assert [clip.labels for clip in clips.clips] == [("dog",), ("chainsaw",)]


def test_a_folder_without_the_table_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"meta/esc50\.csv: cannot be read: No such file"):
        read_esc50(tmp_path)


def test_another_category_is_refused(root):
    with (root / "meta" / "esc50.csv").open("a") as file:
        file.write("a.wav,1,0,doorbell,False,x,A\n")
    with pytest.raises(ConfigError, match="'doorbell' is no class of ESC-50"):
        read_esc50(root)


@pytest.mark.skipif(not PACK.is_dir(), reason="needs the ESC-50 pack")
def test_reads_the_real_table():
    clips = read_esc50(PACK)
    assert len(clips.clips) == 416
    for clip in clips.clips:
        target = int(clip.path.stem.rsplit("-", 1)[1])
        assert clip.labels == (clips.labels[target].name,)
    assert len(read_esc50(PACK, esc10=True).labels) == 10
