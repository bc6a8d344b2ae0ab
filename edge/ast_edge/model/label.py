"""What a model can hear."""

from dataclasses import dataclass
from functools import cached_property

from ast_edge.base.transliteration import slugify


@dataclass(frozen=True)
class Label:
    """One thing a model can hear."""

    index: int
    """Column in the model's output."""
    name: str
    """Display name, AudioSet's where it has one: "Baby cry, infant cry"."""
    mid: str
    """AudioSet machine id such as "/t/dd00002"; empty for a label that AudioSet lacks."""

    @cached_property
    def slug(self) -> str:
        """The name as a topic level: lower case, `[a-z0-9_]` only."""
        return slugify(self.name)
