from dataclasses import replace

import numpy as np
import pytest

from ast_edge.events import Label
from ast_edge.tracker import TrackerSettings
from ast_edge.tuning.choice import Choice
from ast_edge.tuning.plot import draw_plot
from ast_edge.tuning.summary import summarize
from ast_edge.tuning.tuning import TunedLabel, Tuning

DOG = TunedLabel(
    label=Label(0, "Dog & <co>", ""),
    before=TrackerSettings(0.5, 0.2),
    after=TrackerSettings(0.9, 0.36),
    share=0.02,
    choice=Choice(0.9, True, 0.01),
    ons=np.array([0.999, 0.9, 0.5]),
    counts=np.array([0, 0, 7]),
    expected=np.array([0.001, 0.01, 0.23]),
    found=np.array([1, 3, 4]),
    references=5,
    alarms_before=7,
    found_before=4,
    held_out=0,
)


def test_nothing_in_30_hours_means_less_than_2_4_a_day():
    before, held_out, verdict = summarize(Tuning(1 / 168, 30.0, (DOG,)))
    assert before.startswith("7 false alarms in 30 h")
    assert held_out.endswith("less than 2.4 a day (95% confidence)")
    assert verdict.startswith("the wish, 1 a week, cannot be promised by so little")
    assert verdict.endswith("it takes 503 h without any")


def test_a_wish_that_the_hours_prove_is_kept():
    assert "is kept with that confidence" in summarize(Tuning(0.2, 30.0, (DOG,)))[-1]


def test_what_is_held_out_decides_not_what_the_choice_was_made_by():
    noisy = replace(DOG, held_out=10)
    tuning = Tuning(0.2, 30.0, (noisy,))
    assert noisy.alarms_after == 0
    assert tuning.limit == pytest.approx(16.96 / 30, abs=0.01)
    assert "cannot be promised" in summarize(tuning)[-1]


def test_a_label_that_cannot_be_tamed_is_named():
    wild = replace(DOG, choice=Choice(0.999, False, 0.3))
    assert any("share of Dog" in line for line in summarize(Tuning(0.2, 30.0, (wild,))))


def test_a_label_that_is_not_found_any_more_is_named():
    silent = replace(DOG, found=np.array([1, 0, 4]))
    lines = summarize(Tuning(0.2, 30.0, (silent,)))
    assert any(line.startswith("nothing of Dog") for line in lines)


def test_the_plot_is_well_formed_and_has_a_picture_of_each_label():
    from xml.etree import ElementTree

    tuning = Tuning(0.2, 30.0, (DOG, replace(DOG, references=0, label=Label(1, "Cat", ""))))
    tree = ElementTree.fromstring(draw_plot(tuning))
    names = [text.text for text in tree.iterfind(".//{*}text[@class='name']")]
    assert names == ["Dog & <co>", "Cat"]
    assert len(tree.findall(".//{*}path[@class='found']")) == 1
