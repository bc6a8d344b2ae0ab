from pathlib import Path

import pytest
from rigs.training.clip_lists import LABELS

from ast_edge.base.errors import ConfigError
from ast_edge.model.label import Label
from ast_training.data.clip_list import ClipList, RawClip


def test_two_recordings_of_one_name_are_refused():
    clips = [RawClip("a", Path("one/a.wav"), ()), RawClip("a", Path("two/a.wav"), ())]
    with pytest.raises(ConfigError, match=r"named 'a': one/a\.wav and two/a\.wav"):
        ClipList("x", LABELS, clips)


def test_an_unknown_label_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="'Wistle' is not among the 3 labels; did you mean 'Whis"):
        ClipList("x", LABELS, [RawClip("a", Path("a.wav"), ("Wistle",))])


def test_a_label_that_is_like_no_other_has_no_suggestion():
    with pytest.raises(ConfigError, match="'Zebra' is not among the 3 labels; add it"):
        ClipList("x", LABELS, [RawClip("a", Path("a.wav"), ("Zebra",))])


def test_a_list_of_nothing_says_how_many_are_missing():
    with pytest.raises(ConfigError, match="x: found no recording of the 2 that are listed"):
        ClipList("x", LABELS, [], missing=("a: none", "b: none"))


@pytest.mark.parametrize(
    ("names", "reason"),
    [(["Hum", "🐶"], "no topic name can be made of"), (["Hum", "hum!"], "the same topic name")],
)
def test_labels_that_could_not_become_topics_are_refused_before_any_work(names, reason):
    labels = tuple(Label(index, name, "") for index, name in enumerate(names))
    with pytest.raises(ConfigError, match=reason):
        ClipList("x", labels, [RawClip("a", Path("a.wav"), ("Hum",))])
