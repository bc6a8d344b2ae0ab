"""Targets: which of a recipe's labels a pack's own label stands for, and which it leaves open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ast_edge.base.errors import ConfigError
from ast_edge.model.ontology import Ontology, load_ontology


@dataclass(frozen=True)
class Targets:
    """Columns of a recipe's labels by what AudioSet calls a sound."""

    labels: Mapping[str, str]
    """Display name -> AudioSet machine id, in the order of the columns."""
    ontology: Ontology = field(default_factory=load_ontology)

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.labels)}

    @cached_property
    def _mids(self) -> dict[str, str]:
        """Machine ids by name; the recipe's own names come first."""
        return {n.name: n.mid for n in self.ontology.kinds.values()} | dict(self.labels)

    def knows(self, name: str) -> bool:
        """Tell whether a name is a label of the recipe or a kind of sound of AudioSet's."""
        return name in self._mids

    def heard(self, names: Iterable[str]) -> tuple[int, ...]:
        """Return the columns that sound: each name's own, and those it is a kind of.

        Raises:
            ConfigError: if a name is neither a label nor in the ontology.
        """
        mids = {self._mid(name) for name in names}
        return tuple(
            column
            for column, (name, mid) in enumerate(self.labels.items())
            if mid in mids or mids & self._kinds(mid)
        )

    def open(self, names: Iterable[str]) -> tuple[int, ...]:
        """Return the columns that may sound as well: the kinds of what is heard.

        Who said "dog" did not say whether it barks.
        """
        names = list(names)
        certain = set(self.heard(names))
        under = frozenset[str]().union(*(self._kinds(self._mid(name)) for name in names))
        return tuple(
            column
            for column, mid in enumerate(self.labels.values())
            if mid in under and column not in certain
        )

    def _mid(self, name: str) -> str:
        if name not in self._mids:
            raise ConfigError(f"{name!r} is none of the labels and no name in AudioSet's ontology")
        return self._mids[name]

    def _kinds(self, mid: str) -> frozenset[str]:
        node = self.ontology.kinds.get(mid)
        return self.ontology.under(node) if node else frozenset((mid,))
