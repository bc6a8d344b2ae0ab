"""The AudioSet ontology: which sounds are kinds of which others.

Source: Gemmeke et al. 2017, "Audio Set: An ontology and human-labeled dataset for audio events".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ast_edge.base.errors import ConfigError
from ast_edge.base.transliteration import slugify
from ast_edge.base.yaml_file import did_you_mean


@dataclass(frozen=True)
class Node:
    """One kind of sound."""

    mid: str
    """AudioSet machine id."""
    name: str
    children: tuple[str, ...]
    """Machine ids of the kinds directly under it; a kind can be under several."""


@dataclass(frozen=True)
class Ontology:
    """All kinds of sound, by their machine ids."""

    nodes: Mapping[str, Node]

    def find(self, name: str) -> Node:
        """Find a kind by its name, in whatever case, or by its machine id.

        Raises:
            ConfigError: with the nearest match.
        """
        for node in self.nodes.values():
            if name == node.mid or slugify(name) == slugify(node.name):
                return node
        near = did_you_mean(name, [node.name for node in self.nodes.values()])
        if not near.startswith(","):  # nothing is near, and all 632 would fill the screen
            near = "; its names are at research.google.com/audioset/ontology"
        raise ConfigError(f"AudioSet's ontology has no {name!r}{near}")

    def under(self, node: Node) -> frozenset[str]:
        """Return the machine ids of a kind and of all kinds of it."""
        found: set[str] = set()
        todo = [node.mid]
        while todo:
            mid = todo.pop()
            if mid not in found:
                found.add(mid)
                todo += self.nodes[mid].children
        return frozenset(found)


@cache
def load_ontology() -> Ontology:
    """Read the ontology that comes with ast-edge."""
    text = files("ast_edge.model").joinpath("ontology.tsv").read_text(encoding="utf-8")
    nodes = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            mid, name, children = line.split("\t")
            nodes[mid] = Node(mid, name, tuple(children.split()))
    return Ontology(nodes)
