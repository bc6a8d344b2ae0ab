import math
from operator import attrgetter
from pathlib import Path

import pytest
import torch
import yaml
from rigs.training.home_recipes import write_home_recipe
from rigs.training.packs import make_recipe, two_sounds, write_recipe

from ast_edge.base.errors import ConfigError
from ast_training.data.tables import MAY_COLUMNS, MAY_SEPARATOR, read_rows
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.model.optimization import OptimizerConfig
from ast_training.recipe.recipe import Recipe, load_recipe

ROOT = Path(__file__).parents[3]
RECIPES = ROOT / "configs" / "train"


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
    assert "packs.sounds.labels: 'Humm' is none of the labels, and no name of AudioSet's" in message


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"optimizer": {"learning_rate": 1}}, "optimizer.learning_rate: unknown key"),
        ({"optimizer": {"batch": 0}}, "optimizer.batch"),
        ({"soundscapes": {"background": 1.5}}, "soundscapes.background"),
        ({"model": {"frame_head": True}, "loss": "ce"}, "frame head needs sigmoid"),
        ({"loss": "mse"}, "loss"),
        ({"select": "events"}, "select: events needs packs, model.frame_head and"),
        (
            {
                "select": "events",
                "model": {"frame_head": True},
                "soundscapes": {"validation_minutes": 0},
            },
            "select: events needs packs, model.frame_head and soundscapes.validation_minutes",
        ),
        ({"hint": 0.5}, "hint: expected a teacher that shows its features"),
        ({"average": [1, 3]}, "average: expected first and last of 2 epochs, got 1 and 3"),
        ({"average": [2, 1]}, "average: expected first and last of 2 epochs, got 2 and 1"),
        ({"data": {"folder": "clips"}}, "expected either packs or data"),
        ({"adapt": {"learn": "heads"}}, "adapt: needs init"),
        (
            {"adapt": {}, "init": {"source": "a.safetensors"}, "optimizer": {"stem": 0.5}},
            "optimizer.stem: adapt leaves the stem as it is, leave one out",
        ),
        ({"model": {"stem": 384}}, "model.stem: does not learn: give its weights by init.stem"),
        ({"model": {"yamnet": True}}, "model.yamnet: does not learn: give its weights by init.ya"),
        ({"init": {"stem": "mn.pt"}}, "init.stem: the model has none"),
        ({"init": {"heads": {}}}, "init.heads: needs packs and a stem"),
        (
            {"model": {"stem": 384}, "init": {"source": "a.safetensors", "heads": {}}},
            "init.heads: needs init.stem, whose labels it holds to",
        ),
        ({"patience": 1, "average": [1, 2]}, "patience: may end before the epochs of average"),
        ({"class_weights": 0.9}, "class_weights: soundscapes draw labels by their sources"),
        ({"model": {"patchout": [0, 2]}}, "model.patchout: leaves nothing of a grid of (1, 2)"),
        ({"model": {"drop_path": 1.0}}, "model.drop_path"),
        ({"model": {"frames": 8}}, "8 frames holds no patch"),
        ({"model": {"std": 0}}, "std must be positive"),
        (
            {"labels": {"Hum": "", "Whistle": "", "hum": ""}},
            "the same topic name, 'hum': 'Hum' and 'hum'",
        ),
    ],
)
def test_refuses_what_cannot_be_trained(tmp_path, packs, sections, words):
    assert words in refused(tmp_path, packs, **sections)


def test_refuses_a_recipe_without_examples(tmp_path):
    assert "expected either packs or data" in refused(tmp_path, {})


def test_labels_may_be_those_of_a_published_table():
    recipe = make_recipe({}, data={"folder": "clips"}, labels="esc50")
    assert len(recipe.label_set) == 50
    assert [label.name for label in recipe.label_set][:3] == ["dog", "rooster", "pig"]


def test_refuses_a_table_of_labels_that_does_not_exist(tmp_path, packs):
    assert "did you mean 'esc50'?" in refused(tmp_path, packs, labels="esc5")


def test_refuses_a_pattern_that_is_none(tmp_path, packs):
    packs["sounds"]["group_pattern"] = "(["
    assert "packs.sounds.group_pattern" in refused(tmp_path, packs)


# Learning rate


def settings(**schedule):
    """Ten steps an epoch, ten epochs."""
    return OptimizerConfig(lr=1e-3, epochs=10, schedule=schedule)


def rates(config, steps=100):
    return [config.lr_at(step, steps_per_epoch=10) for step in range(steps)]


def test_learning_rate_warms_up_in_even_steps_to_its_full_value():
    config = settings(kind="cosine", warmup_steps=20)
    assert rates(config, 21) == pytest.approx([1e-3 * step / 20 for step in range(21)])


def test_learning_rate_can_warm_up_in_stairs():
    config = settings(kind="step", first=10, warmup_steps=20, warmup_every=5)
    assert rates(config, 25) == pytest.approx(
        [0] * 5 + [2.5e-4] * 5 + [5e-4] * 5 + [7.5e-4] * 5 + [1e-3] * 5
    )


