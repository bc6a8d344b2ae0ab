"""The engines that are open: one for each bundle, shared by all sources that listen with it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from ast_edge.base.errors import EngineError
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine
from ast_edge.model.bundle import Bundle


class Engines(Mapping[Path, Engine]):
    """Engines by the keys of their bundles; any thread may look one up."""

    def __init__(
        self,
        config: EngineConfig,
        make: Callable[[Bundle, EngineConfig], Engine] = open_engine,
    ) -> None:
        """Open none yet; `make` opens one."""
        self._config, self._make = config, make
        self._open: dict[Path, Engine] = {}  # replaced, never changed: others read it

    def __getitem__(self, key: Path) -> Engine:
        return self._open[key]

    def __iter__(self) -> Iterator[Path]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)

    def open(self, bundles: Collection[Bundle]) -> None:
        """Open those that are not open.

        Raises:
            EngineError: for one there is no engine, and none has been opened then.
        """
        opened: dict[Path, Engine] = {}
        for bundle in bundles:
            if bundle.key in self._open:
                continue
            try:
                opened[bundle.key] = self._make(bundle, self._config)
            except EngineError as exc:
                for engine in opened.values():
                    engine.close()
                if len(bundles) == 1:
                    raise
                raise EngineError(f"bundle {bundle.name!r}: {exc}") from exc
        self._open = self._open | opened

    def keep(self, bundles: Collection[Bundle]) -> None:
        """Close all but those of these bundles."""
        keys = {bundle.key for bundle in bundles}
        before = self._open
        self._open = {key: before[key] for key in before if key in keys}
        for key in before.keys() - keys:
            before[key].close()

    def close(self) -> None:
        """Close all."""
        self.keep(())
