"""Events as log lines, for a terminal or the journal."""

import logging
from datetime import datetime

from ast_edge.base.log_format import EVERY_TIME
from ast_edge.detection.event import Event

log = logging.getLogger(__name__)


class LogSink:
    """Log the start and the end of every event."""

    def publish(self, event: Event) -> None:
        """Log one line, in local time."""
        onset = datetime.fromtimestamp(event.onset).strftime("%H:%M:%S")
        if event.phase == "start":
            log.info(
                "%s: %s since %s (%.2f)",
                *(event.source, event.label.name, onset, event.score),
                extra=EVERY_TIME,
            )
        elif event.phase == "end":
            log.info(
                "%s: %s is over, %s for %.1f s (peak %.2f)",
                *(event.source, event.label.name, onset, event.duration, event.peak),
                extra=EVERY_TIME,
            )

    def close(self) -> None:
        """Do nothing: every line is already written."""
