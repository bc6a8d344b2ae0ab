"""Following what others change while the daemon runs."""

import time
from collections.abc import Callable, Mapping

from ast_edge.app.settings import LiveSettings
from ast_edge.base.clock import SINCE_BOOT
from ast_edge.detection.event import Event
from ast_edge.detection.pipeline import Pipeline
from ast_edge.mqtt.commands import Command, CommandRefused


class Commander:
    """Judges commands by the present configuration, and lets the pipelines follow them.

    All methods are called in the daemon's thread, as the pipelines' are; `settings` may be read in
    any: it is replaced as a whole when the configuration is another.
    """

    def __init__(
        self,
        settings: LiveSettings | None,
        pipelines: Mapping[str, Pipeline],
        *,
        tell: Callable[[str, str], None] = lambda source, why: None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = SINCE_BOOT,
    ) -> None:
        """Let the pipelines follow what was kept; with None nothing is changed by others.

        `tell` is told of each source why nothing of it is reported; "" if it is.
        """
        self._tell = tell
        self._pipelines, self._clock, self._steady = pipelines, clock, steady
        self.turn_to(settings)
        for pipeline in pipelines.values():
            self.apply(pipeline)

    def turn_to(self, settings: LiveSettings | None) -> None:
        """Judge by the settings of another configuration, which keep what was changed."""
        self.settings = settings
        self._minutes = settings.minutes_left(self._steady()) if settings else {}

    def apply(self, pipeline: Pipeline) -> list[Event]:
        """Let a pipeline follow what was changed; return the ends of what is reported no more."""
        self._tell(pipeline.source, self.pause(pipeline.source))
        return self.settings.apply(pipeline, self._steady()) if self.settings else []

    def obey(self, command: Command) -> list[Event]:
        """Follow a command and return the ends of what is reported no more.

        Raises:
            CommandRefused: if it does not fit the present configuration, or cannot be kept.
        """
        if self.settings is None or not self.settings.knows(command.source, command.label):
            raise CommandRefused(f"{command.name}: the configuration has changed: say it again")
        now = self._steady()
        self.settings.change(command, now)
        self._minutes = self.settings.minutes_left(now)  # the answer to the command tells it
        return self.apply(self._pipelines[command.source])

    def pause(self, source: str) -> str:
        """Say why nothing of a source is reported; empty if it is."""
        if self.settings is None:
            return ""
        return self.settings.of(source).pause(self._steady(), self._clock())

    def pass_time(self) -> tuple[list[Event], list[str]]:
        """End the snoozes that are over.

        Returns:
            the events that this ends, and the sources whose snooze is shorter by a minute, or over.
        """
        events, changed = list[Event](), list[str]()
        if self.settings is None:
            return events, changed
        before, self._minutes = self._minutes, self.settings.minutes_left(self._steady())
        for source, minutes in self._minutes.items():
            if minutes == before[source]:
                continue
            changed.append(source)
            self._tell(source, self.pause(source))
            if not minutes:
                events += self.apply(self._pipelines[source])
        return events, changed
