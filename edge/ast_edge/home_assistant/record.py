"""The record of what a node has left at the broker, so that it can be taken away again."""

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ast_edge.base.files import write_files

log = logging.getLogger(__name__)

FORMAT = 1


@dataclass(frozen=True)
class Published:
    """What may be retained at the broker in this node's name."""

    configs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Discovery topics, each with its entities: id in the device and platform."""
    topics: tuple[str, ...] = ()
    """All other retained topics, sorted."""

    def __or__(self, other: "Published") -> "Published":
        """Return what is in the one or in the other; an entity has the platform it has in self."""
        configs = {
            topic: other.configs.get(topic, {}) | self.configs.get(topic, {})
            for topic in other.configs | self.configs
        }
        return Published(configs, tuple(sorted({*self.topics, *other.topics})))


def load_published(path: Path) -> Published:
    """Read the record; nothing was published if there is none or it cannot be understood."""
    try:
        tree = json.loads(path.read_bytes())
        if tree["format"] != FORMAT:
            raise ValueError(f"format {tree['format']!r}, expected {FORMAT}")
        if short := [topic for topic in tree["configs"] if topic.count("/") < 3]:
            raise ValueError(f"{short[0]!r} is no discovery topic")
        configs = {
            str(topic): {str(key): str(platform) for key, platform in entities.items()}
            for topic, entities in tree["configs"].items()
        }
        return Published(configs, tuple(sorted(map(str, tree["topics"]))))
    except FileNotFoundError:
        return Published()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        log.warning(
            "%s: cannot be used (%s); entities that were removed meanwhile may have to be deleted "
            "in Home Assistant by hand",
            *(path, exc),
        )
        return Published()


def save_published(path: Path, published: Published) -> None:
    """Write the record, whole or not at all; a fault (a full disk) is logged."""
    text = json.dumps({"format": FORMAT} | asdict(published))
    try:
        write_files({path: text.encode()})
    except OSError as exc:
        log.warning("%s: cannot be written: %s; the last one stays", path, exc.strerror or exc)
