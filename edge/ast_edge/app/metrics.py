"""The Prometheus endpoint: what the daemon does, for others to collect.

Source: prometheus.io/docs/practices/naming.
"""

import logging
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ast_edge.app.report import BrokerReport, DaemonReport
from ast_edge.monitoring.config import MetricsConfig, parse_address
from ast_edge.monitoring.histogram import Histogram
from ast_edge.monitoring.reading import Reading

log = logging.getLogger(__name__)


class MetricsServer:
    """Serves the metrics over HTTP, on every path, to everybody who reaches the address.

    An address that cannot be listened on is an error in the log: sounds are detected without it.
    """

    def __init__(self, config: MetricsConfig, read: Callable[[], DaemonReport]) -> None:
        """Begin to serve; `read` returns how the daemon is, in any thread."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(DaemonCollector(read))
        host, port = parse_address(config.listen)
        self._server = None
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as exc:
            log.error(
                "metrics: cannot listen on %s: %s; there are none until another address is given",
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
    """Has the daemon read whenever metrics are asked for."""

    def __init__(self, read: Callable[[], DaemonReport]) -> None:
        """Take what returns how the daemon is."""
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; called in the server's threads."""
        report = self._read()
        yield from _of_process(report)
        yield from _of_sources(report)
        yield from _of_engine(report.reading)
        if report.broker:
            yield from _of_broker(report.broker)


def _of_process(report: DaemonReport) -> Iterator[Metric]:
    info = {"version": report.version, "node": report.node, "engine": ", ".join(report.engines)}
    info |= {"bundle": ", ".join(report.bundles)}
    yield InfoMetricFamily("ast_edge", "What is running.", info)
    yield _gauge("start_time_seconds", "Unix time of the start.", report.started)
    yield _gauge("resident_memory_bytes", "Memory of the process.", report.memory)
    refused = bool(report.reload and report.reload.refusal)
    yield _gauge("config_reload_successful", "0 after a reload that was refused.", int(not refused))


def _of_sources(report: DaemonReport) -> Iterator[Metric]:
    sources = report.reading.sources
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
            [report.sources[name].dropped for name in sources],
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
    for bundle, count in report.unusable.items():
        unusable.add_metric([bundle], count)
    yield unusable
    yield _counter("windows_skipped", "Windows that the engine need not look at.", report.skipped)


def _of_broker(broker: BrokerReport) -> Iterator[Metric]:
    yield _gauge("mqtt_connected", "Whether the broker is connected.", broker.connected)
    yield _counter("mqtt_reconnects", "Connections made again.", broker.reconnects)
    yield _counter("mqtt_events_lost", "Events given up, or refused.", broker.lost)
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
