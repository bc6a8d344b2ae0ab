"""The configuration of labels and groups."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ast_edge.base.config_values import Names, Probability, Seconds, listed, names_of
from ast_edge.base.yaml_file import Section, shown
from ast_edge.detection.schedule import parse_period

GroupScore = Literal["max", "min", "noisy-or"]


def named(labels: object) -> object:
    """Take a plain list of labels as well: each with the model's own thresholds."""
    return dict.fromkeys(names_of(labels)) if isinstance(labels, list) else labels


def grouped(groups: object) -> object:
    """Take short forms as well: "ontology" for the kind of the group's name, a list of members."""
    if isinstance(groups, list):
        groups = dict.fromkeys(names_of(groups), "ontology")
    if not isinstance(groups, dict):
        return groups
    sections = {}
    for name, section in groups.items():
        if isinstance(section, list):
            section = {"members": section}
        elif section == "ontology":
            section = {"ontology": [str(name)]}
        elif not isinstance(section, dict):
            raise ValueError(
                f"{name}: expected 'ontology', a list of labels or a mapping, got {shown(section)}"
            )
        sections[name] = section
    return sections


def _period(text: str) -> str:
    parse_period(text)
    return text


class LabelConfig(Section):
    """How one label becomes events; what is not given comes from the bundle."""

    on: Probability | None = None
    """There is an event when the probability reaches this."""
    off: Probability | None = None
    """It lasts while the probability is above this, pauses of `hold` seconds included."""
    min_duration: Seconds | None = None
    """Shorter sounds are not reported."""
    hold: Seconds | None = None
    """A pause shorter than this does not end an event."""
    cooldown: Seconds | None = None
    """No new event of the label for so long after one has ended."""
    suppress_while: Names = Field(default_factory=list)
    """No event begins while one of these labels and groups is heard; a running one goes on."""
    active: Annotated[
        list[Annotated[str, AfterValidator(_period)]] | None, BeforeValidator(listed)
    ] = Field(default=None, min_length=1)
    """Events begin only then, in local time: "22:00-06:00", "sat,sun", "mon-fri 08:00-17:00"."""


class GroupConfig(LabelConfig):
    """Labels that are reported as one; what is not given comes from its members' settings."""

    members: Names = Field(default_factory=list)
    """Labels of the bundle."""
    ontology: Names = Field(default_factory=list)
    """Kinds of sound of the AudioSet ontology; the labels of the bundle under them are members."""
    without: Names = Field(default_factory=list)
    """Labels that are no members all the same."""
    score: GroupScore = "max"
    """How the members' probabilities make the group's: the highest, the lowest, or noisy-or, the
    probability of one or more if they were independent."""

    @model_validator(mode="after")
    def _not_empty(self) -> "GroupConfig":
        if not self.members and not self.ontology:
            raise ValueError("give members, ontology or both")
        return self