@pytest.mark.parametrize("kind", ["cosine", "step"])
def test_learning_rate_starts_in_full_without_warm_up(kind):
    assert settings(kind=kind).lr_at(0, 10) == 1e-3


@pytest.mark.parametrize(("first", "every", "factor"), [(1, 1, 0.5), (3, 2, 0.7), (12, 1, 0.1)])
def test_learning_rate_steps_down_as_that_of_pytorch(first, every, factor):
    config = settings(kind="step", first=first, every=every, factor=factor)
    golden = multi_step(1e-3, first, every, factor, epochs=10)
    assert rates(config) == pytest.approx([rate for rate in golden for _ in range(10)])


def multi_step(lr, first, every, factor, epochs):
    """Return the rate of each epoch by the scheduler that the authors use."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    milestones = list(range(first, 1000, every))
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, factor)
    trace = []
    for _ in range(epochs):
        trace.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return trace


# The recipes of the paper, as its authors' scripts have them

DEIT = "deit_base_distilled_patch16_384-d0272ac0.pth"
AST = "ast-finetuned-audioset-10-10-0.4593.safetensors"
COMMON = {
    "frontend.window": "hanning",
    "model.size": "base",
    "model.depth": 12,
    "model.patch": (16, 16),
    "model.stride": (10, 10),
    "model.drop_path": 0,
    "model.patchout": (0, 0),
    "init.pos_embed": "bilinear",
    "augment.crop": "head",
    "optimizer.kind": "adam",
    "optimizer.betas": (0.95, 0.999),
    "optimizer.weight_decay": 5e-7,
    "optimizer.layer_decay": 1,
    "optimizer.clip_norm": 0,
    "optimizer.ema": 0,
    "optimizer.schedule.kind": "step",
}
COLUMNS = ("audioset-full", "audioset-balanced", "esc50-ast-p", "esc50-ast-s", "speechcommands-ast")
TABLE = {
    "model.frames": (1024, 1024, 512, 512, 128),
    "model.mean": (-4.2677393, -4.2677393, -6.6268077, -6.6268077, -6.845978),
    "model.std": (4.5689974, 4.5689974, 5.358466, 5.358466, 5.5654526),
    "augment.mixup": (0.5, 0.5, 0, 0, 0.6),
    "augment.freq_mask": (48, 48, 24, 24, 48),
    "augment.time_mask": (192, 192, 96, 96, 48),
    "augment.noise": (False, False, False, False, True),
    "augment.roll": (0, 0, 0, 0, 10),
    "sampler": ("balanced", "shuffle", "shuffle", "shuffle", "shuffle"),
    "loss": ("bce", "bce", "ce", "ce", "bce"),
    "select": ("map", "map", "accuracy", "accuracy", "accuracy"),
    "average": ((1, 5), (6, 25), None, None, None),
    "data.train": (["train"], ["train"], ["train"], ["train"], ["train"]),
    "data.evaluate": (["test"], ["test"], ["validation"], ["validation"], ["validation"]),
    "data.fold": (None, None, 1, 1, None),
    "optimizer.lr": (1e-5, 5e-5, 1e-5, 1e-4, 2.5e-4),
    "optimizer.batch": (12, 12, 48, 48, 128),
    "optimizer.epochs": (5, 25, 25, 25, 30),
    "optimizer.schedule.warmup_steps": (1000, 1000, 0, 0, 0),
}
PAPER = {
    "audioset-full": ("audioset-full", DEIT),
    "audioset-balanced": ("audioset-balanced", DEIT),
    "esc50-ast-s": ("esc50-ast-s", DEIT),
    "esc50-ast-p": ("esc50-ast-p", AST),
    "speechcommands-ast-s": ("speechcommands-ast", DEIT),
    "speechcommands-ast-p": ("speechcommands-ast", AST),
}
"""Recipe -> its column of the table, and what it starts from."""


def shipped(name):
    return load_recipe(RECIPES / f"{name}.yaml")


@pytest.mark.parametrize("name", PAPER)
def test_recipe_of_the_paper_survives_the_way_into_a_checkpoint_and_back(name):
    recipe = shipped(name)
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize("name", PAPER)
def test_recipe_has_the_settings_of_the_paper(name):
    column, source = PAPER[name]
    own = {key: values[COLUMNS.index(column)] for key, values in TABLE.items()}
    recipe = shipped(name)
    expected = COMMON | own
    assert {key: attrgetter(key)(recipe) for key in expected} == expected
    assert recipe.init.source.name == source


@pytest.mark.parametrize(
    ("name", "clips", "expected"),
    [
        ("audioset-full", 1_953_082, [1e-5, 1e-5, 5e-6, 2.5e-6, 1.25e-6]),
        (
            "audioset-balanced",
            20_785,
            [*[5e-5] * 10, *[2.5e-5] * 5, *[1.25e-5] * 5, *[6.25e-6] * 5],
        ),
        ("esc50-ast-s", 1600, [*[1e-4] * 5, *(1e-4 * 0.85**n for n in range(1, 21))]),
        ("esc50-ast-p", 1600, [*[1e-5] * 5, *(1e-5 * 0.85**n for n in range(1, 21))]),
        (
            "speechcommands-ast-s",
            84_843,
            [*[2.5e-4] * 5, *(2.5e-4 * 0.85**n for n in range(1, 26))],
        ),
        (
            "speechcommands-ast-p",
            84_843,
            [*[2.5e-4] * 5, *(2.5e-4 * 0.85**n for n in range(1, 26))],
        ),
    ],
)
def test_learning_rate_of_every_epoch_is_that_of_the_paper(name, clips, expected):
    config = shipped(name).optimizer
    steps = math.ceil(clips / config.batch)
    last = [config.lr_at(epoch * steps - 1, steps) for epoch in range(1, config.epochs + 1)]
    assert last == pytest.approx(expected)
    first = [config.lr_at(epoch * steps, steps) for epoch in range(1, config.epochs)]
    assert first == pytest.approx(expected[1:])
    plan = config.schedule
    golden = multi_step(config.lr, plan.first, plan.every, plan.factor, config.epochs)
    assert last == pytest.approx(golden)


@pytest.mark.parametrize(
    ("name", "rate"), [("esc50-ast-p", 3.876e-7), ("speechcommands-ast-s", 4.3e-6)]
)
def test_learning_rate_ends_as_in_the_published_log(name, rate):
    config = shipped(name).optimizer
    assert config.lr_at(config.epochs * 10 - 1, 10) == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "clips"), [("audioset-full", 1_953_082), ("audioset-balanced", 20_785)]
)
def test_audioset_warms_up_over_a_thousand_steps_fifty_at_a_time(name, clips):
    config = shipped(name).optimizer
    steps = math.ceil(clips / config.batch)
    trace = [config.lr_at(step, steps) / config.lr for step in range(1100)]
    assert trace[:50] == [0] * 50
    assert trace[50:1000] == pytest.approx([step // 50 * 0.05 for step in range(50, 1000)])
    assert trace[1000:] == [1] * 100


@pytest.mark.parametrize(
    ("name", "labels", "tokens", "parameters"),
    [
        ("audioset-full", 527, 1214, 86_594_063),
        ("audioset-balanced", 527, 1214, 86_594_063),
        ("esc50-ast-s", 50, 602, 85_757_234),
        ("esc50-ast-p", 50, 602, 85_757_234),
        ("speechcommands-ast-s", 35, 146, 85_395_491),
        ("speechcommands-ast-p", 35, 146, 85_395_491),
    ],
)
def test_recipe_makes_the_published_model(name, labels, tokens, parameters):
    spec = shipped(name).model_spec
    with torch.device("meta"):
        model = AudioSpectrogramTransformer(spec)
    assert (spec.labels, spec.tokens) == (labels, tokens)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


# Recipes for two cores


@pytest.mark.parametrize(
    ("name", "labels", "tokens"), [("esc10", 10, 258), ("speechcommands-six", 6, 66)]
)
def test_small_recipe_starts_from_scratch(name, labels, tokens):
    recipe = shipped(name)
    assert (recipe.model_spec.labels, recipe.model_spec.tokens) == (labels, tokens)
    assert (recipe.init, recipe.model.size, recipe.model.depth) == (None, "tiny", 6)


# The recipe of the default bundle


@pytest.mark.parametrize("name", ["home", "home-encoder", "home-mixtures"])
def test_shipped_recipe_is_valid_and_wants_the_sounds_of_a_home(tmp_path, name):
    recipe = load_recipe(write_home_recipe(tmp_path, name))
    assert len(recipe.labels) == 527
    assert len(recipe.wanted) >= 40


def test_what_is_heard_in_noise_are_labels_of_home_in_packs_that_read_it():
    home = yaml.safe_load((RECIPES / "home.yaml").read_text(encoding="utf-8"))
    packs, wanted = (
        yaml.safe_load((RECIPES / home[key]).read_text(encoding="utf-8"))[key]
        for key in ("packs", "wanted")
    )
    reading = {name for name, pack in packs.items() if pack.get("may_table") == "heard.csv"}
    for row in read_rows(RECIPES / "packs" / "heard.csv", MAY_COLUMNS):
        assert row["pack"] in reading
        assert {*row["may"].split(MAY_SEPARATOR)} <= {*wanted}


def test_labels_that_are_wanted_may_stand_in_a_file_and_are_kept_by_name(tmp_path, packs):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "home.yaml").write_text("wanted: [Whistle]\n")
    path = write_recipe(tmp_path / "recipe.yaml", packs, wanted="lists/home.yaml")
    assert load_recipe(path).model_dump(mode="json")["wanted"] == ["Whistle"]
