"""A plan at work, and how another one takes its place."""

from collections.abc import Callable
from pathlib import Path

from ast_edge.app.commander import Commander
from ast_edge.app.config import Config
from ast_edge.app.daemon import Daemon
from ast_edge.app.node import Node
from ast_edge.app.open_source import open_source
from ast_edge.app.outputs import Outputs
from ast_edge.app.plan import Plan
from ast_edge.app.plan_change import PlanChange, compare
from ast_edge.app.settings import LiveSettings
from ast_edge.app.updates.ports import Ports
from ast_edge.app.updates.proof import Pulse, take_pulse
from ast_edge.app.updates.updater import Updater
from ast_edge.base.clock import StartTime
from ast_edge.base.errors import AstError, ConfigError
from ast_edge.base.state_folder import state_folder
from ast_edge.detection.event import Event
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.engine import Engine
from ast_edge.engines.open_engines import Engines
from ast_edge.monitoring.observer import Observer
from ast_edge.monitoring.source_monitor import SourceMonitor
from ast_edge.mqtt.broker_access import BrokerAccess
from ast_edge.mqtt.commands import Command
from ast_edge.mqtt.config import MqttConfig
from ast_edge.outputs.clip_folder import make_folder
from ast_edge.outputs.clips import Clips
from ast_edge.outputs.jsonl import JsonLinesSink
from ast_edge.outputs.sink import Sink


class Service:
    """Sources, pipelines, daemon, engines and outputs of a plan; all of it may be changed.

    `open_node` and `open_outputs` open what the plan has of each; `close` closes it. Further sinks
    and observers may be added before the daemon runs.
    """

    def __init__(
        self,
        plan: Plan,
        engines: Engines,
        reread: Callable[[], Plan] | None = None,
        reload: Callable[[Callable[[], None]], str] = lambda alive: "nothing is read anew",
    ) -> None:
        """Prepare to run a plan, whose bundles have their engines.

        `reread` loads the plan that a restart would begin with; `reload` lets that be followed
        now, and returns why it is not (see `Ports.switch`).
        """
        self.plan = plan
        self._reread = reread or (lambda: self.plan)
        self.engines = engines
        self.restarts = False
        """Whether the program is to begin anew, because a command has asked for it."""
        self.page = ""
        """What opens the page, for the daemon's own user: it may hold the token. Empty if there is
        none."""
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
            each_turn=self._pass_time,
        )
        self.commander = Commander(
            live_settings(plan), self.daemon.pipelines, tell=self.monitor.pause
        )
        self._outputs: Outputs | None = None
        ports = Ports(lambda: self.plan, reload, self._pulse, self._tell_update)
        self.updater = Updater(plan.config.node, plan.config.updates, ports)
        """Follows pointers to other bundles, once it is started."""

    @property
    def stall_timeouts(self) -> dict[str, float]:
        """The sources that heal, and the seconds without sound after which each is stalled."""
        sources = self.plan.config.sources.items()
        return {name: s.stall_timeout for name, s in sources if s.microphone or s.url}

    @property
    def clips(self) -> Clips | None:
        """What keeps the sound of events; None if nothing does. In any thread."""
        return self._outputs.clips if self._outputs else None

    def open_node(self, mqtt: MqttConfig) -> Node:
        """Begin to connect to the broker; `mqtt` is how it is reached.

        Raises:
            ConfigError: something of it cannot be used: password, certificate, host, state folder.
        """
        node = self.node = Node(
            *(self.plan, mqtt, self.daemon.pipelines),
            engine=self._engine_of,
            started=self.started,
            commander=self.commander,
            submit=self.daemon.submit,
            restart=self.restart,
            updater=self.updater,
        )
        node.follow(self.plan, mqtt)
        node.start()
        self.sinks += node.sinks
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

    def obey(self, command: Command) -> list[Event]:
        """Follow a command that has not come from the broker, whose clients are told of it.

        Called in the daemon's thread; returns the ends of what is reported no more.

        Raises:
            CommandRefused: if it does not fit the present configuration, or cannot be kept.
        """
        events = self.commander.obey(command)
        if self.node:
            self.node.changed(command)
        return events

    def open_outputs(self) -> None:
        """Open where events go besides the broker.

        Raises:
            AstError: one of them cannot be opened.
        """
        self._exchange_outputs(Outputs(self.plan, self.channels))

    def close(self) -> None:
        """Say goodbye to the broker, and close all outputs."""
        if self.node:
            self.node.close()
        if self._outputs:
            self._outputs.close()

    def change(self, plan: Plan) -> PlanChange:
        """Let the running daemon follow another plan, and return what was different.

        Only what differs is touched. To be called in another thread than the daemon's.

        Raises:
            AstError: the plan cannot be followed; nothing has changed then.
        """
        change = compare(self.plan, plan)
        if change.restart:
            raise ConfigError(f"{', '.join(change.restart)}: a change of this needs a restart")
        before = after = self.node
        outputs, others = self._outputs, Outputs(plan, self.channels, self._outputs)
        try:
            self.engines.open(plan.bundles)
            if change.connection:
                after = self._next_node(plan)
        except AstError:
            self.engines.keep(self.plan.bundles)
            others.close(but=outputs)
            raise
        if not self.daemon.perform(lambda: self._turn_to(plan, change, after, others)):
            others.close(but=outputs)
            if after is not before and after:
                after.hand_over()
        elif change.connection:
            if before and after:
                before.hand_over()
            elif before:
                before.close()
            if after:
                after.start()
        if outputs and self._outputs is others:
            outputs.close(but=others)
        self.engines.keep(self.plan.bundles)
        return change

    def _next_node(self, plan: Plan) -> Node | None:
        """Make the node of another plan, which does not connect yet."""
        if plan.config.mqtt is None:
            return None
        return Node(
            *(plan, plan.config.mqtt, self.daemon.pipelines),
            engine=self._engine_of,
            started=self.started,
            commander=self.commander,
            submit=self.daemon.submit,
            restart=self.restart,
            updater=self.updater,
            outbox=self.node.publisher.outbox if self.node else None,
        )

    def _turn_to(
        self,
        plan: Plan,
        change: PlanChange,
        node: Node | None,
        outputs: Outputs,
    ) -> list[Event]:
        """Follow another plan from now on; called in the daemon's thread."""
        pipelines, mqtt = self.daemon.pipelines, plan.config.mqtt
        ended = [event for name in change.stopped for event in self.daemon.remove(name)]
        for pipeline in pipelines.values():
            hearing = plan.hearings[pipeline.source]
            ended += pipeline.follow(hearing.settings, hearing.rules)
        self.commander.turn_to(_next_settings(self.commander.settings, plan))
        ended += [
            event for pipeline in pipelines.values() for event in self.commander.apply(pipeline)
        ]
        self.daemon.publish(ended)  # to the sinks of before, which know of what has ended
        self._exchange_outputs(outputs)
        self.monitor.follow(_names(plan))
        if node is not self.node:
            self._exchange_node(node)
        self.channels.clear()
        self.channels |= {n: s.conditioning.channel for n, s in plan.config.sources.items()}
        for name in change.started:
            pipeline = open_pipeline(plan, name)
            self.commander.apply(pipeline)
            self.daemon.add(open_source(name, plan.config.sources[name]), pipeline)
        if node and mqtt:
            node.follow(plan, mqtt)
        for name in change.started:
            self.monitor.begun(name)
        self.plan = plan
        return []

    def follow_updates(self, config: Config) -> None:
        """Let bundles come from where another configuration allows it; in any thread."""
        self.updater.follow(config.updates)

    def _pulse(self) -> Pulse:
        """Return how scoring goes with the bundle that an update may replace; in any thread."""
        daemon, plan = self.daemon, self.plan
        unusable = daemon.unusable.total()
        return take_pulse(plan, self.monitor.read(), daemon.skipped_windows, unusable)

    def _tell_update(self) -> None:
        if node := self.node:
            node.tell_update()

    def _pass_time(self) -> list[Event]:
        """End the snoozes that are over; called in the daemon's thread at every turn."""
        ended, sources = self.commander.pass_time()
        if self.node:
            self.node.passed(sources)
        return ended

    def _engine_of(self, source: str) -> Engine:
        """Return what scores a source's windows; called in the daemon's thread."""
        return self.engines[self.daemon.pipelines[source].bundle.key]

    def _exchange_outputs(self, outputs: Outputs) -> None:
        """Give events and sound to other outputs from now on."""
        if self._outputs:
            for sink in self._outputs.sinks:
                self.sinks.remove(sink)
            for observer in self._outputs.observers:
                self.observers.remove(observer)
        self.sinks += outputs.sinks
        self.observers += outputs.observers
        self._outputs = outputs

    def _exchange_node(self, node: Node | None) -> None:
        """Give events to another node from now on, and tell it how things are."""
        if self.node:
            for sink in self.node.sinks:
                self.sinks.remove(sink)
            self.monitor.renderers.remove(self.node.reporter)
        if node:
            self.sinks += node.sinks
            self.monitor.renderers.append(node.reporter)
            running = [(n, x) for n, p in self.daemon.pipelines.items() for x in p.reported]
            node.publisher.resume(running)
            node.reporter.brief(self.monitor.read())
        self.node = node


