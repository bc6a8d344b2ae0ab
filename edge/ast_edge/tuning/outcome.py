"""What a tuning says in a configuration: settings of labels and groups."""

from collections.abc import Mapping

from ast_edge.events import Label
from ast_edge.groups import Group
from ast_edge.plan import Plan
from ast_edge.tuning.config_edit import Thresholds, edit_thresholds
from ast_edge.tuning.tuning import Tuning


def write_outcome(text: str, plan: Plan, tuning: Tuning) -> str:
    """Return the text of a configuration with the new settings.

    Labels and groups keep the names that they have in it.

    Raises:
        ConfigError: if the file is written in a way that cannot be edited.
    """
    chosen = _thresholds(tuning)
    groups = {label.name: label for label in chosen if isinstance(label, Group)}
    sections: dict[str, Mapping[str, Label]] = {"labels": _names(plan), "groups": groups}
    wanted = {
        section: {name: chosen.get(label) for name, label in named.items()}
        for section, named in sections.items()
        if any(label in chosen for label in named.values())
    }
    return edit_thresholds(text, wanted)


def _thresholds(tuning: Tuning) -> dict[Label, Thresholds]:
    """Return what is written for each label and group."""
    return {
        one.label: Thresholds(
            one.after.on,
            one.after.off,
            _if_new(one.before.min_duration, one.after.min_duration),
            _if_new(one.before.hold, one.after.hold),
        )
        for one in tuning.labels
    }


def _names(plan: Plan) -> dict[str, Label]:
    """Return the labels that are reported, by the names that they have in the file."""
    if plan.config.labels:
        return {name: plan.bundle.label(name) for name in plan.config.labels}
    # All are reported, and still must be when some are named.
    return {label.name: label for label in plan.settings if not isinstance(label, Group)}


def _if_new(before: float, after: float) -> float | None:
    return None if before == after else after
