"""A hub that models are sent to, as the public one takes them: large files go to a store first."""

import base64
import contextlib
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LARGE = (".safetensors",)
TOKEN = "hf_this_is_a_secret"


@dataclass
class PushHub:
    """Serves one repository at `url`, and knows all that was asked of it."""

    repository: str = "somebody/mine"
    files: dict[str, bytes] = field(default_factory=dict)
    """Of the repository, by the last commit."""
    exists: bool = False
    private: bool = True
    refusal: int = 0
    """The status that answers whatever would write, unless it is 0."""
    is_store_closed: bool = False
    """Whether large files are refused."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every request."""
    message: str = ""
    """Of the last commit."""

    def __enter__(self) -> "PushHub":
        handler = type("Bound", (_Handler,), {"hub": self, "store": {}})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def written(self) -> list[str]:
        """The paths of all requests that would change something."""
        return [path for method, path in self.asked if method != "GET"]


class _Handler(BaseHTTPRequestHandler):
    hub: PushHub
    store: dict[str, bytes]

    def answer(self, status: int, tree: Any = None, **headers: str) -> None:
        """Send JSON."""
        body = b"" if tree is None else json.dumps(tree).encode()
        self.send_response(status)
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for key, value in (fields | headers).items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        """Read what was sent."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def is_allowed(self) -> bool:
        """Tell whether the token is right; the store's addresses are signed instead."""
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def do_GET(self) -> None:
        hub = self.hub
        hub.asked.append(("GET", self.path))
        seen = hub.exists and (not hub.private or self.is_allowed())
        if self.path.partition("?")[0] != f"/api/models/{hub.repository}" or not seen:
            self.answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return
        names = [{"rfilename": name} for name in hub.files]
        self.answer(200, {"id": hub.repository, "private": hub.private, "siblings": names})

    def do_PUT(self) -> None:
        self.hub.asked.append(("PUT", self.path))
        content = self.body()
        if self.hub.is_store_closed:
            self.answer(403)
            return
        self.store[hashlib.sha256(content).hexdigest()] = content
        self.answer(200)

    def do_POST(self) -> None:
        hub, data = self.hub, self.body()
        hub.asked.append(("POST", self.path))
        if hub.refusal or not self.is_allowed():
            self.answer(hub.refusal or 401, {"error": f"not with {TOKEN}"})
            return
        path = self.path.partition("?")[0]
        name = hub.repository
        if path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            status = 409 if hub.exists else 200
            hub.private = hub.private if hub.exists else _is_private(json.loads(data))
            hub.exists = True
            self.answer(status, {"url": f"{hub.url}/{name}", "id": name, "name": name})
        elif path == f"/api/models/{name}/preupload/main":
            wanted = json.loads(data)["files"]
            self.answer(200, {"files": [_mode(file["path"]) for file in wanted]})
        elif path == f"/{name}.git/info/lfs/objects/batch":
            wanted = json.loads(data)["objects"]
            store = f"{hub.url}/store"
            objects = [
                {**one, "actions": {"upload": {"href": f"{store}/{one['oid']}"}}} for one in wanted
            ]
            self.answer(200, {"transfer": "basic", "objects": objects})
        elif path == f"/api/models/{name}/commit/main":
            self.commit(data)
        else:
            self.answer(404, {"error": path})

    def commit(self, data: bytes) -> None:
        """Take what stands in the lines of a commit, or lies in the store."""
        for line in data.splitlines():
            row = json.loads(line)
            value = row["value"]
            if row["key"] == "header":
                self.hub.message = value["summary"]
            elif row["key"] == "file":
                self.hub.files[value["path"]] = base64.b64decode(value["content"])
            else:
                self.hub.files[value["path"]] = self.store[value["oid"]]
        url = f"{self.hub.url}/{self.hub.repository}/commit/{'a' * 40}"
        self.answer(200, {"commitUrl": url, "commitOid": "a" * 40, "success": True})

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *args: object) -> None:
        pass


def _mode(path: str) -> dict[str, Any]:
    large = path.endswith(LARGE)
    return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}


def _is_private(asked: dict[str, Any]) -> bool:
    return bool(asked.get("private", asked.get("visibility") == "private"))
