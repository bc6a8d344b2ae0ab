"""Listen, detect and publish, until stopped."""

import argparse
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ast_edge.cli.terminal import log_to_stderr
from ast_edge.log_sink import LogSink

if TYPE_CHECKING:
    from ast_edge.daemon import Daemon, Observer
    from ast_edge.pipeline import Pipeline
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
    hop, latency = plan.config.hop, plan.config.latency
    pipelines = {
        name: Pipeline(name, plan.bundle, plan.settings, hop, plan.rules, latency=latency)
        for name in plan.config.sources
    }
    sources = [open_source(name, config) for name, config in plan.config.sources.items()]
    sinks, observers = list["Sink"](), list["Observer"]()
    daemon = Daemon(sources, pipelines, engine, sinks, observers=observers)
    restart = _Restart(daemon)
    with contextlib.closing(engine), contextlib.ExitStack() as stack:
        # The broker's side first: what stands in a file then waits for the broker, come what may.
        if plan.config.mqtt:
            _open_node(plan, stack, pipelines, engine.name, daemon, restart, sinks, observers)
        else:
            sinks.append(LogSink())
        _open_sinks(plan, stack, sinks)
        with _stop_on_signals(daemon):
            log.info("listening to %s", ", ".join(pipelines))
            daemon.run()
    restart.do_if_wanted()
    return 0


class _Restart:
    """Begins the program anew, when a command asks for it."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon, self._wanted = daemon, False

    def want(self) -> None:
        """Stop the daemon, to begin anew."""
        self._wanted = True
        self._daemon.stop()

    def do_if_wanted(self) -> None:
        """Replace this process with a new one of the same command."""
        if self._wanted:
            log.info("restarting")
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _open_sinks(plan: "Plan", stack: contextlib.ExitStack, sinks: "list[Sink]") -> None:
    """Open the files that events go to."""
    from ast_edge.jsonl import JsonLinesSink

    config = plan.config
    if config.jsonl:
        sinks.append(JsonLinesSink(config.jsonl, node=config.node, bundle=plan.bundle.name))
        stack.callback(sinks[-1].close)


def _open_node(
    plan: "Plan",
    stack: contextlib.ExitStack,
    pipelines: "Mapping[str, Pipeline]",
    engine: str,
    daemon: "Daemon",
    restart: _Restart,
    sinks: "list[Sink]",
    observers: "list[Observer]",
) -> None:
    """Open the broker's side; on leaving, what is still under way is delivered."""
    from ast_edge.broker import EmbeddedBroker
    from ast_edge.echo import Echo
    from ast_edge.node import open_node

    mqtt, echo = plan.config.mqtt, None
    assert mqtt
    if mqtt.embedded:
        broker = stack.enter_context(EmbeddedBroker(mqtt.port or 0))
        mqtt = broker.client_config(mqtt)
        log.info("embedded broker at %s:%d", mqtt.host, mqtt.port)
    if mqtt.echo:
        echo = Echo(mqtt, Console(), node=plan.config.node)
        stack.callback(echo.close)
        echo.wait_ready()
    node = open_node(
        plan, mqtt, pipelines, engine=engine, submit=daemon.submit, restart=restart.want
    )
    stack.callback(node.close)
    if echo:
        stack.callback(lambda: echo.wait_for(node.publisher.acknowledged))
    else:
        sinks.append(LogSink())
    sinks += [node.publisher, node.reporter]
    observers.append(node.reporter)


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
