import csv
import re
from pathlib import Path

import pytest

from ast_edge.home_assistant.icons import DEFAULT, ICONS, icon
from ast_edge.model.label import Label

AUDIOSET = Path(__file__).parents[3] / "training/ast_training/data/label_tables/audioset.csv"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Dog", "mdi:dog"),
        ("Smoke detector, smoke alarm", "mdi:smoke-detector-variant-alert"),
        ("Fire alarm", "mdi:smoke-detector-variant-alert"),
        ("Alarm clock", "mdi:alarm-bell"),
        ("Whale vocalization", DEFAULT),
    ],
)
def test_an_icon_fits_its_label(label, expected):
    assert icon(Label(0, label, "")) == expected


def test_every_word_is_one_of_audioset_or_of_a_group():
    with AUDIOSET.open() as file:
        names = [row["display_name"] for row in csv.DictReader(file)]
    known = {word for name in names for word in re.split(r"[^a-z0-9]+", name.lower())}
    assert set().union(*ICONS.values()) - known <= {"alarms", "birds", "voice"}
