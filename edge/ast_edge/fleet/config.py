"""The configuration of model updates."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from ast_edge.base.config_values import listed
from ast_edge.base.yaml_file import Section
from ast_edge.fleet.places import parse_place


def _place(url: str) -> str:
    parse_place(url)
    return url


def listed_places(section: object) -> object:
    """Take an address, or a list of them, for a section that has nothing else."""
    return {"places": section} if isinstance(section, str | list) else section


class UpdatesConfig(Section):
    """Bundles that others may point this node to, over the broker."""

    places: Annotated[
        list[Annotated[str, AfterValidator(_place)]], BeforeValidator(listed), Field(min_length=1)
    ]
    """Addresses that theirs must begin with, redirects included: https://models.example.org/ast/.
    Without encryption (http) only where it stands so here."""
    install: Literal["at_once", "on_command"] = "at_once"
    """Whether to follow a pointer, or to wait for the command (or Home Assistant's button)."""
    spread: float = Field(default=300.0, ge=0, le=86400)
    """Seconds; each node begins at a random moment within, so that not all ask the server at once.
    A command is followed now."""
