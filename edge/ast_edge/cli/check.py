"""Validate a configuration and print what would run."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ast_edge.base.errors import AudioError
from ast_edge.cli.terminal import log_to_stderr

if TYPE_CHECKING:
    from ast_edge.app.plan import Plan
    from ast_edge.app.source_config import SourceConfig
    from ast_edge.detection.hearing import Hearing
    from ast_edge.model.bundle import Bundle


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `check` to the sub-commands."""
    parser = commands.add_parser(
        "check",
        help="validate a configuration and print what would run",
        description=__doc__,
        epilog="example: ast-edge check --config configs/mic.yaml",
    )
    parser.add_argument("--config", type=Path, required=True, help="the configuration (YAML)")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print sources, model, labels and topics; exit 66 if a microphone is not there now."""
    from ast_edge.app.plan import load_plan
    from ast_edge.engines.open_engines import Engines

    log_to_stderr()
    plan = load_plan(args.config)
    engines = Engines(plan.config.engine)
    engines.open(plan.bundles)
    console = Console()
    missing = _print_sources(plan, console)
    for bundle in plan.bundles:
        _print_model(plan, bundle, console)
        console.print(f"[bold]engine[/]  {engines[bundle.key].description}")
    _print_broker(plan, console)
    console.print(f"[bold]jsonl[/]   {escape(str(plan.config.jsonl or 'none'))}", soft_wrap=True)
    clips = plan.config.clips.folder if plan.config.clips else "none"
    console.print(f"[bold]clips[/]   {escape(str(clips))}", soft_wrap=True)
    _print_labels(plan, console)
    return AudioError.exit_code if missing else 0


def _print_model(plan: "Plan", bundle: "Bundle", console: Console) -> None:
    """Print a bundle, and of several who listens with it and what it lacks."""
    sources = plan.sources_of(bundle)
    hearings = {name: plan.hearings[name] for name in sources}
    who = f"for {', '.join(sources)}; " if len(plan.bundles) > 1 else ""
    console.print(
        f"[bold]model[/]   {bundle.name}: {who}AST, {bundle.window_seconds:.2f} s window"
        f"{_looks(hearings)}, macro AP {bundle.metrics.get('macro_ap', 'unknown')}",
        *_ways(hearings),
        bundle.licence,
        sep="\n        ",
        soft_wrap=True,
    )
    if lacking := plan.lacking.get(bundle.name):
        names = escape("; ".join(lacking))
        console.print(f"        [yellow]lacks[/] {names}: not heard there", soft_wrap=True)


def _looks(hearings: "Mapping[str, Hearing]") -> str:
    """Say how often all sources are looked at, if that is the same."""
    hops = {hearing.hop for hearing in hearings.values()}
    return f" every {hops.pop():g} s" if len(hops) == 1 else ""


def _ways(hearings: "Mapping[str, Hearing]") -> list[str]:
    """Say how exactly events are placed, and how long after, of all sources or of each."""
    ways: dict[tuple[float, str], list[str]] = {}
    for name, hearing in hearings.items():
        ways.setdefault((hearing.hop, _resolution(hearing)), []).append(name)
    if len(ways) == 1:
        return [way for _, way in ways]
    return [f"{', '.join(names)}: every {hop:g} s, {way}" for (hop, way), names in ways.items()]


def _resolution(hearing: "Hearing") -> str:
    bundle = hearing.bundle
    if bundle.frame == "none":
        return f"clip scores: events lie where they were to {hearing.hop:g} s, the hop"
    kind = "frame scores" if bundle.frame == "head" else "a curve of frame scores"
    latency = min(hearing.latency, bundle.window_seconds)
    return f"{kind}: events lie where they were to {bundle.step_seconds:g} s, told {latency:g} s on"


def _print_sources(plan: "Plan", console: Console) -> bool:
    missing = False
    for name, source in plan.config.sources.items():
        try:
            what = escape(_describe(source))
        except AudioError as exc:
            what, missing = f"[red]not there now:[/] {escape(str(exc))} (run waits for it)", True
        console.print(f"[bold]source[/]  {name}: {what}", soft_wrap=True)
    return missing


def _describe(source: "SourceConfig") -> str:
    """Say what the source is; a microphone is looked up among the devices."""
    from ast_edge.sources.devices import find_input, list_inputs

    if source.microphone is not None:
        device = find_input(source.microphone, list_inputs())
        rate = source.sample_rate or device.sample_rate
        return f"microphone {device.name!r}, {rate} Hz"
    if source.url is not None:
        from ast_edge.audio.ffmpeg import find_ffmpeg
        from ast_edge.sources.stream_url import shown_url

        find_ffmpeg("a url")
        return f"stream {shown_url(source.url.get_secret_value())}"
    if source.file is not None:
        return f"recording {source.file}, {source.pace}"
    return f"standard input, {source.stdin}, {source.sample_rate or 16000} Hz"


def _print_broker(plan: "Plan", console: Console) -> None:
    mqtt = plan.config.mqtt
    if mqtt is None:
        console.print("[bold]mqtt[/]    none")
        return
    from ast_edge.mqtt.topics import Topics

    topics = Topics(mqtt.base_topic, plan.config.node)
    where = "embedded broker" if mqtt.embedded else f"{mqtt.host}:{mqtt.port_number}"
    how = ", websockets" if mqtt.transport == "websockets" else ""
    how += ", TLS" if mqtt.tls else ""
    console.print(f"[bold]mqtt[/]    {where}, MQTT {mqtt.protocol}{how}")
    console.print(f"        {topics.availability}")
    for source in plan.config.sources:
        console.print(f"        {topics.event(source)}", soft_wrap=True)
    state = topics.state("SOURCE", plan.reported[0]).split("/")
    console.print(f"        {'/'.join(state[:-2])}/TOPIC/state, for each label's topic below")


def _print_labels(plan: "Plan", console: Console) -> None:
    """Print what is reported, of each bundle."""
    if not console.is_terminal:
        console = Console(file=sys.stdout, width=120)
    for bundle in plan.bundles:
        if len(plan.bundles) > 1:
            console.print(f"\n[bold]{escape(bundle.name)}[/]")
        for label, evidence in bundle.own.items():
            console.print(f"[bold]own[/]     {escape(label.name)}: {evidence}", soft_wrap=True)
        _print_hearing(plan.hearings[plan.sources_of(bundle)[0]], console)


def _print_hearing(hearing: "Hearing", console: Console) -> None:
    from ast_edge.detection.groups import Group

    groups = [label for label in hearing.settings if isinstance(label, Group)]
    _print_settings(hearing, "label or group" if groups else "label", console)
    if groups:
        table = Table("group", "score", "of", box=box.SIMPLE)
        for group in groups:
            members = "; ".join(member.name for member in group.members)
            table.add_row(escape(group.name), group.score, escape(members))
        console.print(table)
    if hearing.rules:
        _print_rules(hearing, console)


def _print_settings(hearing: "Hearing", what: str, console: Console) -> None:
    table = Table(what, box=box.SIMPLE)
    for heading in ("on", "off", "min", "hold", "cool"):
        table.add_column(heading, justify="right")
    table.add_column("topic", no_wrap=True)
    for label, settings in hearing.settings.items():
        numbers = (
            settings.on,
            settings.off,
            settings.min_duration,
            settings.hold,
            settings.cooldown,
        )
        table.add_row(escape(label.name), *(f"{number:g}" for number in numbers), label.slug)
    console.print(table)


def _print_rules(hearing: "Hearing", console: Console) -> None:
    table = Table("events of", "begin only at", "and never during", box=box.SIMPLE)
    for label, rule in hearing.rules.items():
        periods = rule.active.periods if rule.active else ()
        hours = "\n".join(period.text for period in periods)
        sounds = "; ".join(other.name for other in rule.suppress_while)
        table.add_row(escape(label.name), hours, escape(sounds))
    console.print(table)
