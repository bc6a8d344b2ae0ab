"""Published models that ast-edge knows by name."""

from dataclasses import dataclass, field
from typing import Any

from ast_edge.model.bundle import Precision


@dataclass(frozen=True)
class KnownModel:
    """A model at a revision that does not change."""

    repository: str
    """OWNER/NAME on the hub."""
    revision: str
    """The commit."""
    about: str
    megabytes: dict[Precision, int]
    """What is downloaded, about."""
    cost: str
    """What a window takes, where it is known."""
    licence: str
    quality: dict[str, Any]
    """What was published of it; nothing of it was measured here."""
    sha256: dict[Precision, str] = field(default_factory=dict)
    """Of the graphs, where somebody who had the files has said it. Of others the hub's own word is
    taken: what its pointer to a large file says."""


KNOWN = {
    "audioset": KnownModel(
        repository="Xenova/ast-finetuned-audioset-10-10-0.4593",
        revision="249a1fbf0286b40e7f1ed687a8ae396997bf7dc6",
        about="AST-base of Gong et al. 2021, 527 sounds of AudioSet, windows of 10.24 s",
        megabytes={"fp32": 346, "fp16": 174, "int8": 91},
        cost="a window: 0.32 s on two server cores with bf16, 2 to 9 s published for a Pi 5",
        licence="BSD-3-Clause (of the weights of MIT/ast-finetuned-audioset-10-10-0.4593)",
        quality={"published_map": 0.4593, "published_on": "the evaluation set of AudioSet"},
    ),
}
