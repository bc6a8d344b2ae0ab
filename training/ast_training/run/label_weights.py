"""How much each label counts in a recipe's loss."""

from rich.console import Console

from ast_training.data.example import Examples
from ast_training.model.losses import effective_number_weights
from ast_training.recipe.recipe import Recipe
from ast_training.run.clip_examples import ClipExamples


def label_weights(recipe: Recipe, examples: Examples, console: Console) -> list[float] | None:
    """Return the weight of every label, by whether it is wanted and how rare it is, and say so.

    None if all count alike.
    """
    wanted = recipe.label_weights
    if not recipe.class_weights or not isinstance(examples, ClipExamples):
        return wanted
    counts = examples.label_counts().tolist()
    rare = effective_number_weights(counts, recipe.class_weights)
    ends = [by(zip(rare, counts, recipe.labels, strict=True)) for by in (min, max)]
    said = " to ".join(f"{weight:.2f} ({name}, {count} clips)" for weight, count, name in ends)
    console.print(f"labels count from {said}")
    return [one * other for one, other in zip(rare, wanted or [1.0] * len(rare), strict=True)]
