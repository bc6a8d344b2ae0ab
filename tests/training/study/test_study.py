from pathlib import Path

import pytest
import yaml
from rigs.training.home_recipes import with_any_weights, write_home_recipe
from rigs.training.studies import write_study

from ast_edge.base.errors import ConfigError
from ast_training.study.study import StudyConfig, load_study

STUDIES = Path(__file__).parents[3] / "configs" / "train" / "studies"


@pytest.fixture
def study(tmp_path):
    return load_study(write_study(tmp_path))


def test_every_member_is_trained_with_every_seed_and_fold(study):
    expected = [(f, m, s) for f in (1, 2) for m in ("whole", "halves") for s in (1, 2)]
    assert [(trial.fold, trial.member, trial.seed) for trial in study.trials] == expected


def test_a_trial_has_the_seed_and_the_fold_in_its_recipe(study):
    for trial in study.trials:
        assert trial.recipe.seed == trial.seed
        assert trial.recipe.data.fold == trial.fold


def test_a_member_changes_what_it_names_and_keeps_the_rest(study):
    patches = {trial.member: trial.recipe.model.patch for trial in study.trials}
    assert patches == {"whole": (128, 16), "halves": (64, 16)}
    assert {trial.recipe.model.frames for trial in study.trials} == {32}


def test_a_member_that_says_its_seed_is_trained_once_a_fold(tmp_path):
    study = load_study(
        write_study(tmp_path, members={"a": {}, "b": {"seed": 7}}, ensembles={}, paper={})
    )
    assert [t.seed for t in study.trials if t.fold == 1] == [1, 2, 7]


def test_every_trial_has_its_own_folder(study, tmp_path):
    folders = [trial.folder(tmp_path, "scale").path for trial in study.trials]
    assert len(set(folders)) == len(folders)
    assert folders[0] == tmp_path / "scale" / "whole" / "seed-1" / "fold-1"


def test_without_folds_the_recipe_says_what_is_held_out(tmp_path):
    study = load_study(write_study(tmp_path, folds=[]))
    assert {(trial.fold, trial.recipe.data.fold) for trial in study.trials} == {(None, None)}
    assert study.trials[0].folder(tmp_path, "x").path == tmp_path / "x" / "whole" / "seed-1"


def test_null_removes_a_section_of_the_recipe(tmp_path):
    members = {
        "kept": {"init": {"source": "a.safetensors"}},
        "removed": {"average": None, "init": None},
    }
    study = load_study(write_study(tmp_path, members=members, ensembles={}, paper={}))
    recipes = {trial.member: trial.recipe for trial in study.trials}
    assert recipes["kept"].average == (1, 2)
    assert (recipes["removed"].average, recipes["removed"].init) == (None, None)


def test_paths_of_a_member_are_relative_to_the_recipe(tmp_path):
    members = {"a": {"init": {"source": "a.safetensors"}}}
    study = load_study(write_study(tmp_path, members=members, ensembles={}, paper={}))
    assert study.trials[0].recipe.init.source == tmp_path / "a.safetensors"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"members": {}}, "members"),
        ({"seeds": []}, "seeds"),
        ({"recipe": "none.yaml"}, "recipe: no such file"),
        ({"ensemble": {}}, "ensemble: unknown key, did you mean 'ensembles'?"),
        ({"ensembles": {"both": ["whole", "half"]}}, "ensembles.both: 'half' is no member"),
        ({"paper": {"half": ""}}, "paper: 'half' is neither a member nor an ensemble"),
        (
            {"seeds": [1], "ensembles": {"both": ["whole"]}},
            "ensembles.both: expected two models or more",
        ),
        (
            {"members": {"a b": {}, "A-B": {}}, "ensembles": {}, "paper": {}},
            "two have the same name but for case and punctuation",
        ),
        (
            {"members": {"whole": {}, "halves": {"model": {"strid": [1, 1]}}}},
            "'halves' changes it, {folder}/recipe.yaml: model.strid: unknown key, did you mean",
        ),
    ],
)
def test_refuses_what_is_no_study(tmp_path, changes, words):
    with pytest.raises(ConfigError) as caught:
        load_study(write_study(tmp_path, **changes))
    assert words.format(folder=tmp_path) in str(caught.value)


# The studies that are shipped

NAMES = sorted({path.stem for path in STUDIES.glob("*.yaml")} - {"home-teaching"})  # of packs


def shipped(name):
    return load_study(STUDIES / f"{name}.yaml")


def patches(name):
    """Return each member's number of patches."""
    return {trial.member: trial.recipe.model_spec.tokens - 2 for trial in shipped(name).trials}


@pytest.mark.parametrize("name", NAMES)
def test_shipped_study_can_be_trained(name):
    study = shipped(name)
    assert all(trial.recipe.data is not None for trial in study.trials)
    assert study.config.title


