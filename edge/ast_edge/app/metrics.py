"""The Prometheus endpoint: what the daemon does, for others to collect.

Source: prometheus.io/docs/practices/naming.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ast_edge import __version__
from ast_edge.monitoring.config import MetricsConfig, parse_address
from ast_edge.monitoring.histogram import Histogram
from ast_edge.monitoring.memory import resident_bytes
from ast_edge.monitoring.reading import Reading

if TYPE_CHECKING:
    from ast_edge.app.reload import Reload
    from ast_edge.app.service import Service

log = logging.getLogger(__name__)


class MetricsServer:
    """Serves the metrics over HTTP, on every path, to everybody who reaches the address.

    An address that cannot be listened on is an error in the log: sounds are detected without it.
    """

    def __init__(self, config: MetricsConfig, service: "Service", reload: "Reload") -> None:
        """Begin to serve."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(DaemonCollector(service, reload))
        host, port = parse_address(config.listen)
        self._server = None
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as exc:
            log.error(
                "metrics: cannot listen on %s: %s; there are none until the next start",
                *(config.listen, exc.strerror or exc),
            )
            return
        self.port = self._server.server_port
        log.info("metrics at http://%s/metrics", config.listen)

    def close(self) -> None:
        """Stop to serve."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


class DaemonCollector(Collector):
    """Reads the metrics of a service whenever they are asked for."""

    def __init__(self, service: "Service", reload: "Reload") -> None:
        """Take what is to be read."""
        self._service, self._reload = service, reload

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; called in the server's threads."""
        reading = self._service.monitor.read()
        yield from self._of_process(reading)
        yield from self._of_sources(reading)
        yield from _of_engine(reading)
        yield from self._of_broker()

    def _of_process(self, reading: Reading) -> Iterator[Metric]:
        plan, engines = self._service.plan, self._service.engines
        names = dict.fromkeys(engine.name for engine in engines.values())
        info = {"version": __version__, "node": plan.config.node, "engine": ", ".join(names)}
        info |= {"bundle": ", ".join(bundle.name for bundle in plan.bundles)}
        yield InfoMetricFamily("ast_edge", "What is running.", info)
        yield _gauge("start_time_seconds", "Unix time of the start.", self._service.started.read())
        yield _gauge("resident_memory_bytes", "Memory of the process.", resident_bytes())
        newest = self._reload.newest
        refused = bool(newest and newest.refusal)
        yield _gauge(
            "config_reload_successful", "0 after a reload that was refused.", int(not refused)
        )

    def _of_sources(self, reading: Reading) -> Iterator[Metric]:
        sources, dropped = reading.sources, self._service.daemon.dropped
        heard = InfoMetricFamily("ast_edge_source", "What listens to it.", labels=["source"])
        for source, found in sources.items():
            heard.add_metric([source], {"bundle": found.bundle})
        yield heard
        yield _by_source("up", "Whether sound arrives.", ((n, s.is_up) for n, s in sources.items()))
        yield _by_source(
            "level_dbfs",
            "RMS level of the newest second.",
            ((n, s.level.rms) for n, s in sources.items() if s.level),
        )
        for name, text, values in (
            ("audio_seconds", "Sound heard.", [s.audio_seconds for s in sources.values()]),
            ("audio_gaps", "Interruptions of the sound.", [s.gaps for s in sources.values()]),
            (
                "bad_samples",
                "Samples that were no numbers or far too large.",
                [s.bad_samples for s in sources.values()],
            ),
            ("windows", "Windows taken.", [s.windows for s in sources.values()]),
            (
                "windows_dropped",
                "Windows not looked at because the engine could not keep up.",
                [dropped[name] for name in sources],
            ),
        ):
            family = CounterMetricFamily(f"ast_edge_{name}", text, labels=["source"])
            for source, value in zip(sources, values, strict=True):
                family.add_metric([source], value)
            yield family
        events = CounterMetricFamily(
            "ast_edge_events", "Events that have begun.", labels=["source", "label"]
        )
        for source, found in sources.items():
            for label, count in found.events.items():
                events.add_metric([source, label], count)
        yield events
        unusable = CounterMetricFamily(
            "ast_edge_windows_unusable",
            "Windows for which the engine gave no probabilities.",
            labels=["bundle"],
        )
        for bundle in reading.inference:
            unusable.add_metric([bundle], self._service.daemon.unusable[bundle])
        yield unusable
        skipped = self._service.daemon.skipped_windows
        yield _counter("windows_skipped", "Windows that the engine need not look at.", skipped)

    def _of_broker(self) -> Iterator[Metric]:
        node = self._service.node
        if not node:
            return
        broker = node.publisher
        yield _gauge("mqtt_connected", "Whether the broker is connected.", broker.connected)
        yield _counter("mqtt_reconnects", "Connections made again.", broker.reconnects)
        yield _counter("mqtt_events_lost", "Events given up, or refused.", broker.dropped)
        yield _gauge("outbox_events", "Events that wait for the broker.", broker.waiting)


def _of_engine(reading: Reading) -> Iterator[Metric]:
    inference = HistogramMetricFamily(
        "ast_edge_inference_seconds", "Time that a batch of windows took.", labels=["bundle"]
    )
    for bundle, found in reading.inference.items():
        inference.add_metric([bundle], _buckets(found), found.total)
    yield inference
    yield HistogramMetricFamily(
        "ast_edge_event_latency_seconds",
        "From the onset of a live event to its being handed over for publishing.",
        _buckets(reading.latency),
        reading.latency.total,
    )
    if reading.real_time_factor is not None:
        text = "Seconds of computing per second of sound, of late."
        yield _gauge("real_time_factor", text, reading.real_time_factor)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ast_edge_{name}", text, value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"ast_edge_{name}", text, value)


def _by_source(name: str, text: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(f"ast_edge_source_{name}", text, labels=["source"])
    for source, value in values:
        family.add_metric([source], value)
    return family


def _buckets(found: Histogram) -> list[tuple[str, float]]:
    limits = [*map(str, found.buckets), "+Inf"]
    return list(zip(limits, map(float, found.cumulative), strict=True))
