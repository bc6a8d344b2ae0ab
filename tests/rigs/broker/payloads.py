"""Checks payloads against the JSON Schemas that ship in docs/mqtt."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[3] / "docs" / "mqtt"


def check(kind: str, payload: str) -> object:
    """Fail unless a payload is what `docs/mqtt/<kind>.schema.json` says; return what it means."""
    schema = json.loads((FOLDER / f"{kind}.schema.json").read_text())
    value = payload if "enum" in schema else json.loads(payload)
    Draft202012Validator(schema, registry=_registry()).validate(value)
    return value


def _registry() -> Registry:
    found = {p.name: json.loads(p.read_text()) for p in FOLDER.glob("*.schema.json")}
    return Registry().with_resources((n, Resource.from_contents(s)) for n, s in found.items())
