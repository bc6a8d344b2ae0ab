"""A Home Assistant as it runs at home, spoken to by its own API; for docs/mqtt/trial.md, not CI.

    python home_assistant_api.py FOLDER begin PORT        make its first user, and give it a broker
    python home_assistant_api.py FOLDER states [PART]     list entities with their states
    python home_assistant_api.py FOLDER call switch.turn_off '{"entity_id": "switch.…"}'

`hass --config FOLDER` runs at port 8123 of this machine. The key to it is kept in FOLDER.
"""

import json
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

URL = "http://127.0.0.1:8123"
CLIENT = {"client_id": f"{URL}/"}
USER = {"name": "Trial", "username": "trial", "password": "only-for-a-trial", "language": "en"}
# What the form of Home Assistant 2026.11 asks for beside host and port.
BROKER = {
    "broker": "127.0.0.1",
    "protocol": "5",
    "other_settings": {
        "set_client_cert": False,
        "set_ca_cert": "off",
        "tls_insecure": False,
        "transport": "tcp",
    },
}


def ask(path, body=None, *, token=None):
    """Return the answer; a body is posted, as JSON unless it is bytes."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data)
    if isinstance(body, dict):
        request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def log_in(**grant):
    """Return the tokens for a grant."""
    return ask("/auth/token", urlencode(CLIENT | grant).encode())


def begin(key, port):
    """Do what a person does in the first minutes."""
    code = ask("/api/onboarding/users", CLIENT | USER)["auth_code"]
    tokens = log_in(grant_type="authorization_code", code=code)
    key.write_text(tokens["refresh_token"])
    token = tokens["access_token"]
    for step in ("core_config", "analytics"):
        ask(f"/api/onboarding/{step}", {}, token=token)
    ask("/api/onboarding/integration", CLIENT | {"redirect_uri": CLIENT["client_id"]}, token=token)
    flows = "/api/config/config_entries/flow"
    flow = ask(flows, {"handler": "mqtt", "show_advanced_options": False}, token=token)
    done = ask(f"{flows}/{flow['flow_id']}", BROKER | {"port": port}, token=token)
    print(ask("/api/config", token=token)["version"], done["type"], done.get("errors") or "")


def main(folder, command, *arguments):
    """Do one of the three."""
    key = Path(folder) / "trial-key"
    if command == "begin":
        begin(key, int(arguments[0]))
        return
    token = log_in(grant_type="refresh_token", refresh_token=key.read_text())["access_token"]
    if command == "call":
        service, data = arguments
        ask(f"/api/services/{service.replace('.', '/')}", json.loads(data), token=token)
    for state in ask("/api/states", token=token) if command == "states" else []:
        if not arguments or arguments[0] in state["entity_id"]:
            print(state["entity_id"], state["state"], json.dumps(state["attributes"]), sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