def test_the_study_of_what_taught_home_gives_each_member_as_many_examples(tmp_path):
    tree = yaml.safe_load((STUDIES / "home-teaching.yaml").read_text(encoding="utf-8"))
    tree["recipe"] = str(write_home_recipe(tmp_path, "home-encoder"))
    for member in tree["members"].values():
        with_any_weights(member)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    recipes = [trial.recipe for trial in load_study(path).trials]
    budgets = {(r.soundscapes.examples_per_epoch, r.optimizer.epochs) for r in recipes}
    assert budgets == {(6400, 1)}
    assert sorted(len(recipe.teachers) for recipe in recipes) == [0, 2, 2, 3]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("overlap", {"512": 512, "657": 657, "850": 850, "1212": 1212}),
        ("overlap-words", {"64": 64, "81": 81, "100": 100, "144": 144}),
        (
            "patch-shape",
            {"128x2": 512, "16x16": 512, "32x32": 128, "16x16 from ImageNet": 512},
        ),
        ("patch-shape-words", {"128x2": 64, "16x16": 64, "32x32": 16}),
        ("ensemble-s", {"10x10": 1212}),
        ("ensemble-m", {"10x10": 1212, "12x12": 850, "14x14": 657, "16x16": 512}),
        ("pretraining", {"none": 1212, "ImageNet": 1212}),
        ("pos-embed", {"reinit": 1212, "nearest": 1212, "bilinear": 1212}),
        ("esc50-ast-s-folds", {"AST-S": 600}),
        ("esc50-ast-p-folds", {"AST-P": 600}),
    ],
)
def test_members_have_the_patches_of_the_paper(name, expected):
    assert patches(name) == expected


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("ensemble-s", {"Ensemble-S": 3}),
        ("ensemble-m", {"Ensemble-S": 3, "Ensemble-M": 6}),
        ("ensemble-s-balanced", {"Ensemble-S": 3}),
        ("ensemble-m-balanced", {"Ensemble-S": 3, "Ensemble-M": 11}),
    ],
)
def test_ensembles_have_as_many_models_as_those_of_the_paper(name, models):
    config = shipped(name).config
    assert {
        ensemble: sum(len(config.seeds_of(member)) for member in members)
        for ensemble, members in config.ensembles.items()
    } == models


@pytest.mark.parametrize("kind", ["", "-balanced"])
def test_ensemble_m_goes_on_with_the_runs_of_ensemble_s(kind):
    small, large = (
        {t.folder(Path(), study.config.name).path: t.recipe for t in study.trials}
        for study in (shipped(f"ensemble-s{kind}"), shipped(f"ensemble-m{kind}"))
    )
    assert small.items() <= large.items()


@pytest.mark.parametrize("name", ["esc50-ast-s-folds", "esc50-ast-p-folds"])
def test_esc50_is_cross_validated_over_five_folds_with_three_seeds(name):
    trials = [(trial.fold, trial.seed) for trial in shipped(name).trials]
    assert trials == [(fold, seed) for fold in range(1, 6) for seed in range(1, 4)]


@pytest.mark.parametrize(
    ("name", "scratch"),
    [
        ("pretraining", {"none"}),
        ("pretraining-words", {"none"}),
        ("patch-shape", {"128x2", "16x16", "32x32"}),
        ("overlap", set()),
        ("overlap-words", {"64", "81", "100", "144"}),
    ],
)
def test_only_these_members_start_from_scratch(name, scratch):
    assert {t.member for t in shipped(name).trials if t.recipe.init is None} == scratch


@pytest.mark.parametrize("name", ["pos-embed", "pos-embed-words"])
def test_positional_embeddings_are_adapted_in_the_three_ways_of_the_paper(name):
    modes = {trial.member: trial.recipe.init.pos_embed for trial in shipped(name).trials}
    assert modes == {"reinit": "reinit", "nearest": "nearest", "bilinear": "bilinear"}


@pytest.mark.parametrize("name", ["pretraining-words", "pos-embed-words"])
def test_small_studies_start_from_a_model_of_their_width_depth_and_patch(name):
    source = shipped("esc10").trials[0].recipe
    for recipe in (trial.recipe for trial in shipped(name).trials if trial.recipe.init):
        assert recipe.init.source.parent.name == source.name
        for part in ("width", "depth", "heads", "patch"):
            assert getattr(recipe.model_spec, part) == getattr(source.model_spec, part)


def test_seeds_of_a_member_are_those_of_the_study_unless_it_has_its_own():
    config = StudyConfig.model_construct(members={"a": {}, "b": {"seed": 9}}, seeds=[1, 2])
    assert (config.seeds_of("a"), config.seeds_of("b")) == ([1, 2], [9])
