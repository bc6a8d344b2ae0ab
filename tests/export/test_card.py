import json
import re
from dataclasses import replace

import pytest
from rigs.training.checkpoints import LABELS

from ast_export.card import model_card


@pytest.fixture
def card(written):
    return (written[0] / "MODEL_CARD.md").read_text(encoding="utf-8")


def rows_of(card, title):
    section = card.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_card_states_quality_calibration_and_threshold_of_every_label(card):
    assert rows_of(card, "Quality") == [
        ["Whistle", "0.750 (experimental)", "0.50 to 1.00", "4", "4 (few)", "0.030", "0.50"],
        ["Hum", "0.250 (experimental)", "", "2", "2 (few)", "not measured", "0.50"],
        ["Hiss", "none (experimental)", "", "0", "0 (few)", "not measured", "0.50"],
    ]


def test_card_states_size_window_licence_and_mean_quality(card):
    assert "width 64, 2 blocks" in card
    assert "0.66 s (64 frames)" in card
    assert "| Licence of the weights | CC0-1.0 |" in card
    mean = "**0.500** (0.400 to 0.600) on 12 held-out recordings of 9 sources, that chose nothing"
    assert f"| Macro AP | {mean} |" in card


@pytest.mark.parametrize(
    ("measured_on", "words"),
    [
        ({"measured_on": "validation"}, "which chose the epoch: expect less of others"),
        ({}, "some of which may have chosen the epoch"),
    ],
)
def test_a_card_says_of_figures_that_are_not_of_the_test_split_what_they_are(
    checkpoint, tree, measured_on, words
):
    metrics = {k: v for k, v in tree["metrics"].items() if k != "measured_on"} | measured_on
    assert f"on 12 (perhaps its own) recordings of 9 sources, {words} |" in model_card(
        [checkpoint], tree | {"metrics": metrics}
    )


def test_card_lists_the_packs_and_what_they_were_used_for(card):
    assert "- `sounds`: Hum; Whistle" in card
    assert "- `neither`: examples of none of the labels" in card
    assert "- `noise`: background noise" in card


def test_card_shows_the_parity_of_every_engine(card, written):
    rows = rows_of(card, "Parity with the trained model")
    assert [(row[0], row[1]) for row in rows] == [(r.engine, r.precision) for r in written[1]]


def test_card_is_written_of_the_checkpoint_and_the_tree_alone(card, checkpoint, written):
    tree = json.loads((written[0] / "bundle.json").read_text(encoding="utf-8"))
    assert model_card([checkpoint], tree) == card


# What was not trained or measured here


@pytest.fixture
def tree(written):
    return json.loads((written[0] / "bundle.json").read_text(encoding="utf-8"))


@pytest.fixture
def imported(checkpoint, tree):
    """The card of an imported model: no recipe, no metrics."""
    source = {"imported from": "hf:MIT/some@abc", "sha256": "0123", "licence": "BSD-3-Clause"}
    tree |= {"metrics": {}, "provenance": source, "licence": "BSD-3-Clause"}
    foreign = replace(checkpoint, recipe={}, metrics={}, epoch=0, provenance=source)
    return model_card([foreign], tree)


def test_card_of_an_imported_model_says_where_it_comes_from(imported):
    assert "| Trained | elsewhere; imported from hf:MIT/some@abc |" in imported
    assert "| Licence of the weights | BSD-3-Clause |" in imported
    assert "- sha256: 0123" in imported


def test_card_of_an_imported_model_states_no_figure_that_was_not_measured(imported):
    assert "| Macro AP | not measured here |" in imported
    assert rows_of(imported, "Quality") == [[label.name, "0.50"] for label in LABELS]
    assert "epochs" not in imported
    assert "held-out" not in imported
    assert "doorbells" not in imported


def test_card_of_a_model_without_metrics_states_its_training_all_the_same(checkpoint, tree):
    card = model_card([replace(checkpoint, metrics={})], tree | {"metrics": {}})
    assert "| Trained | 3 epochs of 640 composed examples, from random weights |" in card
    assert "| Macro AP | not measured here |" in card