def open_pipeline(plan: Plan, source: str) -> Pipeline:
    """Return what finds the events of a source."""
    return Pipeline(source, plan.hearings[source])


def _names(plan: Plan) -> dict[str, str]:
    """Return the name of each source's bundle."""
    return {source: hearing.bundle.name for source, hearing in plan.hearings.items()}


def _try(plan: Plan) -> None:
    """Open what a plan needs to begin, and close it.

    Raises:
        AstError: something of it cannot be used.
    """
    if plan.config.mqtt:
        BrokerAccess(plan.config.mqtt)
    if plan.config.clips:
        make_folder(plan.config.clips.folder)
    if plan.config.jsonl:
        JsonLinesSink(plan.config.jsonl, node=plan.config.node).close()


def live_settings(plan: Plan) -> LiveSettings | None:
    """Return what commands have changed; None if none are followed, from broker or page."""
    mqtt, web = plan.config.mqtt, plan.config.web
    if not (mqtt and mqtt.commands) and not (web and web.changes):
        return None
    return LiveSettings(_kept_in(plan), {name: h.settings for name, h in plan.hearings.items()})


def _next_settings(before: LiveSettings | None, plan: Plan) -> LiveSettings | None:
    """Return what remains of the changes with another plan."""
    after = live_settings(plan)
    if before is None or after is None:
        return after
    return before.for_others(_kept_in(plan), {n: h.settings for n, h in plan.hearings.items()})


def _kept_in(plan: Plan) -> Path | None:
    """Return the file of what commands have changed; the demo keeps nothing."""
    if plan.config.mqtt and plan.config.mqtt.embedded:
        return None
    return state_folder() / f"settings-{plan.config.node}.json"
