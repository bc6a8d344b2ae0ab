"""A real Home Assistant that can be watched and told what to do; for docs/mqtt/trial.md, not CI.

    python home_assistant.py FOLDER PORT [PREFIX]

with the Python of a Home Assistant (2025.4 and later) runs it in FOLDER, with a broker on PORT of
this machine, until there is a file `stop`. In FOLDER then are `entities.json` (entities and devices
of ast-edge as they are now), `changes.jsonl` (every change of a state) and `home-assistant.log`. A
line like ["switch", "turn_off", {"entity_id": "switch.kitchen_detection"}], appended to
`calls.jsonl`, calls a service.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from homeassistant import bootstrap, runner
from homeassistant.helpers import device_registry, entity_registry

CONFIGURATION = """\
logger:
  default: warning
  logs:
    homeassistant.components.mqtt: info
"""
WHEN = "2025-01-01T00:00:00+00:00"
ENTRY = {
    "entry_id": "0123456789abcdef",
    "version": 1,
    "minor_version": 2,
    "domain": "mqtt",
    "title": "mqtt",
    "pref_disable_new_entities": False,
    "pref_disable_polling": False,
    "source": "user",
    "unique_id": None,
    "disabled_by": None,
    "created_at": WHEN,
    "modified_at": WHEN,
    "discovery_keys": {},
    "subentries": [],
}


def prepare(folder, port, prefix):
    """Write what the user interface would ask for."""
    folder.joinpath(".storage").mkdir(parents=True, exist_ok=True)
    folder.joinpath("configuration.yaml").write_text(CONFIGURATION)
    entry = ENTRY | {
        "data": {"broker": "127.0.0.1", "port": port},
        "options": {"discovery": True, "discovery_prefix": prefix},
    }
    entries = {"version": 1, "minor_version": 5, "key": "core.config_entries"}
    entries["data"] = {"entries": [entry]}
    folder.joinpath(".storage/core.config_entries").write_text(json.dumps(entries))
    for name in ("stop", "calls.jsonl"):
        folder.joinpath(name).unlink(missing_ok=True)


def describe(hass):
    """Return the entities of ast-edge with their states, and its devices."""
    entities = {}
    for entity in list(entity_registry.async_get(hass).entities.values()):
        if entity.unique_id.startswith("ast-edge"):
            state = hass.states.get(entity.entity_id)
            entities[entity.entity_id] = [state.state, dict(state.attributes)] if state else None
    devices = device_registry.async_get(hass).devices
    found = [device if not isinstance(device, str) else devices[device] for device in devices]
    names = [[d.name, d.area_id] for d in found if any(i[0] == "mqtt" for i in d.identifiers)]
    return {"entities": entities, "devices": names}


def take_calls(folder, done):
    """Return the lines of `calls.jsonl` after so many."""
    calls = folder / "calls.jsonl"
    lines = calls.read_text().splitlines() if calls.exists() else []
    return [json.loads(line) for line in lines[done:]]


def write(path, tree):
    """Write JSON, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(tree, default=str, indent=1))
    partial.replace(path)


async def run(folder, port, prefix):
    """Run until there is a file `stop`."""
    prepare(folder, port, prefix)
    config = runner.RuntimeConfig(config_dir=str(folder), skip_pip=True, log_no_color=True)
    hass = await bootstrap.async_setup_hass(config)
    await hass.async_start()
    print("started", flush=True)
    in_background, done = hass.async_add_executor_job, 0
    with folder.joinpath("changes.jsonl").open("a", buffering=1) as changes:

        def note(event):
            state = event.data["new_state"]
            line = [time.time(), event.data["entity_id"], state and state.state]
            changes.write(json.dumps(line) + "\n")

        hass.bus.async_listen("state_changed", note)
        while not await in_background(folder.joinpath("stop").exists):
            for domain, service, data in await in_background(take_calls, folder, done):
                done += 1
                await hass.services.async_call(domain, service, data, blocking=True)
            await in_background(write, folder / "entities.json", describe(hass))
            await asyncio.sleep(0.3)
        await hass.async_stop(force=True)


if __name__ == "__main__":
    prefix = sys.argv[3] if len(sys.argv) > 3 else "homeassistant"
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), prefix))
