"""What a tuning says in a configuration: settings, and on what they were chosen."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ast_edge.app.config import Config
from ast_edge.base.files import file_sha256
from ast_edge.detection.config import LabelConfig
from ast_edge.detection.groups import Group
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.tuned import Tuned, settings_sha256
from ast_edge.model.label import Label
from ast_edge.tuning.config_edit import Thresholds, edit_thresholds, put_record
from ast_edge.tuning.trial import Recording
from ast_edge.tuning.tuning import Tuning

KEY = "tuned"
"""Of the record in a configuration."""


def write_outcome(
    text: str, config: Config, hearing: Hearing, tuning: Tuning, record: Tuned
) -> str:
    """Return the text of a configuration with the new settings and this record of them.

    Labels and groups keep the names that they have in it.

    Raises:
        ConfigError: if the file is written in a way that cannot be edited.
    """
    edited = write_thresholds(text, config, hearing, _thresholds(tuning))
    return put_record(edited, KEY, record.model_dump())


def write_thresholds(
    text: str, config: Config, hearing: Hearing, chosen: Mapping[Label, Thresholds]
) -> str:
    """Return the text of a configuration with these settings.

    Labels and groups keep the names that they have in it.

    Raises:
        ConfigError: if the file is written in a way that cannot be edited.
    """
    groups = {label.name: label for label in chosen if isinstance(label, Group)}
    sections: dict[str, Mapping[str, Label]] = {"labels": _names(config, hearing), "groups": groups}
    wanted = {
        section: {name: chosen.get(label) for name, label in named.items()}
        for section, named in sections.items()
        if any(label in chosen for label in named.values())
    }
    return edit_thresholds(text, wanted)


def make_record(
    config: Config,
    hearing: Hearing,
    tuning: Tuning,
    negatives: Sequence[Recording],
    positives: Sequence[Recording],
    annotations: Path | None,
    unsure: Sequence[Path] = (),
) -> Tuned:
    """Say on what settings were chosen.

    `annotations` is the table of the positives, if one is; `unsure` those of what may sound.
    """
    chosen, names = _thresholds(tuning), _names(config, hearing)
    labels = {
        name: (config.labels.get(name) or LabelConfig()).model_copy(
            update={key: float(number) for key, number in chosen[label].numbers.items()}
        )
        for name, label in names.items()
        if label in chosen
    }
    return Tuned(
        labels=list(labels),
        settings=settings_sha256(labels, labels),
        model=hearing.bundle.scores_sha256,
        wish=tuning.wish,
        limit=round(tuning.limit, 6),
        negative_hours=_hours(negatives),
        negative_recordings=len(negatives),
        negative_rooms=tuning.pieces.rooms,
        positive_hours=_hours(positives),
        positive_recordings=len(positives),
        events=sum(one.references for one in tuning.labels) if annotations else 0,
        annotations=file_sha256(annotations) if annotations else "",
        unsure=[file_sha256(table) for table in unsure],
    )


def _thresholds(tuning: Tuning) -> dict[Label, Thresholds]:
    """Return what is written for each label and group."""
    return {
        one.label: Thresholds(
            one.after.on,
            one.after.off,
            None if one.after.hold == one.before.hold else one.after.hold,
        )
        for one in tuning.labels
    }


def _names(config: Config, hearing: Hearing) -> dict[str, Label]:
    """Return the labels that are reported, by the names that they have in the file."""
    if config.labels:
        return {name: hearing.bundle.label(name) for name in config.labels}
    # All are reported, and still must be when some are named.
    return {label.name: label for label in hearing.settings if not isinstance(label, Group)}


def _hours(recordings: Sequence[Recording]) -> float:
    return round(sum(one.seconds for one in recordings) / 3600, 6)
