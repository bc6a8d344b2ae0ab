"""Who looks at the running daemon from outside: status socket, Prometheus, service manager."""

from ast_edge.app.config import Config
from ast_edge.app.metrics import MetricsServer
from ast_edge.app.reload import Reload
from ast_edge.app.report import DaemonReport, make_report
from ast_edge.app.service import Service
from ast_edge.app.status_document import status_bytes
from ast_edge.base.runtime_folder import runtime_folder
from ast_edge.monitoring.config import MetricsConfig
from ast_edge.monitoring.status_socket import StatusSocket
from ast_edge.monitoring.watchdog import Watchdog


class Views:
    """The status socket from the start, metrics as long as they are configured, the watchdog."""

    def __init__(self, service: Service, reload: Reload) -> None:
        """Open the socket, and metrics if they are asked for.

        Raises:
            ConfigError: another daemon of the node is running.
        """
        self._service, self._reload = service, reload
        self.watchdog: Watchdog | None = None
        """Tells the service manager how things are, if there is one."""
        self._metrics: MetricsServer | None = None
        self._metrics_config: MetricsConfig | None = None
        path = runtime_folder() / f"{service.plan.config.node}.sock"
        self._status = StatusSocket(path, lambda: status_bytes(self.report()))
        self.follow(service.plan.config)

    def follow(self, config: Config) -> None:
        """Serve metrics as another configuration wants them."""
        if config.metrics == self._metrics_config:
            return
        if self._metrics:
            self._metrics.close()
        self._metrics = MetricsServer(config.metrics, self.report) if config.metrics else None
        self._metrics_config = config.metrics

    def open_watchdog(self) -> None:
        """Tell the service manager that sources, outputs and broker are open."""
        service = self._service
        if Watchdog.wanted():
            self.watchdog = Watchdog(
                service.daemon.submit, service.monitor.read, lambda: service.stall_timeouts
            )
            service.monitor.renderers.append(self.watchdog)
            self.watchdog.start()

    def close_watchdog(self) -> None:
        """Say that the daemon stops, or begins anew."""
        if self.watchdog:
            self.watchdog.close(restarts=self._service.restarts)

    def close(self) -> None:
        """Close the socket and the metrics."""
        if self._metrics:
            self._metrics.close()
        self._status.close()

    def report(self) -> DaemonReport:
        """Return how everything is; in any thread."""
        return make_report(self._service, self._reload)
