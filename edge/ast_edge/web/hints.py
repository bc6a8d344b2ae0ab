"""What the page advises while something is not well: `doctor`'s remedies, as far as they show."""

import time
from collections.abc import Mapping

from ast_edge.app.report import DaemonReport, SourceReport
from ast_edge.app.source_config import SourceConfig
from ast_edge.monitoring.remedies import Ailment, ailment_of_level, ailment_of_silence

PATIENCE = 10.0
"""Seconds without sound that a source may take to begin."""
DROPPED = 0.01
"""Share of the windows that the engine may be too slow for."""

BROKER = ""
"""What the broker's hint is about; no source is called so."""


def hints(report: DaemonReport, sources: Mapping[str, SourceConfig]) -> dict[str, Ailment]:
    """Return what ails each source that is not well, and the broker; the page has the words."""
    found = dict[str, Ailment]()
    for name, source in report.sources.items():
        config = sources.get(name)  # a reload may be under way
        if config and (ailment := _ailment(source, config)):
            found[name] = ailment
    if report.broker and not report.broker.connected and report.broker.fault:
        found[BROKER] = "broker"
    return found


def _ailment(source: SourceReport, config: SourceConfig) -> Ailment | None:
    reading, microphone = source.reading, config.microphone is not None
    is_live = microphone or config.url is not None
    waits = reading.state == "starting" and time.monotonic() - reading.heard_at > PATIENCE
    if is_live and (waits or reading.state in ("silent", "failed")):
        return ailment_of_silence(reading.detail or reading.health.reason, microphone=microphone)
    if microphone and reading.state in ("muted", "clipping"):
        return "zeros" if reading.state == "muted" else "clips"
    if microphone and reading.level:
        ailment = ailment_of_level(reading.level.peak, config.gain_db)
        if ailment in ("zeros", "quiet"):  # one loud second is no clipping
            return ailment
    looked_at = reading.windows + source.dropped
    return "slow" if source.dropped > DROPPED * looked_at else None
