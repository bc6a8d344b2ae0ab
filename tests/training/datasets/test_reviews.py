"""Clips of reviewed events as a data set."""

import pytest
from rigs.reviews import clip_of, said, write_reviews
from rigs.training.clip_lists import write_noise

from ast_edge.base.errors import ConfigError
from ast_training.datasets.reviews import read_reviewed


@pytest.fixture
def read(tmp_path):
    """List the clips of reviews; there are those of these numbers."""

    def read(*lines, clips=range(60)):
        (tmp_path / "clips").mkdir()
        for number in clips:
            write_noise(clip_of(tmp_path / "clips", number), number)
        return read_reviewed(write_reviews(tmp_path / "r.jsonl", *lines), tmp_path / "clips")

    return read


def labels(clips):
    return {clip.name[-6]: set(clip.labels) for clip in clips.clips}


def test_a_clip_has_the_label_that_it_was_said_to_be(read):
    clips = read(said(1), said(3, "wrong"), said(5, "other", true="Cat"))
    assert labels(clips) == {"1": {"Hum"}, "3": set(), "5": {"Cat"}}
    assert [(label.name, label.mid) for label in clips.labels] == [
        ("Cat", ""),
        ("Hum", "/m/07rcgpl"),
    ]


def test_what_sounded_meanwhile_is_in_the_clip_too(read):
    meanwhile = said(2, "other", true="Cat", duration=3.5)
    elsewhere = said(5, label="Bell", slug="bell", source="door")
    clips = read(said(1, duration=2.0), meanwhile, said(4, "wrong"), elsewhere, said(7))
    assert labels(clips) == {
        "1": {"Hum", "Cat"},
        "2": {"Hum", "Cat"},
        "4": {"Cat"},
        "5": {"Bell"},
        "7": {"Hum"},
    }


def test_a_day_of_a_source_is_never_divided(read):
    days = [f"2026-11-{day:02}T1{part}:00:00.000Z" for day in range(1, 11) for part in range(3)]
    clips = read(*[said(number, onset=onset) for number, onset in enumerate(days)])
    splits = {}
    for clip in clips.clips:
        splits.setdefault(clip.group, set()).add(clip.split)
    assert len(splits) == 10
    assert all(len(split) == 1 for split in splits.values())
    assert {"train", "validation"} == set.union(*splits.values())


def test_clips_that_are_gone_and_damaged_lines_are_listed(read):
    clips = read(said(1), said(2), "{", clips=[1])
    assert len(clips.clips) == 1
    gone, damaged = clips.missing
    assert "no clip of 1 of the events (Hum 1): sound is kept only where `clips:` is on" in gone
    assert "a line is damaged" in damaged


def test_without_any_clip_there_is_no_set(read):
    with pytest.raises(ConfigError, match=r"found none: no clip of 2.*only where `clips:` is on"):
        read(said(1), said(2), clips=[])


def test_wrong_alone_is_no_label_to_learn(read):
    with pytest.raises(ConfigError, match="there is no label to learn"):
        read(said(1, "wrong"))
