"""What names labels may have: each is shown in one line and has a topic of its own."""

from collections.abc import Sequence

from ast_edge.model.label import Label

LONGEST_NAME = 200
"""Characters."""


def why_unusable(labels: Sequence[Label]) -> str | None:
    """Say what is wrong with the names of a model's labels, and what to do; None if nothing is."""
    slugs: dict[str, str] = {}
    for label in labels:
        for text in (label.name, label.mid):
            if len(text) > LONGEST_NAME or not text.isprintable():
                return (
                    f"expected labels of at most {LONGEST_NAME} characters that can be printed in "
                    f"one line, got {text!r:.60}"
                )
        if not label.slug:
            return f"no topic name can be made of the label {label.name!r}; rename it"
        if label.slug in slugs:
            return (
                f"two labels have the same topic name, {label.slug!r}: {slugs[label.slug]!r} and "
                f"{label.name!r}; rename one"
            )
        slugs[label.slug] = label.name
    return None
