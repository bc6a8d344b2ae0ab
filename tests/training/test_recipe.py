import csv
import math
from pathlib import Path

import pytest
import yaml
from rigs.packs import make_recipe, two_sounds, write_recipe

from ast_edge.errors import ConfigError
from ast_training.recipe import OptimizerConfig, Recipe, load_recipe

ROOT = Path(__file__).parents[2]
HOME = ROOT / "configs" / "train" / "home.yaml"
AUDIOSET = ROOT.parent / "shared" / "data" / "audioset" / "class_labels_indices.csv"


@pytest.fixture
def packs(tmp_path):
    return two_sounds(tmp_path / "sounds")


def test_reads_a_recipe(tmp_path, packs):
    recipe = load_recipe(write_recipe(tmp_path / "small.yaml", packs))
    assert recipe.model_spec.labels == 2
    assert [label.name for label in recipe.label_set] == ["Whistle", "Hum"]


def test_survives_the_way_into_a_checkpoint_and_back(packs):
    recipe = make_recipe(packs)
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


def refused(tmp_path, packs, **sections):
    with pytest.raises(ConfigError) as caught:
        load_recipe(write_recipe(tmp_path / "bad.yaml", packs, **sections))
    return str(caught.value)


def test_refuses_a_pack_that_maps_to_no_label_of_the_recipe(tmp_path, packs):
    packs["sounds"]["labels"]["hum"] = "Humm"
    message = refused(tmp_path, packs)
    assert message.endswith("packs.sounds.labels: 'Humm' is none of the labels")


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"optimizer": {"learning_rate": 1}}, "optimizer.learning_rate: unknown key"),
        ({"optimizer": {"batch": 0}}, "optimizer.batch"),
        ({"mix": {"second": 1.5}}, "mix.second"),
        ({"model": {"drop_path": 1.0}}, "model.drop_path"),
        ({"model": {"frames": 8}}, "8 frames holds no patch"),
        ({"model": {"std": 0}}, "std must be positive"),
        ({"labels": {"Hum": "", "Whistle": "", "hum": ""}}, "'Hum', 'hum' have the same topic"),
    ],
)
def test_refuses_what_cannot_be_trained(tmp_path, packs, sections, words):
    assert words in refused(tmp_path, packs, **sections)


def test_refuses_a_pattern_that_is_none(tmp_path, packs):
    packs["sounds"]["group_pattern"] = "(["
    assert "packs.sounds.group_pattern" in refused(tmp_path, packs)


# Learning rate


def settings(**changes):
    values = {"lr": 1e-3, "batch": 4, "epochs": 10, "examples_per_epoch": 40, "warmup_epochs": 2}
    return OptimizerConfig(**values | changes)


def test_learning_rate_warms_up_in_even_steps_to_its_full_value():
    rates = [settings().lr_at(step) for step in range(20)]
    assert rates == pytest.approx([1e-3 * (step + 1) / 20 for step in range(20)])


@pytest.mark.parametrize(
    ("step", "share"),
    [(20, 1.0), (40, 0.5 + 0.5 * math.cos(math.pi / 4)), (60, 0.5), (100, 0.0), (120, 0.0)],
)
def test_learning_rate_falls_as_half_a_cosine(step, share):
    assert settings().lr_at(step) == pytest.approx(1e-3 * share, abs=1e-12)


def test_learning_rate_starts_in_full_without_warm_up():
    assert settings(warmup_epochs=0).lr_at(0) == 1e-3


def test_an_epoch_has_at_least_one_step():
    assert settings(examples_per_epoch=3).steps_per_epoch == 1


# The recipe of the default bundle


@pytest.fixture(scope="module")
def home():
    """The shipped recipe as it is written; its packs are not part of the repository."""
    return yaml.safe_load(HOME.read_text(encoding="utf-8"))


def test_shipped_recipe_is_valid(home, tmp_path):
    for pack in home["packs"].values():
        pack["table"] = str(HOME)  # any file that exists
    path = tmp_path / "home.yaml"
    path.write_text(yaml.safe_dump(home, sort_keys=False), encoding="utf-8")
    assert load_recipe(path).name == "home"


def test_shipped_recipe_has_at_most_thirty_labels(home):
    assert 25 <= len(home["labels"]) <= 30


def test_shipped_recipe_maps_some_recordings_to_every_label(home):
    mapped = {label for pack in home["packs"].values() for label in pack.get("labels", {}).values()}
    assert mapped - {None} == set(home["labels"])


def test_shipped_labels_carry_the_names_and_ids_of_audioset(home):
    if not AUDIOSET.exists():
        pytest.skip("AudioSet's table of labels is not beside the repository")
    with AUDIOSET.open(newline="", encoding="utf-8") as file:
        mids = {row["display_name"]: row["mid"] for row in csv.DictReader(file)}
    assert home["labels"] == {name: mids.get(name) for name in home["labels"]}
