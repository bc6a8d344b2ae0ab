"""A radio station: http_server.py PORT. It plays a tone of 1 kHz as WAV without an end.

/burst gives four seconds at once and goes on in real time, as Icecast does, /long-burst a minute,
as it does at a low bit rate; /file gives a minute
as fast as they are taken, and ends.
"""

import contextlib
import io
import sys
import time
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

RATE = 16_000
SECOND = (16384 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype("<i2").tobytes()


def header():
    """Return the header of a WAV whose length nobody knows."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.setnframes(0x3FFFFF00)
    return file.getvalue()[:44]


class Station(BaseHTTPRequestHandler):
    """Plays to whoever asks."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav")
        self.end_headers()
        self.wfile.write(header())
        if self.path == "/file":
            self.wfile.write(60 * SECOND)
            return
        if self.path == "/burst":
            self.wfile.write(4 * SECOND)
        if self.path == "/long-burst":
            self.wfile.write(60 * SECOND)
        began, played = time.monotonic(), 0
        while True:
            self.wfile.write(SECOND[: RATE // 5])
            played += 1
            time.sleep(max(0.0, began + played / 10 - time.monotonic()))

    def handle(self):
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Station)
print("ready", flush=True)
server.serve_forever()
