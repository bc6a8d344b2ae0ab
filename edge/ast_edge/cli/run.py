"""Listen, detect and publish, until stopped."""

import argparse
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ast_edge.cli.terminal import log_to_stderr

if TYPE_CHECKING:
    from ast_edge.app.plan import Plan
    from ast_edge.app.service import Service

PAGE_SECONDS = 5.0
"""That the page may take until it is told where it is."""

log = logging.getLogger(__name__)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `run` to the sub-commands."""
    parser = commands.add_parser(
        "run",
        help="listen, detect and publish",
        description=__doc__,
        epilog="example: ast-edge run --config configs/mic.yaml",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", type=Path, help="the configuration (YAML)")
    what.add_argument(
        "--app",
        type=Path,
        nargs=2,
        metavar=("DATA", "CONFIG"),
        help="as an app of Home Assistant: the folders with its options.json and the user's "
        "ast-edge.yaml, if there is one",
    )
    parser.add_argument(
        "--web", action="store_true", help="show a page as well (see `web` of the configuration)"
    )
    parser.add_argument("--verbose", action="store_true", help="log more")
    parser.add_argument("--log-json", action="store_true", help="log lines as JSON")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Run what the configuration says until all sources have ended, SIGINT or SIGTERM.

    SIGHUP lets it read the configuration again.
    """
    from ast_edge.app.reload import Reload
    from ast_edge.app.service import Service
    from ast_edge.app.updates.start import open_plan
    from ast_edge.app.views import Views
    from ast_edge.web.page import Page

    path, load = _configuration(args)
    reload = Reload(path.absolute(), load)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_on_signals(reload.request, signal.SIGHUP))
        plan, engines = open_plan(lambda: load(path))
        stack.callback(engines.close)
        service = Service(plan, engines, lambda: load(reload.path), reload.follow_now)
        views = Views(service, reload)
        stack.callback(views.close)
        # The broker's side before files: what stands in one then waits for the broker.
        if plan.config.mqtt:
            _open_node(service, stack)
        else:
            stack.callback(service.close)
        service.open_outputs()
        page = Page(service, views.report)
        stack.callback(page.close)
        if args.web and page.server and page.server.listens.wait(PAGE_SECONDS):
            # Not logged: the token is for those who have started it.
            print(f"The page: {service.page}", file=sys.stderr)
        views.open_watchdog()
        stack.callback(views.close_watchdog)
        with (
            _on_signals(service.daemon.stop, signal.SIGINT, signal.SIGTERM),
            contextlib.closing(reload),
            service.updater,
        ):
            log.info("listening to %s", ", ".join(plan.config.sources))
            reload.start(service, views.watchdog, views.follow, page.follow, service.follow_updates)
            service.updater.start()
            service.daemon.run()
    if service.restarts:
        log.info("restarting")
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    return 0


def _configuration(args: argparse.Namespace) -> tuple[Path, Callable[[Path], "Plan"]]:
    """Return the file to read and what makes a plan of it; log lines come from now on.

    Raises:
        ConfigError: the options of the app cannot be read.
    """
    from ast_edge.app.plan import load_plan

    if args.app is None:
        log_to_stderr(verbose=args.verbose, as_json=args.log_json)
        return args.config, _load_with_page if args.web else load_plan
    from ast_edge.cli.home_assistant.app_plan import OPTIONS, load_app_plan, say_microphones
    from ast_edge.home_assistant.app_options import read_options

    data, own = args.app
    verbose = read_options(data / OPTIONS).verbose
    log_to_stderr(verbose=args.verbose or verbose, as_json=args.log_json)
    say_microphones()
    return data / OPTIONS, lambda path: load_app_plan(path, own)


def _load_with_page(path: Path) -> "Plan":
    """Load a plan, and want a page where it wants none.

    Raises:
        AstError: it cannot be followed.
    """
    from ast_edge.app.plan import load_plan
    from ast_edge.monitoring.web_config import WebConfig

    plan = load_plan(path)
    if plan.config.web:
        return plan
    return replace(plan, config=plan.config.model_copy(update={"web": WebConfig()}))


def _open_node(service: "Service", stack: contextlib.ExitStack) -> None:
    """Open the broker's side; on leaving, what is still under way is delivered."""
    from ast_edge.mqtt.echo import Echo
    from ast_edge.mqtt.embedded_broker import EmbeddedBroker

    mqtt, echo = service.plan.config.mqtt, None
    assert mqtt
    if mqtt.embedded:
        broker = stack.enter_context(EmbeddedBroker(mqtt.port or 0))
        mqtt = broker.client_config(mqtt)
        log.info("embedded broker at %s:%d", mqtt.host, mqtt.port)
    if mqtt.echo:
        echo = Echo(mqtt, Console(), node=service.plan.config.node)
        stack.callback(echo.close)
        echo.wait_ready()
    node = service.open_node(mqtt)
    stack.callback(service.close)
    if echo:
        stack.callback(lambda: echo.wait_for(node.publisher.acknowledged))


@contextlib.contextmanager
def _on_signals(action: Callable[[], None], *signals: signal.Signals) -> Iterator[None]:
    """Do something on these signals: SIGINT is Ctrl-C, SIGTERM and SIGHUP a service manager's."""
    before = {number: signal.signal(number, lambda *_: action()) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
