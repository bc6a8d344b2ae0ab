"""A plan at work, and how another one takes its place."""

from collections.abc import Callable, Iterable

from ast_edge.app.daemon import Daemon
from ast_edge.app.node import Node, live_settings
from ast_edge.app.open_source import open_source
from ast_edge.app.plan import Plan
from ast_edge.app.plan_change import PlanChange, compare
from ast_edge.app.settings import LiveSettings
from ast_edge.base.clock import SINCE_BOOT, StartTime
from ast_edge.base.errors import AstError, ConfigError
from ast_edge.detection.event import Event
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.open_engines import Engines
from ast_edge.monitoring.observer import Observer
from ast_edge.monitoring.source_monitor import SourceMonitor
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.endpoint import Endpoint
from ast_edge.outputs.clip_folder import make_folder
from ast_edge.outputs.jsonl import JsonLinesSink
from ast_edge.outputs.sink import Sink


class Service:
    """Sources, pipelines, daemon, engines and outputs of a plan; all of it may be changed.

    `open_node` and `open_jsonl` open what the plan has of each; `close` closes it. Further sinks
    and observers may be added before the daemon runs.
    """

    def __init__(
        self, plan: Plan, engines: Engines, reread: Callable[[], Plan] | None = None
    ) -> None:
        """Prepare to run a plan, whose bundles have their engines.

        `reread` loads the plan that a restart would begin with.
        """
        self.plan = plan
        self._reread = reread or (lambda: self.plan)
        self.engines = engines
        self.restarts = False
        """Whether the program is to begin anew, because a command has asked for it."""
        self.started = StartTime()
        self.monitor = SourceMonitor(_names(plan))
        self.sinks: list[Sink] = [self.monitor]
        self.observers: list[Observer] = [self.monitor]
        self.node: Node | None = None
        self.channels = {name: s.conditioning.channel for name, s in plan.config.sources.items()}
        """Which channel of each source is listened to; None is all."""
        self.daemon = Daemon(
            [open_source(name, config) for name, config in plan.config.sources.items()],
            {name: open_pipeline(plan, name) for name in plan.config.sources},
            engines,
            self.sinks,
            observers=self.observers,
        )
        self._jsonl: JsonLinesSink | None = None

    @property
    def stall_timeouts(self) -> dict[str, float]:
        """The sources that heal, and the seconds without sound after which each is stalled."""
        sources = self.plan.config.sources.items()
        return {name: s.stall_timeout for name, s in sources if s.microphone or s.url}

    def open_node(self, mqtt: MqttConfig) -> Node:
        """Begin to connect to the broker; `mqtt` is how it is reached.

        Raises:
            ConfigError: something of it cannot be used: password, certificate, host, state folder.
        """
        node = self.node = Node(
            *(self.plan, mqtt, self.daemon.pipelines),
            engine=self._engine_name,
            submit=self.daemon.submit,
            restart=self.restart,
        )
        if live := live_settings(self.plan, mqtt):
            _apply(live, self.daemon.pipelines.values())
        node.follow(self.plan, mqtt)
        node.start()
        self.sinks += [node.publisher, node.reporter]
        self.monitor.renderers.append(node.reporter)
        return node

    def restart(self) -> None:
        """Stop the daemon, to begin anew.

        Raises:
            AstError: the configuration is such by now that it could not begin; it goes on.
        """
        _try(self._reread())
        self.restarts = True
        self.daemon.stop()

    def open_jsonl(self) -> None:
        """Open the file that events go to.

        Raises:
            ConfigError: it cannot be opened.
        """
        self._jsonl = _open_jsonl(self.plan)
        if self._jsonl:
            self.sinks.append(self._jsonl)

    def close(self) -> None:
        """Say goodbye to the broker, and close the file."""
        if self.node:
            self.node.close()
        if self._jsonl:
            self._jsonl.close()

    def change(self, plan: Plan) -> PlanChange:
        """Let the running daemon follow another plan, and return what was different.

        Only what differs is touched. To be called in another thread than the daemon's.

        Raises:
            AstError: the plan cannot be followed; nothing has changed then.
        """
        change = compare(self.plan, plan)
        if change.restart:
            raise ConfigError(f"{', '.join(change.restart)}: a change of this needs a restart")
        jsonl = _open_jsonl(plan)  # anew, so that a file that was moved away is let go
        before, after, mqtt = self.node, self.node, plan.config.mqtt
        try:
            live = live_settings(plan, mqtt) if mqtt else None
            self.engines.open(plan.bundles)
            if change.connection:
                after = self._next_node(plan)
        except AstError:
            self.engines.keep(self.plan.bundles)
            if jsonl:
                jsonl.close()
            raise
        if before:
            before.suspend()
        if not self.daemon.perform(lambda: self._turn_to(plan, change, live, after, jsonl)):
            if jsonl:
                jsonl.close()
            if after is not before and after:
                after.hand_over()
        elif change.connection:
            if before and after:
                before.hand_over()
            elif before:
                before.close()
            if after:
                after.start()
        self.engines.keep(self.plan.bundles)
        return change

    def _next_node(self, plan: Plan) -> Node | None:
        """Make the node of another plan, which does not connect yet."""
        if plan.config.mqtt is None:
            return None
        return Node(
            *(plan, plan.config.mqtt, self.daemon.pipelines),
            engine=self._engine_name,
            submit=self.daemon.submit,
            restart=self.restart,
            outbox=self.node.publisher.outbox if self.node else None,
        )

    def _turn_to(
        self,
        plan: Plan,
        change: PlanChange,
        live: LiveSettings | None,
        node: Node | None,
        jsonl: JsonLinesSink | None,
    ) -> list[Event]:
        """Follow another plan from now on; called in the daemon's thread."""
        pipelines, mqtt = self.daemon.pipelines, plan.config.mqtt
        ended = [event for name in change.stopped for event in self.daemon.remove(name)]
        for pipeline in pipelines.values():
            hearing = plan.hearings[pipeline.source]
            ended += pipeline.follow(hearing.settings, hearing.rules)
        if live:
            ended += _apply(live, pipelines.values())
        self.daemon.publish(ended)  # to the sinks of before, which know of what has ended
        self._exchange_jsonl(jsonl)
        self.monitor.follow(_names(plan))
        if node is not self.node:
            self._exchange_node(node)
        self.channels.clear()
        self.channels |= {n: s.conditioning.channel for n, s in plan.config.sources.items()}
        for name in change.started:
            pipeline = open_pipeline(plan, name)
            if live:
                _apply(live, [pipeline])
            self.daemon.add(open_source(name, plan.config.sources[name]), pipeline)
        if node and mqtt:
            node.follow(plan, mqtt)
        for name in change.started:
            self.monitor.begun(name)
        self.plan = plan
        return []

    def _engine_name(self, source: str) -> str:
        """Return what scores a source's windows; called in the daemon's thread."""
        return self.engines[self.daemon.pipelines[source].bundle.folder].name

    def _exchange_jsonl(self, jsonl: JsonLinesSink | None) -> None:
        if self._jsonl:
            self.sinks.remove(self._jsonl)
            self._jsonl.close()
        if jsonl:
            self.sinks.append(jsonl)
        self._jsonl = jsonl

    def _exchange_node(self, node: Node | None) -> None:
        """Give events to another node from now on, and tell it how things are."""
        if self.node:
            self.sinks.remove(self.node.publisher)
            self.sinks.remove(self.node.reporter)
            self.monitor.renderers.remove(self.node.reporter)
        if node:
            self.sinks += [node.publisher, node.reporter]
            self.monitor.renderers.append(node.reporter)
            running = [(n, x) for n, p in self.daemon.pipelines.items() for x in p.reported]
            node.publisher.resume(running)
            node.reporter.brief(self.monitor.read())
        self.node = node


def open_pipeline(plan: Plan, source: str) -> Pipeline:
    """Return what finds the events of a source."""
    return plan.hearings[source].pipeline(source)


def _names(plan: Plan) -> dict[str, str]:
    """Return the name of each source's bundle."""
    return {source: hearing.bundle.name for source, hearing in plan.hearings.items()}


def _try(plan: Plan) -> None:
    """Open what a plan needs to begin, and close it.

    Raises:
        AstError: something of it cannot be used.
    """
    if plan.config.mqtt:
        Endpoint(plan.config.mqtt)
    if plan.config.clips:
        make_folder(plan.config.clips.folder)
    if jsonl := _open_jsonl(plan):
        jsonl.close()


def _open_jsonl(plan: Plan) -> JsonLinesSink | None:
    if plan.config.jsonl is None:
        return None
    return JsonLinesSink(plan.config.jsonl, node=plan.config.node)


def _apply(live: LiveSettings, pipelines: Iterable[Pipeline]) -> list[Event]:
    """Let pipelines follow what commands have changed."""
    return [event for pipeline in pipelines for event in live.apply(pipeline, SINCE_BOOT())]
