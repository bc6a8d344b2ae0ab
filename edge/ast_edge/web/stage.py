"""What all viewers are shown, and the daemon's side of it, which rests while there are none."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ast_edge.app.report import DaemonReport
from ast_edge.app.service import Service
from ast_edge.base.clock import SINCE_BOOT
from ast_edge.base.times import iso8601
from ast_edge.detection.candidates import Candidate
from ast_edge.detection.event import Event
from ast_edge.detection.tracker import Step
from ast_edge.frontend.listener import Window
from ast_edge.outputs.payload import event_payload
from ast_edge.web.columns import Columns
from ast_edge.web.hints import hints
from ast_edge.web.labels import LabelTable
from ast_edge.web.page_state import page_state
from ast_edge.web.tap import SourceTap, scores_message
from ast_edge.web.viewer import Viewer

log = logging.getLogger(__name__)

MOST_VIEWERS = 8
STATE_SECONDS = 1.0
"""Between two states."""
HELD = 200
"""Candidates that are remembered."""
UNDERWAY = 500
"""Actions that may wait for the page's thread; of more, the newest are left out."""

Json = dict[str, Any]


class _Watched:
    """One source that somebody looks at; all of it in the page's thread."""

    def __init__(self, stage: "Stage", service: Service, source: str) -> None:
        self.source, self._stage, self._service = source, stage, service
        self.tap = SourceTap(stage.post, self._heard, self._scored, stage.held_back)
        self.table = LabelTable(service, source)
        hearing = service.plan.hearings[source]
        self._spec, self.columns = hearing.bundle.fbank, Columns(hearing.bundle.fbank)

    def renew(self) -> None:
        """Follow what has changed of labels and settings."""
        if not self.table.is_current():
            self.table = LabelTable(self._service, self.source)
            hearing = self._service.plan.hearings.get(self.source)
            if hearing and hearing.bundle.fbank != self._spec:
                self._spec, self.columns = hearing.bundle.fbank, Columns(hearing.bundle.fbank)

    def axis(self) -> Json:
        return {"type": "axis", "hertz": self.columns.hertz, "seconds": self.columns.seconds}

    def _heard(self, window: Window) -> None:
        if message := self.columns.feed(window):
            self._stage.send(message, self.source)

    def _scored(self, steps: Sequence[Step]) -> None:
        columns = self.table.columns
        if len(columns) and columns.max() < len(steps[0].probabilities):  # else of another plan
            self._stage.send(scores_message(steps, columns), self.source)


