"""Targets: which of a recipe's labels a pack's own label stands for, and which it leaves open."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

from ast_edge.base.errors import ConfigError
from ast_edge.model.ontology import Kind, Ontology, load_ontology

APART = {"Bell": "Musical instrument", "Doorbell": "Door"}
"""What stands under what in AudioSet's ontology and is not heard as it: church bells, as music."""


@cache
def heard_ontology() -> Ontology:
    """Read AudioSet's ontology, without what is `APART`."""
    ontology = load_ontology()
    kinds = dict(ontology.kinds)
    for name, above in APART.items():
        child, parent = ontology.find(name), kinds[ontology.find(above).mid]
        children = tuple(mid for mid in parent.children if mid != child.mid)
        kinds[parent.mid] = replace(parent, children=children)
    return Ontology(kinds)


@dataclass(frozen=True)
class Targets:
    """Columns of a recipe's labels by what AudioSet calls a sound."""

    labels: Mapping[str, str]
    """Display name -> AudioSet machine id, in the order of the columns."""
    ontology: Ontology = field(default_factory=heard_ontology)

    @cached_property
    def _mids(self) -> dict[str, str]:
        """Machine ids by name; the recipe's own names come first."""
        return {n.name: n.mid for n in self.ontology.kinds.values()} | dict(self.labels)

    def knows(self, name: str) -> bool:
        """Tell whether a name is a label of the recipe or a kind of sound of AudioSet's."""
        return name in self._mids

    def heard(self, names: Iterable[str]) -> tuple[int, ...]:
        """Return the columns that sound: each name's own, and those it is a kind of for certain.

        Raises:
            ConfigError: if a name is neither a label nor in the ontology.
        """
        return self._columns_of(self._certain({self._mid(name) for name in names}))

    def open(self, names: Iterable[str]) -> tuple[int, ...]:
        """Return the columns that may sound as well: kinds of what is heard, and what it may be of.

        Who said "dog" did not say whether it barks, and who said "hiss" not whether it is a cat. A
        growl that is said to be a dog's is no cat's.
        """
        mids = {self._mid(name) for name in names}
        certain = self._certain(mids)
        may = set[str]()
        for node in self._nodes(mids):
            may |= self.ontology.under(node)
            perhaps = self.ontology.perhaps_above(node)
            if not perhaps & certain:
                may |= perhaps
        return self._columns_of(may - certain)

    def _certain(self, mids: set[str]) -> set[str]:
        return mids.union(*(self.ontology.above(node) for node in self._nodes(mids)))

    def _columns_of(self, mids: Collection[str]) -> tuple[int, ...]:
        return tuple(column for column, mid in enumerate(self.labels.values()) if mid in mids)

    def _nodes(self, mids: Iterable[str]) -> list[Kind]:
        """Return what is in the ontology."""
        return [self.ontology.kinds[mid] for mid in mids if mid in self.ontology.kinds]

    def _mid(self, name: str) -> str:
        if name not in self._mids:
            raise ConfigError(f"{name!r} is none of the labels and no name in AudioSet's ontology")
        return self._mids[name]
