"""A live stream in segments (HLS), at any path that is none of its files."""

import subprocess
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rigs.sound.live_server import LiveServer

_SECONDS = 4
"""Of a segment."""
_SEGMENTS = 15


class SegmentServer(LiveServer):
    """Serves a tone of a minute; its list holds the newest three segments."""

    def __init__(self, folder: Path) -> None:
        tone = ["-f", "lavfi", "-i", f"sine=1000:r=44100:d={_SECONDS * _SEGMENTS}", "-c:a", "aac"]
        cut = ["-f", "segment", "-segment_time", str(_SECONDS), str(folder / "%d.ts")]
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *tone, *cut], check=True)
        began = time.monotonic()

        class Files(SimpleHTTPRequestHandler):
            def __init__(self, *args: object) -> None:
                super().__init__(*args, directory=str(folder))

            def do_GET(self) -> None:
                if self.path.endswith(".ts"):
                    super().do_GET()
                    return
                first = int((time.monotonic() - began) / _SECONDS)
                lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{_SECONDS}"]
                lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
                for number in range(first, first + 3):
                    lines += [f"#EXTINF:{_SECONDS}.0,", f"{number}.ts"]
                body = "\n".join([*lines, ""]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/vnd.apple.mpegurl")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Files))
        self.url = f"http://{self.address}"