class Stage:
    """Shows viewers states, events, columns and scores; nothing is copied for nobody.

    A sink of the service. Its `publish` and what the taps hand over run in the daemon's thread, all
    else in that of the page, whose loop `open` is given.
    """

    def __init__(
        self, service: Service, read: Callable[[], DaemonReport], *, changes: bool
    ) -> None:
        """Take the service, and what returns how it is."""
        self._service, self._read, self._changes = service, read, changes
        self._loop: asyncio.AbstractEventLoop | None = None
        self._viewers: list[Viewer] = []
        self._watched: dict[str, _Watched] = {}
        self.held: deque[Json] = deque(maxlen=HELD)
        """Candidates, since somebody looked on."""
        self._posted = self._taken = 0

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, in the loop's thread; what waited for the loop before is lost with it."""
        self._posted = self._taken = 0
        self._loop = loop

    async def leave_all(self, code: int) -> None:
        """Say goodbye to all viewers; the daemon's side rests from then on."""
        self._loop = None
        for viewer in list(self._viewers):
            await viewer.close(code, "the daemon stops")
        self._viewers.clear()
        self._rest()

    @property
    def is_full(self) -> bool:
        """Whether there are as many viewers as may be."""
        return len(self._viewers) >= MOST_VIEWERS

    @property
    def viewers(self) -> int:
        """How many look on."""
        return len(self._viewers)

    def enter(self, viewer: Viewer) -> None:
        """Show everything to one more viewer."""
        self._viewers.append(viewer)
        self._watch(viewer)
        viewer.put(self._state())
        self._tell_labels()
        if len(self._viewers) == 1 and self._loop:
            self._loop.call_later(STATE_SECONDS, self._tick)

    def leave(self, viewer: Viewer) -> None:
        """Show nothing to a viewer any more."""
        if viewer in self._viewers:
            self._viewers.remove(viewer)
        self._rest()

    def state(self) -> Json:
        """Return how everything is; in any thread."""
        settings, minutes = self._service.commander.settings, dict[str, int]()
        if settings:
            minutes = settings.minutes_left(SINCE_BOOT())
        report = self._read()
        advice = hints(report, self._service.plan.config.sources)
        return page_state(report, snoozes=minutes, changes=self._changes, advice=advice)

    def publish(self, event: Event) -> None:
        """Take an event, in the daemon's thread."""
        if self._viewers:
            self.post(partial(self._tell_event, event))

    def close(self) -> None:
        """Do nothing: the page is closed by itself."""

    def post(self, action: Callable[[], None]) -> None:
        """Run an action in the page's thread, unless that hangs; called in the daemon's."""
        loop = self._loop
        if loop is None or self._posted - self._taken > UNDERWAY:
            return
        self._posted += 1
        try:
            loop.call_soon_threadsafe(self._take, action)
        except RuntimeError:  # closed in this moment
            self._posted -= 1

    def send(self, message: bytes, source: str) -> None:
        """Send to all who look at a source."""
        for viewer in self._viewers:
            if viewer.source == source:
                viewer.put(message)

    def held_back(self, candidate: Candidate) -> None:
        """Tell what has become no event."""
        held = {
            "source": candidate.source,
            "label": candidate.label.name,
            "slug": candidate.label.slug,
            "onset": iso8601(candidate.onset),
            "duration": round(max(0.0, candidate.offset - candidate.onset), 3),
            "peak": round(candidate.peak, 4),
            "why": candidate.why,
            "other": candidate.other,
        }
        self.held.append(held)
        self._tell({"type": "held", "held": held})

    def _take(self, action: Callable[[], None]) -> None:
        self._taken += 1
        action()

    def _tick(self) -> None:
        if not self._viewers or self._loop is None:
            return
        # First, so that no fault below ends it.
        self._loop.call_later(STATE_SECONDS, self._tick)
        for viewer in self._viewers:
            self._watch(viewer)
        state = self._state()
        for viewer in self._viewers:
            viewer.put(state)
        self._tell_labels()

    def _state(self) -> str:
        return json.dumps(self.state())

    def _tell_event(self, event: Event) -> None:
        payload = event_payload(event, node=self._service.plan.config.node)
        self._tell({"type": "event", "event": payload})

    def _tell(self, message: Json) -> None:
        text = json.dumps(message)
        for viewer in self._viewers:
            viewer.put(text)

    def _tell_labels(self) -> None:
        """Tell each viewer the labels of its source, if it does not know them as they are."""
        for watched in self._watched.values():
            watched.renew()
        for viewer in self._viewers:
            watched_ = self._watched.get(viewer.source)
            if watched_ and viewer.known is not watched_.table:
                viewer.known = watched_.table
                viewer.put(json.dumps(watched_.axis()))
                viewer.put(json.dumps(watched_.table.document()))

    def _watch(self, viewer: Viewer) -> None:
        """See that the pipeline of a viewer's source shows us what goes through."""
        source, daemon = viewer.source, self._service.daemon
        pipeline = daemon.pipelines.get(source)
        if pipeline is None or source not in self._service.plan.hearings:
            return
        if source not in self._watched:
            self._watched[source] = _Watched(self, self._service, source)
        tap = self._watched[source].tap
        if pipeline.tap is not tap:  # at first, and after a reload

            def attach() -> list[Event]:
                if self._watched.get(source) is not None and self._watched[source].tap is tap:
                    pipeline.watch(tap)
                return []

            daemon.submit(attach)

    def _rest(self) -> None:
        """Let go of the sources that nobody looks at."""
        wanted = {viewer.source for viewer in self._viewers}
        for source in [name for name in self._watched if name not in wanted]:
            del self._watched[source]
            pipeline = self._service.daemon.pipelines.get(source)

            def detach(pipeline: Any = pipeline, source: str = source) -> list[Event]:  # noqa: ANN401
                if pipeline is not None and source not in self._watched:
                    pipeline.watch(None)
                return []

            self._service.daemon.submit(detach)
