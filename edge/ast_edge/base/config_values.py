"""Kinds of values that several sections of a configuration have."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from ast_edge.base.yaml_file import shown


def _slug(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError(f"{text!r} becomes part of topics: only letters, digits, '_' and '-'")
    return text


def listed(value: object) -> object:
    """Take a single word where a list is expected."""
    return [value] if isinstance(value, str) else value


def names_of(labels: list[object]) -> list[str]:
    """Refuse a number among names, which a mapping of names would not show."""
    for label in labels:
        if not isinstance(label, str):
            raise ValueError(f"expected names, got {shown(label)}; write it in quotes")
    return [str(label) for label in labels]


def switched(section: object) -> object:
    """Take true and false for a section that has nothing but a switch."""
    return {"enabled": section} if isinstance(section, bool) else section


def asked_for(section: object) -> object:
    """Take true and false for a section that is off unless given."""
    return ({} if section else None) if isinstance(section, bool) else section


Slug = Annotated[str, AfterValidator(_slug)]
Probability = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
Names = Annotated[list[str], BeforeValidator(listed)]
