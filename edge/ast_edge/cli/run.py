"""Listen, detect and publish, until stopped."""

import argparse
import contextlib
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ast_edge.cli.terminal import log_to_stderr

if TYPE_CHECKING:
    from ast_edge.daemon import Daemon
    from ast_edge.plan import Plan
    from ast_edge.sink import Sink

log = logging.getLogger(__name__)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `run` to the sub-commands."""
    parser = commands.add_parser(
        "run",
        help="listen, detect and publish",
        description=__doc__,
        epilog="example: ast-edge run --config configs/mic.yaml",
    )
    parser.add_argument("--config", type=Path, required=True, help="the configuration (YAML)")
    parser.add_argument("--verbose", action="store_true", help="log more")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Run what the configuration says until all sources have ended, SIGINT or SIGTERM."""
    from ast_edge.daemon import Daemon
    from ast_edge.engine import open_engine
    from ast_edge.pipeline import Pipeline
    from ast_edge.plan import load_plan
    from ast_edge.sources import open_source

    log_to_stderr(verbose=args.verbose)
    plan = load_plan(args.config)
    engine = open_engine(plan.bundle, plan.config.engine)
    hop = plan.config.hop
    pipelines = {
        name: Pipeline(name, plan.bundle, plan.settings, hop) for name in plan.config.sources
    }
    with contextlib.closing(engine), _sinks(plan) as sinks:
        sources = [open_source(name, config) for name, config in plan.config.sources.items()]
        daemon = Daemon(sources, pipelines, engine, sinks)
        with _stop_on_signals(daemon):
            log.info("listening to %s", ", ".join(pipelines))
            daemon.run()
    return 0


@contextlib.contextmanager
def _sinks(plan: "Plan") -> "Iterator[list[Sink]]":
    """Open everything that events go to; on leaving, deliver what is still under way."""
    from ast_edge.broker import EmbeddedBroker
    from ast_edge.echo import Echo
    from ast_edge.jsonl import JsonLinesSink
    from ast_edge.log_sink import LogSink
    from ast_edge.mqtt import MqttSink

    config, node, bundle = plan.config, plan.config.node, plan.bundle.name
    with contextlib.ExitStack() as stack:
        sinks: list[Sink] = []
        if config.jsonl:
            sinks.append(JsonLinesSink(config.jsonl, node=node, bundle=bundle))
            stack.callback(sinks[-1].close)
        mqtt, echo = config.mqtt, None
        if mqtt:
            if mqtt.embedded:
                broker = stack.enter_context(EmbeddedBroker(mqtt.port or 0))
                mqtt = broker.client_config(mqtt)
                log.info("embedded broker at %s:%d", mqtt.host, mqtt.port)
            if mqtt.echo:
                echo = Echo(mqtt, Console(), node=node)
                stack.callback(echo.close)
                echo.wait_ready()
            entities = [(source, label) for source in config.sources for label in plan.settings]
            publisher = MqttSink(mqtt, node, bundle, entities)
            stack.callback(publisher.close)
            if echo:
                stack.callback(lambda: echo.wait_for(publisher.acknowledged))
            sinks.append(publisher)
        if not echo:
            sinks.append(LogSink())
        yield sinks


@contextlib.contextmanager
def _stop_on_signals(daemon: "Daemon") -> Iterator[None]:
    """Stop cleanly on Ctrl-C and on the service manager's SIGTERM."""
    before = {
        number: signal.signal(number, lambda *_: daemon.stop())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
