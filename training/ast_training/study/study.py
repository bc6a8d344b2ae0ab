"""Studies: variants of a recipe that are trained and evaluated alike, combined and compared.

A cross-validation, an ensemble and an ablation are all this: members, each with several seeds or
folds perhaps, ensembles of them perhaps, and a table at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import Field, model_validator

from ast_edge.base.errors import ConfigError
from ast_edge.base.transliteration import slugify
from ast_edge.base.yaml_file import InputPath, Section, load_yaml, parse_tree, read_tree
from ast_training.recipe.recipe import Recipe, load_recipe
from ast_training.run.folder import RunFolder


class StudyConfig(Section):
    """A study as it stands in YAML."""

    name: str
    title: str = ""
    recipe: InputPath
    """What the members vary."""
    members: dict[str, dict[str, Any]] = Field(min_length=1)
    """Name -> the keys of the recipe that are other; paths in them are relative to the recipe."""
    seeds: list[int] = Field(default=[1], min_length=1)
    """Every member is trained with each; one that says its own `seed` is trained once."""
    folds: list[int] = Field(default_factory=list)
    """Every member is trained with each held out; none trains as the recipe says."""
    ensembles: dict[str, list[str]] = Field(default_factory=dict)
    """Name -> members whose probabilities are averaged, with all their seeds."""
    paper: dict[str, str] = Field(default_factory=dict)
    """Member or ensemble -> what the paper or its authors' logs have, to print beside."""

    @model_validator(mode="after")
    def _names_exist(self) -> "StudyConfig":
        for name, members in self.ensembles.items():
            unknown = [member for member in members if member not in self.members]
            if unknown:
                raise ValueError(f"ensembles.{name}: {unknown[0]!r} is no member")
            if sum(len(self.seeds_of(member)) for member in members) < 2:
                raise ValueError(f"ensembles.{name}: expected two models or more to combine")
        for name in self.paper:
            if name not in self.members and name not in self.ensembles:
                raise ValueError(f"paper: {name!r} is neither a member nor an ensemble")
        if len({slugify(member) for member in self.members}) < len(self.members):
            raise ValueError("members: two have the same name but for case and punctuation")
        return self

    def seeds_of(self, member: str) -> list[int]:
        """Return the seeds that a member is trained with."""
        own = self.members[member].get("seed")
        return list(self.seeds) if own is None else [own]


@dataclass(frozen=True)
class Trial:
    """One training of a study."""

    member: str
    seed: int
    fold: int | None
    """The fold that is held out; None where the recipe says what is."""
    recipe: Recipe

    def folder(self, runs: Path, study: str) -> RunFolder:
        """Return where its run lies."""
        folder = runs / study / slugify(self.member) / f"seed-{self.seed}"
        return RunFolder(folder if self.fold is None else folder / f"fold-{self.fold}")


class Study:
    """A study with all its trials."""

    def __init__(self, config: StudyConfig) -> None:
        """Make the recipes of all trials.

        Raises:
            ConfigError: if the changes of a member make no recipe.
        """
        self.config = config
        load_recipe(config.recipe)  # says first what is wrong with the recipe itself
        base = cast(dict[str, Any], read_tree(config.recipe))
        folds: list[int | None] = [*config.folds] or [None]
        self.trials = [
            Trial(member, seed, fold, _vary(base, config, member, seed, fold))
            for fold in folds
            for member in config.members
            for seed in config.seeds_of(member)
        ]


def load_study(path: Path) -> Study:
    """Read a study.

    Raises:
        ConfigError: in one line with the file, the key path and, for a typo, the nearest match.
    """
    return Study(load_yaml(path, StudyConfig))


def _vary(
    base: Mapping[str, Any], config: StudyConfig, member: str, seed: int, fold: int | None
) -> Recipe:
    tree = _merged(base, {**config.members[member], "seed": seed})
    if fold is not None:
        tree = _merged(tree, {"data": {"fold": fold}})
    try:
        return parse_tree(tree, Recipe, config.recipe)
    except ConfigError as exc:
        raise ConfigError(f"as the study's member {member!r} changes it, {exc}") from exc


def _merged(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change keys of a tree; a section keeps those that are not named, null removes it."""
    merged = dict(tree)
    for key, value in changes.items():
        known = merged.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(known, value)
        else:
            merged[key] = value
    return merged
