import json

import pytest

from ast_export.card import model_card


@pytest.fixture
def card(written):
    return (written[0] / "MODEL_CARD.md").read_text(encoding="utf-8")


def rows_of(card, title):
    section = card.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_card_states_quality_and_threshold_of_every_label(card):
    assert rows_of(card, "Quality") == [
        ["Whistle", "0.750", "4", "0.61"],
        ["Hum", "0.250", "2", "0.42"],
        ["Hiss", "none", "0", "0.95"],
    ]


def test_card_states_size_window_licence_and_mean_quality(card):
    assert "width 64, 2 blocks" in card
    assert "0.66 s (64 frames)" in card
    assert "| Licence of the weights | CC0-1.0 |" in card
    assert "| Macro AP | **0.500** on 12 held-out recordings |" in card


def test_card_lists_the_packs_and_what_they_were_used_for(card):
    assert "- `sounds`: Hum; Whistle" in card
    assert "- `neither`: examples of none of the labels" in card
    assert "- `noise`: background noise" in card


def test_card_shows_the_parity_of_every_engine(card, written):
    rows = rows_of(card, "Parity with the trained model")
    assert [(row[0], row[1]) for row in rows] == [(r.engine, r.precision) for r in written[1]]


def test_card_is_written_of_the_checkpoint_and_the_tree_alone(card, checkpoint, written):
    tree = json.loads((written[0] / "bundle.json").read_text(encoding="utf-8"))
    assert model_card(checkpoint, tree) == card
