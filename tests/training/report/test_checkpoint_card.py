import yaml
from rigs.training.checkpoints import random_checkpoint

from ast_edge.model.label import Label
from ast_training.report.checkpoint_card import checkpoint_card

FILE = "checkpoint.safetensors"


def card(**changes):
    return checkpoint_card(random_checkpoint(**changes), "small", FILE)


def head(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_the_hub_reads_licence_and_kind_at_its_head():
    found = head(card())
    assert (found["license"], found["license_name"]) == ("other", "CC0-1.0")
    assert found["pipeline_tag"] == "audio-classification"


def test_terms_that_nobody_stated_are_not_made_up():
    text = card(recipe={"name": "small"}, provenance={})
    assert "license" not in head(text)
    assert "| Licence of the weights | not stated |" in text


def test_it_says_what_was_measured_on_what():
    text = card()
    assert "| Macro AP | **0.500** (0.400 to 0.600) on 12 held-out recordings of 9 sources" in text
    assert "| Whistle | 0.750 | 4 (few) |" in text
    assert "| Hiss | none | 0 (few) |" in text


def test_what_was_not_measured_is_a_list_of_sounds():
    text = card(metrics={})
    assert "Macro AP" not in text
    assert "Whistle; Hum; Hiss." in text


def test_a_mean_of_nothing_is_left_out():
    assert "Macro AP" not in card(metrics={"macro_ap": None})


def test_it_says_which_part_of_the_model_was_learnt():
    init = {"init": {"source": "/somewhere/audioset-tiny.safetensors"}}
    heads = card(recipe={**init, "adapt": {"learn": "heads"}, "name": "x"})
    lora = card(recipe={**init, "adapt": {"learn": "lora", "rank": 4}, "name": "x"})
    assert "from the weights of `audioset-tiny.safetensors`, its heads alone |" in heads
    assert "from the weights of `audioset-tiny.safetensors`, by changes of rank 4 |" in lora


def test_a_label_does_not_end_a_cell():
    labels = tuple(Label(index, name, "") for index, name in enumerate(("a|b", "c", "d")))
    text = card(labels=labels, metrics={"labels": {"a|b": {"ap": 0.5, "positives": 9}}})
    assert "| a\\|b | 0.500 | 9 |" in text
