"""The MQTT side of a running daemon, put together."""

import time
from collections.abc import Callable, Mapping, Sequence

from ast_edge import __version__
from ast_edge.app.commander import Commander
from ast_edge.app.control import Action, Control
from ast_edge.app.plan import Plan
from ast_edge.app.updates.desk import UpdateDesk
from ast_edge.app.updates.updater import Updater
from ast_edge.base.clock import StartTime
from ast_edge.base.errors import ConfigError
from ast_edge.base.state_folder import state_folder
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.engine import Engine
from ast_edge.fleet.info import (
    BundleInfo,
    InfoSpeaker,
    NodeInfo,
    SourceInfo,
    started_at,
    this_device,
)
from ast_edge.home_assistant.announcer import HomeAssistant
from ast_edge.home_assistant.discovery import describe
from ast_edge.mqtt.commands import Command
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.event_sink import MqttSink
from ast_edge.mqtt.outbox import Outbox, open_outbox
from ast_edge.mqtt.participant import Participant
from ast_edge.mqtt.reporter import Reporter
from ast_edge.mqtt.source_status import NodeStatus
from ast_edge.mqtt.topics import Topics
from ast_edge.outputs.sink import Sink


class Node:
    """Events, states, status, discovery and commands of one daemon at one broker.

    `config` is that of the plan or, for the embedded broker, how that is reached; then nothing is
    kept on disk, and nothing is said to Home Assistant. `engine` returns what scores the windows of
    a source, `submit` runs an action in the daemon's thread.

    Nothing is said before `follow` and `start`.

    Raises:
        ConfigError: something of it cannot be used: password, certificate, host, state folder.
    """

    def __init__(
        self,
        plan: Plan,
        config: MqttConfig,
        pipelines: Mapping[str, Pipeline],
        *,
        engine: Callable[[str], Engine],
        started: StartTime,
        commander: Commander,
        submit: Callable[[Action], None],
        restart: Callable[[], None],
        updater: Updater,
        outbox: Outbox | None = None,
    ) -> None:
        """Take over the outbox of another node; it stays open if this one cannot be made."""
        self._config, self._commander = config, commander
        self._submit, self._restart = submit, restart
        self._engine, self._started, self._updater = engine, started, updater
        self._desk: UpdateDesk | None = None  # of the connection's thread
        name = plan.config.node
        self._topics = Topics(config.base_topic, name)
        self._status = NodeStatus(self._topics, [], since=time.time())
        self._control: Control | None = None  # of the connection's thread
        self._recalled = False
        taken = open_outbox(config, name) if outbox is None else outbox
        try:
            self.publisher = MqttSink(config, name, taken)
        except ConfigError:
            if taken is not outbox:
                taken.close()
            raise
        say = self.publisher.publish_messages
        self.reporter = Reporter(self._status, say, lambda source: engine(source).name)
        # An automation that a state sets off finds the attributes of its event.
        self.sinks: tuple[Sink, ...] = (self.reporter, self.publisher)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self.publisher.start()

    def follow(self, plan: Plan, config: MqttConfig) -> None:
        """Speak for the sources and labels of a plan; returns at once.

        Called in the daemon's thread, when the commander judges by that plan. Of `config` only
        what does not concern the connection is taken: discovery, and whether commands are followed.
        """
        changes = {"home_assistant": config.home_assistant, "commands": config.commands}
        config = self._config = self._config.model_copy(update=changes)
        entities = [(source, x) for source, labels in plan.labels.items() for x in labels]
        engines = dict.fromkeys(self._engine(source).description for source in plan.hearings)
        info = describe_node(plan, "; ".join(engines), self._started.read())
        self.publisher.follow(entities, lambda: self._extend(plan, config, info))

    def passed(self, sources: Sequence[str]) -> None:
        """Take that the snoozes of sources are shorter, or over; called in the daemon's thread."""
        if control := self._control:
            for source in sources:
                control.passed(source)

    def changed(self, command: Command) -> None:
        """Tell what somebody else has changed; called in the daemon's thread."""
        if control := self._control:
            control.changed(command)

    def tell_update(self) -> None:
        """Tell how far an update is; in any thread."""
        self.publisher.publish_messages(lambda: self._desk.tell() if self._desk else [])

    def hand_over(self) -> None:
        """Say goodbye and disconnect; the outbox is the next node's."""
        self.publisher.hand_over()

    def close(self) -> None:
        """Say goodbye and disconnect."""
        self.publisher.close()

    def _extend(self, plan: Plan, config: MqttConfig, info: NodeInfo) -> Sequence[Participant]:
        """Make all that speaks over the connection; called in its thread."""
        labels = plan.labels
        self._status.follow(labels, since=time.time())
        if not self._recalled:
            self._status.recall((e.payload for e in self.publisher.outbox.waiting()), labels)
            self._recalled = True
        participants: list[Participant] = [self._status, InfoSpeaker(self._topics, info)]
        self._control = self._desk = None
        if plan.config.updates and not config.embedded:
            self._desk = UpdateDesk(
                *(self._topics, self._updater),
                commands=config.commands,
                keeps=lambda: self.publisher.keeps_retained,
            )
            participants.append(self._desk)
        if config.commands:
            self._control = Control(
                *(self._topics, labels, self._commander),
                publish=self.publisher.publish_messages,
                submit=self._submit,
                restart=self._restart,
            )
            participants.append(self._control)
        if not config.embedded:
            participants.append(self._home_assistant(plan, config))
        return participants

    def _home_assistant(self, plan: Plan, config: MqttConfig) -> HomeAssistant:
        devices = describe(
            *(config.home_assistant, self._topics, plan.labels),
            models={name: hearing.bundle.name for name, hearing in plan.hearings.items()},
            commands=config.commands,
            updates=self._desk is not None,
        )
        retained = [
            t for name, labels in plan.labels.items() for t in self._topics.retained(name, labels)
        ]
        retained += [self._topics.info, *([self._topics.update] if self._desk else [])]
        record = state_folder() / f"published-{plan.config.node}.json"
        return HomeAssistant(
            *(config.home_assistant, self._topics, devices, retained, record),
            takes=self.publisher.takes,
        )


def describe_node(plan: Plan, engine: str, started: float) -> NodeInfo:
    """Return what a node says of itself, with the engines in words and when it began (unix)."""
    sources = {
        name: SourceInfo(plan.config.sources[name].kind, hearing.bundle.name)
        for name, hearing in plan.hearings.items()
    }
    return NodeInfo(
        node=plan.config.node,
        version=__version__,
        since=started_at(started),
        config=(plan.asked or plan.config).fingerprint,
        engine=engine,
        device=this_device(),
        bundles=[BundleInfo(b.name, b.scores_sha256, len(b.labels)) for b in plan.bundles],
        sources=sources,
        labels=[label.slug for label in plan.reported],
    )
