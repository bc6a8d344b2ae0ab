"""The recipes and studies that come with ast-train, in a checkout and in an installed package."""

from pathlib import Path

PLACE = Path("configs/train")
"""Where they stand in a checkout, and where they are put elsewhere."""


def shipped_recipes() -> Path:
    """Return the folder of recipes: in the package, or in the checkout that it is in."""
    package = Path(__file__).parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parents[1] / PLACE


def shipped_studies() -> dict[str, Path]:
    """Return the files of the studies, by name."""
    return {path.stem: path for path in sorted(shipped_recipes().glob("studies/*.yaml"))}


def copy_recipes(folder: Path) -> list[Path]:
    """Copy all recipes, packs with their tables, and studies; what is there stays as it is.

    Returns what was written.

    Raises:
        OSError: it cannot be written.
    """
    written = []
    source = shipped_recipes()
    for path in sorted([*source.rglob("*.yaml"), *source.rglob("*.csv")]):
        place = folder / path.relative_to(source)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
            written.append(place)
    return written
