"""The AudioSet ontology: which sounds are kinds of which others.

Source: Gemmeke et al. 2017, "Audio Set: An ontology and human-labeled dataset for audio events".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from ast_edge.base.errors import ConfigError
from ast_edge.base.transliteration import slugify
from ast_edge.base.yaml_file import did_you_mean


@dataclass(frozen=True)
class Kind:
    """One kind of sound."""

    mid: str
    """AudioSet machine id."""
    name: str
    children: tuple[str, ...]
    """Machine ids of the kinds directly under it; a kind can be under several."""


@dataclass(frozen=True)
class Ontology:
    """All kinds of sound, by their machine ids."""

    kinds: Mapping[str, Kind]

    def find(self, name: str) -> Kind:
        """Find a kind by its name, in whatever case, or by its machine id.

        Raises:
            ConfigError: with the nearest match.
        """
        for kind in self.kinds.values():
            if name == kind.mid or slugify(name) == slugify(kind.name):
                return kind
        near = did_you_mean(name, [kind.name for kind in self.kinds.values()])
        if not near.startswith(","):  # nothing is near, and all 632 would fill the screen
            near = "; its names are at research.google.com/audioset/ontology"
        raise ConfigError(f"AudioSet's ontology has no {name!r}{near}")

    def under(self, kind: Kind) -> frozenset[str]:
        """Return the machine ids of a kind and of all kinds of it."""
        found: set[str] = set()
        todo = [kind.mid]
        while todo:
            mid = todo.pop()
            if mid not in found:
                found.add(mid)
                todo += self.kinds[mid].children
        return frozenset(found)

    def above(self, kind: Kind) -> frozenset[str]:
        """Return the machine ids of a kind and of what it is one of, whichever way it is reached.

        A growl is an animal's, but it stands under dogs and under cats, and is not both.
        """
        ways = [self.above(self.kinds[mid]) for mid in self._parents.get(kind.mid, ())]
        return frozenset((kind.mid,)) | (frozenset.intersection(*ways) if ways else frozenset())

    def perhaps_above(self, kind: Kind) -> frozenset[str]:
        """Return the machine ids of what it may be one of: on one way to it and not on all."""
        reached = frozenset[str]()
        todo = [kind.mid]
        while todo:
            mid = todo.pop()
            reached |= {mid}
            todo += self._parents.get(mid, ())
        return reached - self.above(kind)

    @cached_property
    def _parents(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for kind in self.kinds.values():
            for mid in kind.children:
                found.setdefault(mid, []).append(kind.mid)
        return found


@cache
def load_ontology() -> Ontology:
    """Read the ontology that comes with ast-edge."""
    text = files("ast_edge.model").joinpath("ontology.tsv").read_text(encoding="utf-8")
    kinds = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            mid, name, children = line.split("\t")
            kinds[mid] = Kind(mid, name, tuple(children.split()))
    return Ontology(kinds)
