from random import Random

from ast_training.datasets.held_out import choose_groups


def of_label(label, groups):
    return [(f"{label}{number}", (label,)) for number in range(groups)]


def test_a_share_of_the_groups_of_every_label_validates():
    chosen = choose_groups(of_label("a", 40) + of_label("b", 20))
    assert sum(group.startswith("a") for group in chosen) == 6
    assert sum(group.startswith("b") for group in chosen) == 3


def test_every_label_of_two_groups_or_more_is_held_out_once():
    chosen = choose_groups(of_label("a", 2) + of_label("b", 3))
    assert sorted(group[0] for group in chosen) == ["a", "b"]


def test_a_label_of_a_single_group_is_trained_on():
    assert choose_groups(of_label("a", 1)) == set()


def test_a_group_counts_once_however_many_recordings_it_has():
    assert len(choose_groups(of_label("a", 20) * 50)) == 3


def test_recordings_without_a_label_are_held_out_like_those_of_one():
    assert len(choose_groups([(str(number), ()) for number in range(20)])) == 3


def test_the_choice_depends_on_neither_order_nor_machine():
    recordings = of_label("a", 10)
    Random(0).shuffle(recordings)
    assert choose_groups(recordings) == {"a7", "a9"}  # the first two in the order of sha256sum
