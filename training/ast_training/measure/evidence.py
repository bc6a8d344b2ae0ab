"""What stands behind figures of a split: so many sources of background noise and of each label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ast_edge.base.errors import ConfigError
from ast_training.data.clip_list import Split
from ast_training.data.recordings import Recording
from ast_training.recipe.recipe import Recipe

BACKGROUNDS = 15
"""Sources of background noise below which nothing is said of false alarms."""
FEW = 5
"""Sources of a label below which its figures are rough."""
NAMED = 20
"""Labels in a line; AudioSet has 527."""


@dataclass(frozen=True)
class Evidence:
    """How many independent sources a split has."""

    backgrounds: int
    labels: dict[str, int]
    """By name."""


def say_few(sources: Mapping[str, int]) -> str:
    """Name the labels with few sources, given their numbers by name; nothing if there are none."""
    few = [f"{name} ({count})" for name, count in sources.items() if count < FEW]
    more = f" and {len(few) - NAMED} more" if len(few) > NAMED else ""
    said = f"rough figures, of fewer than {FEW} sources: {', '.join(few[:NAMED])}{more}"
    return said if few else ""


def evidence_of(recipe: Recipe, recordings: Sequence[Recording], split: Split) -> Evidence:
    """Count the sources of a split."""
    rows = [one for one in recordings if one.split == split]
    return Evidence(
        len({one.group for one in rows if one.role == "background"}),
        {
            name: len({r.group for r in rows if r.role == "events" and column in r.targets})
            for column, name in enumerate(recipe.labels)
            if not recipe.wanted or name in recipe.wanted
        },
    )


def check_test_split(recipe: Recipe, recordings: Sequence[Recording]) -> Evidence:
    """Return what the recipe's recordings for testing amount to.

    Raises:
        ConfigError: if figures of them would say nothing about other rooms.
    """
    evidence = evidence_of(recipe, recordings, "test")
    if evidence.backgrounds < BACKGROUNDS:
        raise ConfigError(
            f"the recipe {recipe.name!r} holds out {evidence.backgrounds} sources of background "
            f"noise for test, expected {BACKGROUNDS} or more: give its packs of the role "
            "background a larger test_share, or more recordings"
        )
    return evidence
