"""The MQTT side of a running daemon, put together."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ast_edge.config import MqttConfig
from ast_edge.control import Action, Control
from ast_edge.discovery import describe
from ast_edge.extension import Extension
from ast_edge.home_assistant import HomeAssistant
from ast_edge.live_settings import LiveSettings
from ast_edge.mqtt import MqttSink
from ast_edge.outbox import open_outbox
from ast_edge.pipeline import Pipeline
from ast_edge.plan import Plan
from ast_edge.reporter import Reporter
from ast_edge.state_folder import state_folder
from ast_edge.status import NodeStatus
from ast_edge.topics import Topics


@dataclass(frozen=True)
class Node:
    """Events, states, status, discovery and commands of one daemon at one broker."""

    publisher: MqttSink
    reporter: Reporter
    control: Control | None

    def close(self) -> None:
        """Say goodbye and disconnect."""
        if self.control:
            self.control.close()
        self.publisher.close()


def open_node(
    plan: Plan,
    config: MqttConfig,
    pipelines: Mapping[str, Pipeline],
    *,
    engine: str,
    submit: Callable[[Action], None],
    restart: Callable[[], None],
) -> Node:
    """Connect to the broker in the background.

    `config` is that of the plan or, for the embedded broker, how that is reached; then nothing is
    kept on disk, and nothing is said to Home Assistant. `submit` runs an action in the daemon's
    thread.

    Raises:
        ConfigError: something of it cannot be used: password, certificate, host, state folder.
    """
    name, bundle, labels = plan.config.node, plan.bundle.name, list(plan.settings)
    sources, topics = list(plan.config.sources), Topics(config.base_topic, name)
    status = NodeStatus(topics, sources, bundle, since=time.time())
    extensions: list[Extension] = [status]
    control = None
    if config.commands:
        path = None if config.embedded else state_folder() / f"settings-{name}.json"
        settings = LiveSettings(path, plan.settings, sources)
        control = Control(topics, settings, pipelines, labels, submit=submit, restart=restart)
        extensions.append(control)
    if not config.embedded:
        devices = describe(
            config.home_assistant, topics, sources, labels, model=bundle, commands=config.commands
        )
        retained = [topic for source in sources for topic in topics.retained(source, labels)]
        record = state_folder() / f"published-{name}.json"
        extensions.append(HomeAssistant(config.home_assistant, topics, devices, retained, record))
    publisher = MqttSink(
        config,
        name,
        bundle,
        [(source, label) for source in sources for label in labels],
        outbox=open_outbox(config, name),
        extensions=extensions,
    )
    reporter = Reporter(status, publisher.publish_messages, model=bundle, engine=engine)
    return Node(publisher, reporter, control)
