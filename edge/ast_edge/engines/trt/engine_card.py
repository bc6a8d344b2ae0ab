"""Engine files and the cards beside them: an engine does not say what it is made for."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ast_edge.base.errors import EngineError
from ast_edge.base.files import write_files

FORMAT: Literal[1] = 1


@dataclass(frozen=True)
class Tensor:
    """An input or output of an engine."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    dtype: str
    """As NumPy names it; bfloat16."""
    shape: tuple[int, ...]
    """-1 is the batch."""


@dataclass(frozen=True)
class Profile:
    """Shapes of `fbank` (batch, frames, mels) that an engine takes, and is fastest for."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    min: tuple[int, ...]
    opt: tuple[int, ...]
    max: tuple[int, ...]


@dataclass(frozen=True)
class EngineCard:
    """What an engine was built from, by what and for what, and the sum of its file."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    format: Literal[1]
    library: str
    """Name of the module: tensorrt or tensorrt_rtx."""
    version: str
    """Of the library; no other can be relied on to read the engine."""
    device: str
    """Name of the GPU it was built on; empty if there was none."""
    capabilities: tuple[int, ...]
    """Compute capabilities it was built for (86 is 8.6); none if the library chose."""
    precision: str
    onnx_sha256: str
    """Of the bundle's graph, or what names the float16 graph that was made of it."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    profile: Profile
    size: int
    """Of the engine file, in bytes."""
    sha256: str

    def check(self, plan: bytes) -> None:
        """Compare an engine with its card.

        Raises:
            EngineError: if it is not the engine that the card describes.
        """
        if len(plan) != self.size:
            raise EngineError(
                f"the engine is damaged: expected {self.size} bytes, got {len(plan)}; build it "
                "again"
            )
        found = hashlib.sha256(plan).hexdigest()
        if found != self.sha256:
            raise EngineError(
                f"the engine is damaged or was changed: expected sha256 {self.sha256[:16]}…, "
                f"got {found[:16]}…; build it again"
            )


ADAPTER = TypeAdapter(EngineCard)


def card_path(engine: Path) -> Path:
    """Return the place of the card of an engine file."""
    return engine.with_name(engine.name + ".json")


def write_engine(path: Path, plan: bytes, card: EngineCard) -> None:
    """Write an engine and then its card, both whole or neither.

    Raises:
        EngineError: if they cannot be written.
    """
    card_text = ADAPTER.dump_json(card, indent=1) + b"\n"
    try:
        write_files({path: plan, card_path(path): card_text})
    except OSError as exc:
        raise EngineError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def read_engine(path: Path) -> tuple[bytes, EngineCard]:
    """Read an engine and its card, and compare them.

    Raises:
        EngineError: if one of them is missing or damaged, or they do not belong together.
    """
    card = read_card(card_path(path))
    try:
        plan = path.read_bytes()
    except OSError as exc:
        raise EngineError(f"{path}: cannot be read: {exc.strerror}") from exc
    try:
        card.check(plan)
    except EngineError as exc:
        raise EngineError(f"{path}: {exc}") from exc
    return plan, card


def read_card(path: Path) -> EngineCard:
    """Read the card of an engine.

    Raises:
        EngineError: if it is missing, damaged, of another format or has unknown fields.
    """
    try:
        return ADAPTER.validate_json(path.read_bytes())
    except OSError as exc:
        raise EngineError(f"{path}: cannot be read: {exc.strerror}") from exc
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        where = ".".join(str(part) for part in error["loc"])
        raise EngineError(
            f"{path}: is not the card of an engine in format {FORMAT}: "
            f"{where + ': ' if where else ''}{error['msg']}; build the engine again"
        ) from exc
