"""A server in this process that serves as long as it is entered."""

import socketserver
import threading
from typing import TypeVar

Server = TypeVar("Server", bound="LiveServer")


class LiveServer:
    """Answers in threads of its own, at a port of this machine."""

    def __init__(self, server: socketserver.TCPServer) -> None:
        self._server = server
        self.address = f"127.0.0.1:{server.server_address[1]}"

    def __enter__(self: Server) -> Server:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