def test_card_says_what_training_started_from_and_how_much_it_saw(checkpoint, tree):
    recipe = checkpoint.recipe | {
        "init": {"source": "models/deit.pth"},
        "soundscapes": {"examples_per_epoch": 640},
    }
    card = model_card([replace(checkpoint, recipe=recipe)], tree)
    trained = "3 epochs of 640 composed examples, from the weights of `deit.pth`"
    assert f"| Trained | {trained} |" in card


def test_card_says_who_taught_and_that_a_stem_is_no_part_of_ast(checkpoint, tree):
    recipe = checkpoint.recipe | {
        "init": {"source": None, "stem": "models/mn04.pt", "yamnet": "models/yamnet.tflite"},
        "teachers": [{"kind": "mobilenet", "weights": "models/mn04.pt"}],
    }
    stem = replace(
        checkpoint, model=replace(checkpoint.model, stem=384, yamnet=True), recipe=recipe
    )
    card = model_card([stem], tree)
    assert "An Audio Spectrogram Transformer (Gong et al. 2021) with a convolutional stem" in card
    assert "| Stem | the convolutions of a pretrained MobileNet, 384 channels (`mn04.pt`)" in card
    assert "and YAMNet (`yamnet.tflite`), which do not learn" in card
    assert "| Taught by | mobilenet (`mn04.pt`) |" in card
    assert "from random weights" in card
    moved = replace(stem, recipe=recipe | {"optimizer": {"stem": 0.25}})
    assert "`), of which the first learnt on: patches" in model_card([moved], tree)


def test_card_names_the_clips_of_a_recipe_without_packs(checkpoint, tree):
    recipe = checkpoint.recipe | {"packs": {}, "data": {"folder": "data/esc50"}}
    card = model_card([replace(checkpoint, recipe=recipe)], tree)
    assert "Clips of `esc50`" in card
    assert "held out" not in card


def test_card_of_an_ensemble_says_what_every_member_is(checkpoint, tree):
    other = replace(checkpoint, recipe=checkpoint.recipe | {"name": "other"}, epoch=7)
    card = model_card([checkpoint, other], tree | {"metrics": {}})
    assert "An ensemble of 2 Audio Spectrogram Transformers" in card
    assert "| Member 1 |" in card
    assert re.search(r"\| Member 2 \|.*7 epochs.*`other` \|", card)
    assert card.count("- `sounds`") == 1


@pytest.mark.parametrize(
    ("quality", "is_experimental"),
    [
        ({"ap": 0.9, "positives": 40}, False),
        ({"ap": 0.4, "positives": 40}, True),
        ({"ap": 0.9, "positives": 2}, True),
        ({"ap": None, "positives": 0}, True),
    ],
)
def test_a_label_is_experimental_if_it_is_poor_or_hardly_measured(
    checkpoint, tree, quality, is_experimental
):
    tree["metrics"]["labels"]["Hum"] = quality
    row = rows_of(model_card([checkpoint], tree), "Quality")[1]
    assert ("experimental" in row[1]) is is_experimental


def test_labels_that_were_left_out_are_named(checkpoint, tree):
    recipe = checkpoint.recipe | {"labels": {"Whistle": "", "Rain": "", "Hum": "", "Wind": ""}}
    card = model_card([replace(checkpoint, recipe=recipe)], tree)
    assert "left out of the bundle: Rain; Wind." in card


def test_a_card_without_measurements_has_no_sections_for_them(card):
    assert "## Robustness" not in card
    assert "## As a detector" not in card


def test_a_card_says_how_the_model_stands_up_to_noise_and_what_it_mistakes(checkpoint, tree):
    tree["metrics"] |= {
        "robustness": {"clean": 0.81, "SNR 0 dB": 0.4},
        "robustness_is_of_this": True,
        "confusions": {"Hum": {"Hiss": 0.25}, "Hiss": {}},
    }
    card = model_card([checkpoint], tree)
    assert rows_of(card, "Robustness") == [["clean", "0.81"], ["SNR 0 dB", "0.40"]]
    assert rows_of(card, "Known confusions") == [["Hum", "Hiss 25%"], ["Hiss", "none"]]


