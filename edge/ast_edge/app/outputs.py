"""Where the events of a plan go besides the broker."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ast_edge.app.plan import Plan
from ast_edge.base.errors import AstError
from ast_edge.monitoring.observer import Observer
from ast_edge.outputs.clips import Clips
from ast_edge.outputs.history import History, history_path
from ast_edge.outputs.jsonl import JsonLinesSink
from ast_edge.outputs.log_sink import LogSink
from ast_edge.outputs.sink import Sink


class _Closable(Sink, Protocol):
    def close(self) -> None: ...


@dataclass(frozen=True)
class _Part:
    """An output, and the part of the plan that it was made of."""

    made_of: object
    sink: _Closable


class Outputs:
    """JSON lines, history and clips, as a plan wants them, and the log where nobody else tells.

    Another plan's outputs share those that are the same; a file of JSON lines is always opened
    anew, so that one that was moved away is let go.
    """

    def __init__(
        self,
        plan: Plan,
        channels: Mapping[str, int | None],
        before: "Outputs | None" = None,
    ) -> None:
        """Open what is not open already in those of before.

        `channels` says which of each source is listened to; it may change.

        Raises:
            AstError: one of them cannot be opened; nothing has changed then.
        """
        self._plan, self._channels = plan, channels
        self._parts: dict[str, _Part] = {}
        self._log: list[Sink] = [] if plan.config.mqtt and plan.config.mqtt.echo else [LogSink()]
        shared = before._parts if before else {}
        try:
            for name, (made_of, make) in self._wanted().items():
                part = shared.get(name)
                if part is None or part.made_of != made_of or name == "jsonl":
                    part = _Part(made_of, make())
                self._parts[name] = part
        except AstError:
            self.close(but=before)
            raise

    @property
    def sinks(self) -> list[Sink]:
        """All that are told of events."""
        return [*self._log, *(part.sink for part in self._parts.values())]

    @property
    def observers(self) -> list[Observer]:
        """Those that are told of sound as well."""
        return [p.sink for p in self._parts.values() if isinstance(p.sink, Clips)]

    @property
    def clips(self) -> Clips | None:
        """What keeps the sound of events; None if nothing does."""
        part = self._parts.get("clips")
        return part.sink if part and isinstance(part.sink, Clips) else None

    def close(self, but: "Outputs | None" = None) -> None:
        """Close all but those that others share."""
        kept = [part.sink for part in but._parts.values()] if but else []
        for part in self._parts.values():
            if not any(part.sink is sink for sink in kept):
                part.sink.close()

    def _wanted(self) -> dict[str, tuple[object, Callable[[], _Closable]]]:
        """Return what each is made of, and how."""
        config, wanted = self._plan.config, dict[str, tuple[object, Callable[[], _Closable]]]()
        if (path := config.jsonl) is not None:
            wanted["jsonl"] = path, lambda: JsonLinesSink(path, node=config.node)
        # Not in the demo, which leaves nothing behind.
        if config.history.enabled and not (config.mqtt and config.mqtt.embedded):
            events = config.history.max_events
            wanted["history"] = (
                config.history,
                lambda: History(history_path(config.node), node=config.node, max_events=events),
            )
        if (clips := config.clips) is not None:
            wanted["clips"] = clips, lambda: Clips(clips, self._channels)
        return wanted
