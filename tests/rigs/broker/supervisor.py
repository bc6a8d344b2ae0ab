"""The part of Home Assistant's Supervisor that an app asks for the broker."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rigs.broker.mosquitto import Mosquitto, _find

TOKEN = "the Supervisor's token for this app"
USER = "addons"


class FakeSupervisor:
    """Answers on a free port of 127.0.0.1 as the Supervisor does.

    `broker` is what it tells, None while no broker is installed; `raw` is sent in its place. A
    `status` other than 200 is the answer to everything.
    """

    def __init__(self) -> None:
        self.broker: dict[str, Any] | None = None
        self.raw: bytes | None = None
        self.status = 200
        self.asked: list[str] = []
        """Paths of all requests with the right token."""
        rig = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
                status, body = rig._answer(self.path) if known else (401, b"{}")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.environment = {
            "AST_EDGE_SUPERVISOR": f"http://127.0.0.1:{self._server.server_port}",
            "SUPERVISOR_TOKEN": TOKEN,
        }

    def __enter__(self) -> "FakeSupervisor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def knows(self, broker: Mosquitto, password: str) -> None:
        """Tell a broker, which has no TLS, and its password for USER."""
        self.broker = {
            "addon": "core_mosquitto",
            "host": "127.0.0.1",
            "port": broker.port,
            "ssl": False,
            "protocol": "3.1.1",
            "username": USER,
            "password": password,
        }

    def _answer(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        if self.status != 200:
            return self.status, b"{}"
        if path != "/services/mqtt" or (self.broker is None and self.raw is None):
            return 400, json.dumps({"result": "error", "message": "Service not enabled"}).encode()
        told = json.dumps({"result": "ok", "data": self.broker}).encode()
        return 200, told if self.raw is None else self.raw


def set_password(broker: Mosquitto, password: str) -> None:
    """Let USER in by this password; to be called before a start of a broker with passwords."""
    command = [_find("mosquitto_passwd"), "-b", broker.folder / "passwords", USER, password]
    subprocess.run(command, check=True, capture_output=True)
    acl = broker.folder / "acl"
    rule = f"user {USER}\ntopic readwrite #\n"
    if rule not in acl.read_text():
        acl.write_text(acl.read_text() + rule)
