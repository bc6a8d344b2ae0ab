"""A configuration resolved against its bundles: what will be listened for, and how."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ast_edge.app.config import Config, load_config
from ast_edge.app.reported import find_reported
from ast_edge.app.updates.fitting import fit
from ast_edge.app.wishes import share_wishes
from ast_edge.base.errors import BundleError, ConfigError
from ast_edge.base.host_name import check_host
from ast_edge.base.yaml_file import did_you_mean
from ast_edge.detection.hearing import Hearing, check_hop, check_idle_hop
from ast_edge.detection.schedule import find_zone
from ast_edge.fleet.pointer import Pointer
from ast_edge.fleet.record import Shelf
from ast_edge.home_assistant.discovery import check_device_classes
from ast_edge.model.bundle import Bundle, find_bundle, load_bundle
from ast_edge.model.label import Label
from ast_edge.monitoring.web_token import check_web
from ast_edge.mqtt.credentials import broker_password, fingerprint, tls_context
from ast_edge.outputs.clips import check_clips

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What `ast-edge run` runs."""

    config: Config
    hearings: Mapping[str, Hearing]
    """How each source is listened to."""
    lacking: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of labels and groups that are asked for, and a bundle lacks; by the bundle's."""
    credentials: str = field(default="", repr=False)
    """The `fingerprint` of what proves us to the broker."""
    asked: Config | None = None
    """What the file says, where it is followed in another way: an update stands in for `bundle`."""
    update: Pointer | None = None
    """That of the bundle that stands in for the configuration's."""

    @property
    def bundles(self) -> list[Bundle]:
        """The bundles in use, each once, in the order of the sources."""
        return list({h.bundle.folder: h.bundle for h in self.hearings.values()}.values())

    @property
    def labels(self) -> dict[str, list[Label]]:
        """The labels and groups that are reported of each source."""
        return {source: list(hearing.settings) for source, hearing in self.hearings.items()}

    @property
    def reported(self) -> list[Label]:
        """The labels and groups that are reported of any source, one of each slug."""
        labels = [label for labels in self.labels.values() for label in labels]
        return list({label.slug: label for label in labels}.values())

    def sources_of(self, bundle: Bundle) -> list[str]:
        """Return the sources that are listened to with a bundle."""
        hearings = self.hearings.items()
        return [name for name, hearing in hearings if hearing.bundle.folder == bundle.folder]

    def hearing_of(self, source: str | None) -> Hearing:
        """Return how recordings are listened to: as a source is, or as all sources are.

        The channel is chosen here, whoever chooses it of the source.

        Raises:
            ConfigError: there is no such source, or they differ and none is named.
        """
        known = {}
        for name, own in self.config.sources.items():
            conditioning = replace(own.conditioning, channel=own.channel)
            known[name] = replace(self.hearings[name], conditioning=conditioning)
        if source is None:
            first, *others = known.values()
            if any(other != first for other in others):
                raise ConfigError(
                    "the sources of the configuration are listened to in different ways: choose "
                    f"one by --source {' or '.join(known)}"
                )
            return first
        if source not in known:
            raise ConfigError(f"--source: no source {source!r}{did_you_mean(source, list(known))}")
        return known[source]


def load_plan(path: Path) -> Plan:
    """Read a configuration and the bundles it names.

    Raises:
        ConfigError: for anything in the file that cannot be, in one line with the key path.
        BundleError: if a bundle is damaged.
    """
    return make_plan(load_config(path), path)


def make_plan(config: Config, path: Path) -> Plan:
    """Load the bundles that a configuration names; `path` is the file that errors name.

    A bundle of an update takes the place of its `bundle`, unless that is damaged.

    Raises:
        ConfigError: for anything in it that cannot be, in one line with the key path.
        BundleError: if a bundle is damaged.
    """
    shelf = Shelf(config.node)
    if pointer := standing(config, shelf):
        try:
            return plan_update(config, pointer, shelf.bundle(pointer), path)
        except BundleError as exc:
            log.error(
                "the update %s: %s; %r is used in its place", pointer.title, exc, config.bundle
            )
    return _make_plan(config, path)


def standing(config: Config, shelf: Shelf) -> Pointer | None:
    """Return the pointer to the bundle that stands in for the configuration's, if one does.

    Where updates are off, or `bundle` is another by now, none does.
    """
    if config.updates is None:
        return None
    record = shelf.read()
    return record.current if record.base == config.bundle else None


