from dataclasses import replace

import numpy as np

from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.tuning.choice import Choice
from ast_edge.tuning.pieces import cut
from ast_edge.tuning.plot import draw_plot
from ast_edge.tuning.summary import summarize
from ast_edge.tuning.tuning import TunedLabel, Tuning

DOG = TunedLabel(
    label=Label(0, "Dog & <co>", ""),
    before=TrackerSettings(0.5, 0.2),
    after=TrackerSettings(0.9, 0.36),
    share=0.02,
    choice=Choice(1, True, 0.01),
    ons=np.array([0.999, 0.9, 0.5]),
    counts=np.array([0, 0, 7]),
    expected=np.array([0.001, 0.01, 0.23]),
    found=np.array([1, 3, 4]),
    references=5,
    alarms_before=7,
    found_before=4,
)
ROOMS = cut([3600.0] * 30, list(map(str, range(30))))


def tuning_of(wish, label=DOG, held_out=(0,) * 30, pieces=ROOMS):
    return Tuning(wish, pieces, (label,), np.array(held_out))


def test_nothing_in_30_hours_means_less_than_7_2_a_day_for_there_may_be_a_burst():
    before, held_out, verdict = summarize(tuning_of(1 / 168))
    assert before.startswith("7 false alarms in 30 h")
    assert held_out.startswith("0 where each fifth of it had settings chosen by the rest, in 0 of")
    assert held_out.endswith("less than 7.2 a day (95% confidence)")
    assert verdict.startswith("the wish, 1 a week, is not promised")
    assert verdict.endswith("it takes 1510 h without any, or more")


def test_a_wish_that_the_hours_prove_is_kept():
    assert summarize(tuning_of(0.5))[-1].endswith("kept with that confidence, in other rooms")


def test_of_a_few_rooms_nothing_is_promised_for_others():
    pieces = cut([15 * 3600.0] * 2, ["monday", "tuesday"])
    tuning = tuning_of(0.5, held_out=[0] * len(pieces.seconds), pieces=pieces)
    assert summarize(tuning)[-1].endswith("in other hours of the same rooms")


def test_what_is_held_out_decides_not_what_the_choice_was_made_by():
    tuning = tuning_of(0.5, held_out=[1] * 10 + [0] * 20)
    assert tuning.labels[0].alarms_after == 0
    assert "is not promised" in summarize(tuning)[-1]


def test_a_label_that_cannot_be_tamed_is_named():
    wild = replace(DOG, choice=Choice(0, False, 0.3))
    assert any("share of Dog" in line for line in summarize(tuning_of(0.2, wild)))


def test_a_label_that_is_not_found_any_more_is_named():
    silent = replace(DOG, found=np.array([1, 0, 4]))
    assert any(line.startswith("nothing of Dog") for line in summarize(tuning_of(0.2, silent)))


def test_the_plot_is_well_formed_and_has_a_picture_of_each_label():
    from xml.etree import ElementTree

    cat = replace(DOG, references=0, label=Label(1, "Cat", ""))
    tuning = replace(tuning_of(0.2), labels=(DOG, cat))
    tree = ElementTree.fromstring(draw_plot(tuning))
    names = [text.text for text in tree.iterfind(".//{*}text[@class='name']")]
    assert names == ["Dog & <co>", "Cat"]
    assert len(tree.findall(".//{*}path[@class='found']")) == 1
