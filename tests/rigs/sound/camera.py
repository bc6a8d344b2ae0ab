"""A camera in small: RTSP over TCP, a picture that never comes and G.711 sound at 8 kHz."""

import socketserver
import struct
import time

from rigs.sound.live_server import LiveServer

_DESCRIPTION = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=camera
t=0 0
a=control:*
m=video 0 RTP/AVP 97
a=rtpmap:97 H264/90000
a=control:picture
m=audio 0 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=control:sound
"""
_SECOND, _PACKET = 8000, 160
_HISS = bytes((n * n * 7919 >> 7) & 0xFF for n in range(_PACKET))


class Camera(LiveServer):
    """Serves at `url`; what it gives to those who want its sound alone is `stingy`.

    "" is nothing less than to others; "refuse" refuses to play; "burst" hangs up after a second.
    `speed` is how many times as many samples come as are stated.
    """

    def __init__(self, stingy: str = "", speed: float = 1.0) -> None:
        self.asked: list[set[str]] = []
        """The tracks of each client that wanted to hear."""
        camera = self

        class Client(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    _converse(self, camera, stingy, speed)
                except OSError:
                    return

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        super().__init__(Server(("127.0.0.1", 0), Client))
        self.url = f"RTSP://{self.address}/live"


def _converse(
    client: socketserver.StreamRequestHandler, camera: Camera, stingy: str, speed: float
) -> None:
    """Answer requests until one is to play."""
    tracks: dict[str, int] = {}
    while request := _request(client):
        method, url, fields = request
        status, more, body = "200 OK", "Session: 1\r\n", ""
        if method == "OPTIONS":
            more = "Public: DESCRIBE, SETUP, PLAY\r\n"
        elif method == "DESCRIBE":
            body = _DESCRIPTION.replace("\n", "\r\n")
            more = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        elif method == "SETUP":
            tracks[url.rpartition("/")[2]] = len(tracks) * 2
            number = len(tracks) * 2 - 2
            more += f"Transport: RTP/AVP/TCP;unicast;interleaved={number}-{number + 1}\r\n"
        alone = "picture" not in tracks
        if method == "PLAY":
            camera.asked.append(set(tracks))
            if stingy == "refuse" and alone:
                status = "455 Method Not Valid in This State"
        answer = f"RTSP/1.0 {status}\r\nCSeq: {fields['cseq']}\r\n{more}\r\n{body}"
        client.wfile.write(answer.encode())
        if method == "PLAY" and status == "200 OK":
            _play(client, tracks["sound"], speed, 1.0 if stingy == "burst" and alone else None)
            return


def _request(
    client: socketserver.StreamRequestHandler,
) -> tuple[str, str, dict[str, str]] | None:
    line = client.rfile.readline().decode()
    if not line:
        return None
    method, url, _ = line.split(" ", 2)
    fields = {}
    while field := client.rfile.readline().decode().strip():
        name, _, value = field.partition(":")
        fields[name.lower()] = value.strip()
    return method, url, fields


def _play(
    client: socketserver.StreamRequestHandler, channel: int, speed: float, limit: float | None
) -> None:
    """Send packets at their time; hang up after `limit` seconds."""
    began, sent = time.monotonic(), 0
    while limit is None or sent < limit * _SECOND:
        head = struct.pack(">BBHII", 0x80, 0, sent // _PACKET & 0xFFFF, sent & 0xFFFFFFFF, 1)
        packet = head + _HISS
        client.wfile.write(struct.pack(">cBH", b"$", channel, len(packet)) + packet)
        sent += _PACKET
        time.sleep(max(0.0, began + sent / _SECOND / speed - time.monotonic()))