def plan_update(config: Config, pointer: Pointer, folder: Path, path: Path) -> Plan:
    """Return the plan with a bundle of an update, as `make_plan` does.

    Raises:
        ConfigError, BundleError: it cannot be followed.
    """
    if not folder.is_dir():
        raise BundleError(f"{folder}: is not there")
    followed = config.model_copy(update={"bundle": str(folder)})
    plan = _make_plan(followed, path, drop=pointer.drop_labels)
    return replace(plan, asked=config, update=pointer)


def _make_plan(config: Config, path: Path, *, drop: bool = False) -> Plan:
    try:
        bundles = _load_bundles(config)
        if drop:
            config = fit(config, list(bundles.values())).config
        _check_hops(bundles, config)
        _check_outputs(config)
        plan = _resolve(config, bundles)
        if config.clips:
            check_clips(config.clips, plan.reported)
        if config.mqtt:
            check_device_classes(config.mqtt.home_assistant, plan.reported)
        credentials = fingerprint(config.mqtt) if config.mqtt else ""
    except ConfigError as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    return replace(plan, credentials=credentials)


def _load_bundles(config: Config) -> dict[str, Bundle]:
    """Load the bundles of all sources, each once, by the names of the sources."""
    found: dict[str, Bundle] = {}
    loaded: dict[Path, Bundle] = {}
    for source, name in config.bundles.items():
        where = "bundle" if config.sources[source].bundle is None else f"sources.{source}.bundle"
        try:
            folder = find_bundle(name)
        except BundleError as exc:
            raise ConfigError(f"{where}: {exc}") from exc
        place = folder.resolve()
        if place not in loaded:
            bundle = load_bundle(folder)
            if same := next((b for b in loaded.values() if b.name == bundle.name), None):
                raise ConfigError(
                    f"{where}: {folder} and {same.folder} both hold a bundle {bundle.name!r}, so "
                    "nobody could tell which of them has heard an event: use one, or export it "
                    "again under another name"
                )
            loaded[place] = bundle
        found[source] = loaded[place]
    return found


def _resolve(config: Config, bundles: Mapping[str, Bundle]) -> Plan:
    """Find out how each source is listened to, and what is reported of it."""
    used = list({bundle.folder: bundle for bundle in bundles.values()}.values())
    zone = find_zone(config.time_zone) if config.time_zone else None
    wishes = share_wishes(config, used)
    reported = {
        bundle.folder: find_reported(wish, bundle, zone)
        for bundle, wish in zip(used, wishes, strict=True)
    }
    hearings = {}
    for name, own in config.sources.items():
        found = reported[bundles[name].folder]
        hearings[name] = Hearing(
            bundles[name],
            found.settings,
            config.hop if own.hop is None else own.hop,
            config.latency if own.latency is None else own.latency,
            config.idle_hop if own.idle_hop is None else own.idle_hop,
            found.rules,
            own.conditioning,
            own.gate_settings,
        )
    lacking = {bundle.name: wish.lacking for bundle, wish in zip(used, wishes, strict=True)}
    return Plan(config, hearings, lacking)


def _check_outputs(config: Config) -> None:
    """Try passwords, certificates and the place of the event file before anything is started."""
    if config.mqtt:
        check_host(config.mqtt.host, "mqtt.host")
        broker_password(config.mqtt)
        if config.mqtt.tls:
            tls_context(config.mqtt.tls)
    if config.web:
        check_web(config.web)
    if config.jsonl and (config.jsonl.is_dir() or not config.jsonl.parent.is_dir()):
        raise ConfigError(f"jsonl: expected a file in a folder that exists, got {config.jsonl}")


def _check_hops(bundles: Mapping[str, Bundle], config: Config) -> None:
    """Refuse hops of all sources, or of one, that cannot be."""
    first = next(iter(bundles.values()))
    if all(bundle is first for bundle in bundles.values()):
        check_hop(first, config.hop)
        check_idle_hop(first, config.hop, config.idle_hop)
    for name, own in config.sources.items():
        hop = config.hop if own.hop is None else own.hop
        idle_hop = config.idle_hop if own.idle_hop is None else own.idle_hop
        try:
            check_hop(bundles[name], hop)
            check_idle_hop(bundles[name], hop, idle_hop)
        except ConfigError as exc:
            raise ConfigError(f"sources.{name}.{exc}") from exc
