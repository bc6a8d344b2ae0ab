"""The recipes of the bundle `home`, with any file in place of those that are not part of this."""

from pathlib import Path
from typing import Any

import yaml

RECIPES = Path(__file__).parents[3] / "configs" / "train"
ANY_FILE = RECIPES / "home.yaml"


def write_home_recipe(folder: Path, name: str) -> Path:
    """Write one of them where nothing but itself needs to be, and return its path."""
    recipe: dict[str, Any] = yaml.safe_load((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))
    recipe |= yaml.safe_load((RECIPES / recipe["packs"]).read_text(encoding="utf-8"))
    recipe["wanted"] = str(RECIPES / recipe["wanted"])
    for pack in recipe["packs"].values():
        tables = ("table", "terms_table", "may_table")
        pack |= {key: str(ANY_FILE) for key in tables if key in pack}
    with_any_weights(recipe)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    return path


def with_any_weights(tree: dict[str, Any]) -> None:
    """Put any file in the place of the weights of a recipe's or a member's teachers."""
    for teacher in tree.get("teachers", []):
        teacher["weights"] = str(ANY_FILE)
