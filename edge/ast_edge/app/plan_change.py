"""What differs between the configuration that runs and a new one."""

from collections.abc import Iterable
from dataclasses import dataclass

from ast_edge.app.config import Config
from ast_edge.app.plan import Plan
from ast_edge.detection.groups import Group
from ast_edge.detection.hearing import Hearing
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.home_assistant_config import HomeAssistantConfig

RELOADED = {
    "bundle",
    "sources",
    "labels",
    "groups",
    "time_zone",
    "mqtt",
    "jsonl",
    "web",
    "clips",
    "metrics",
    "tuned",
    "updates",
}
"""Keys of the configuration that can change while the daemon runs."""


@dataclass(frozen=True)
class PlanChange:
    """The difference, in the parts that can be changed one by one."""

    restart: tuple[str, ...] = ()
    """Keys that cannot change while the daemon runs."""
    added: tuple[str, ...] = ()
    """Sources."""
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """Names of labels and groups that came, went, or become events in another way."""
    connection: bool = False
    """Whether the broker has to be connected to anew."""
    other: tuple[str, ...] = ()
    """More keys that differ."""

    @property
    def stopped(self) -> tuple[str, ...]:
        """The sources that are closed."""
        return self.removed + self.changed

    @property
    def started(self) -> tuple[str, ...]:
        """The sources that are opened."""
        return self.added + self.changed

    def __str__(self) -> str:
        """Say it in one line; empty if nothing differs."""
        parts = [
            ("sources added", self.added),
            ("removed", self.removed),
            ("changed", self.changed),
            ("labels changed", self.labels),
        ]
        said = [f"{what}: {', '.join(names)}" for what, names in parts if names]
        said += ["broker connection"] if self.connection else []
        return "; ".join([*said, *self.other])


def compare(old: Plan, new: Plan) -> PlanChange:
    """Find out what differs."""
    before, after = old.config, new.config
    return PlanChange(
        restart=tuple(_restart(old, new)),
        added=tuple(name for name in after.sources if name not in before.sources),
        removed=tuple(name for name in before.sources if name not in after.sources),
        changed=tuple(
            name
            for name, source in after.sources.items()
            if name in before.sources
            and (before.sources[name] != source or _has_other_labels(name, old, new))
        ),
        labels=tuple(_labels(old, new)),
        connection=_connection(old) != _connection(new),
        other=tuple(_other(before, after)),
    )


def _has_other_labels(source: str, old: Plan, new: Plan) -> bool:
    """Tell whether a sound was enrolled in the bundle of a source, or forgotten."""
    return old.hearings[source].bundle.key != new.hearings[source].bundle.key


def _restart(old: Plan, new: Plan) -> Iterable[str]:
    before, after = old.config, new.config
    for key in Config.model_fields:
        if key not in RELOADED and getattr(before, key) != getattr(after, key):
            yield key
    known = {bundle.folder: bundle.without_own for bundle in old.bundles}
    if any(
        known.get(bundle.folder, bundle.without_own) != bundle.without_own for bundle in new.bundles
    ):
        yield "bundle (its files)"
    mqtt, wanted = before.mqtt or MqttConfig(), after.mqtt or MqttConfig()
    for key in ("embedded", "echo"):
        if getattr(mqtt, key) != getattr(wanted, key):
            yield f"mqtt.{key}"
    if before.mqtt and after.mqtt:
        if mqtt.outbox != wanted.outbox:
            yield "mqtt.outbox"
        if wanted.embedded and mqtt.embedded and _connection(old) != _connection(new):
            yield "mqtt of the embedded broker"


def _labels(old: Plan, new: Plan) -> Iterable[str]:
    """Return the names of labels and groups that become events in another way than before.

    That a source listens with another bundle is a change of the source.
    """
    known = {hearing.bundle.folder: hearing for hearing in old.hearings.values()}
    names: dict[str, None] = {}
    for folder, now in {h.bundle.folder: h for h in new.hearings.values()}.items():
        if folder in known:
            names |= dict.fromkeys(_differing(known[folder], now))
    return names


def _differing(old: Hearing, new: Hearing) -> Iterable[str]:
    before, after = _followed(old), _followed(new)
    names = {label.slug: label.name for label in [*old.settings, *new.settings]}
    return (name for slug, name in names.items() if before.get(slug) != after.get(slug))


def _followed(hearing: Hearing) -> dict[str, object]:
    """Return what makes events of labels and groups, by slug: their column does not matter."""
    return {
        label.slug: (
            (label.members, label.score) if isinstance(label, Group) else (),
            settings,
            hearing.rules.get(label),
        )
        for label, settings in hearing.settings.items()
    }


def _connection(plan: Plan) -> tuple[MqttConfig, str] | None:
    """Return all that a connection to the broker is made of."""
    if plan.config.mqtt is None:
        return None
    # These are talked about over the connection, and do not concern it.
    same = {"home_assistant": HomeAssistantConfig(), "commands": True}
    return plan.config.mqtt.model_copy(update=same), plan.credentials


def _other(before: Config, after: Config) -> Iterable[str]:
    if before.mqtt and after.mqtt:
        for key in ("home_assistant", "commands"):
            if getattr(before.mqtt, key) != getattr(after.mqtt, key):
                yield f"mqtt.{key}"
    for key in ("jsonl", "clips", "metrics", "web", "updates"):
        if getattr(before, key) != getattr(after, key):
            yield key
    if before.time_zone != after.time_zone:
        yield "time_zone"