def test_a_card_says_how_many_events_were_found_and_how_many_were_none(checkpoint, tree):
    label = {"events": 8, "found": 6, "f1": 0.5, "false_alarms_per_hour": 0.25}
    tree["metrics"]["evaluation"] = {
        "is_of_this": True,
        "with_these_thresholds": True,
        "hours": 5.0,
        "negative_hours": 3.5,
        "micro_f1": 0.4,
        "macro_f1": 0.3,
        "false_alarms_per_hour": 2.5,
        "labels": {"Hum": label, "Hiss": label | {"f1": None}},
    }
    card = model_card([checkpoint], tree)
    assert rows_of(card, "As a detector")[0] == ["Hum", "8", "6", "0.50", "0.25"]
    assert rows_of(card, "As a detector")[1] == ["Hiss", "8", "6", "none", "0.25"]


@pytest.mark.parametrize(("found", "is_experimental"), [(0, True), (1, False)])
def test_a_label_whose_events_are_not_found_is_experimental(
    checkpoint, tree, found, is_experimental
):
    tree["metrics"]["labels"]["Hum"] = {"ap": 0.9, "positives": 40}
    label = {"events": 10, "found": found, "f1": 0.0, "false_alarms_per_hour": 0.0}
    tree["metrics"]["evaluation"] = {
        "is_of_this": True,
        "with_these_thresholds": True,
        "hours": 5.0,
        "negative_hours": 3.5,
        "micro_f1": None,
        "macro_f1": None,
        "false_alarms_per_hour": 0.0,
        "labels": {"Hum": label},
    }
    row = rows_of(model_card([checkpoint], tree), "Quality")[1]
    assert ("experimental" in row[1]) is is_experimental


# What is said only where it was checked


@pytest.mark.parametrize("pack", [{}, {"validation_share": 0.2}, {"validation": {"fold": [5]}}])
def test_recordings_are_called_held_out_where_the_recipe_holds_some_out(checkpoint, tree, pack):
    packs = checkpoint.recipe["packs"]
    recipe = checkpoint.recipe | {"packs": packs | {"sounds": packs["sounds"] | pack}}
    tree["metrics"]["measured_on"] = "validation"
    card = model_card([replace(checkpoint, recipe=recipe)], tree)
    assert ("on 12 held-out recordings" in card) is bool(pack)
    assert ("The recipe holds no source out." in card) is not bool(pack)
    assert ("Sources of `sounds` were held out" in card) is bool(pack)


@pytest.mark.parametrize(
    ("data", "held_out"),
    [
        ({}, True),
        ({"fold": 1, "train": ["train"], "evaluate": ["train"]}, True),
        ({"train": ["train"], "evaluate": ["train"]}, False),
        ({"train": ["train", "validation"]}, False),
    ],
)
def test_clips_are_called_held_out_where_they_did_not_train(checkpoint, tree, data, held_out):
    recipe = checkpoint.recipe | {"packs": {}, "data": {"folder": "data/mine"} | data}
    tree["metrics"]["measured_on"] = "validation"
    card = model_card([replace(checkpoint, recipe=recipe)], tree)
    assert ("on 12 held-out recordings" in card) is held_out
    assert ("on 12 (perhaps its own) recordings" in card) is not held_out


@pytest.mark.parametrize("of_this", [True, False])
@pytest.mark.parametrize("with_these", [True, False])
def test_figures_are_those_of_this_graph_only_where_that_was_checked(
    checkpoint, tree, of_this, with_these
):
    tree["metrics"] |= {
        "robustness": {"clean": 0.8},
        "robustness_is_of_this": of_this,
        "evaluation": {
            "is_of_this": of_this,
            "with_these_thresholds": with_these,
            "hours": 5.0,
            "negative_hours": 3.5,
            "micro_f1": None,
            "macro_f1": None,
            "false_alarms_per_hour": 0.0,
            "labels": {},
        },
    }
    card = model_card([checkpoint], tree)
    assert ("Macro AP of this graph on" in card) is of_this
    assert ("This graph with " in card) is of_this
    assert card.count("nother graph, or one that the file does not name, ") == (0 if of_this else 2)
    assert ("with the thresholds above on 5.0 h" in card) is with_these
    assert "soundscapes" not in card.split("## As a detector")[1].split("## ")[0]


def test_what_was_not_measured_is_said_to_be_unknown(card):
    assert "How it fares across a room, in noise or over a telephone was not measured." in card
    assert "public sets" not in card
