"""An RTSP server for the system's Python: rtsp_server.py PORT. It plays a tone of 1 kHz.

/sound has one channel, /stereo the tone on the right only, /camera a picture as well.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

TONE = "audiotestsrc is-live=true freq=1000 volume=0.5"
PAY = "audioconvert ! audio/x-raw,format=S16BE,rate=44100 ! rtpL16pay name=pay0 pt=97"
RIGHT = "volume volume=0.5 ! audioconvert ! audiopanorama panorama=1"  # doubles it
PICTURE = "videotestsrc is-live=true ! jpegenc ! rtpjpegpay name=pay1 pt=26"
MOUNTS = {
    "/sound": f"( {TONE} ! audio/x-raw,channels=1 ! {PAY} )",
    "/camera": f"( {TONE} ! audio/x-raw,channels=1 ! {PAY} {PICTURE} )",
    "/stereo": f"( {TONE} ! {RIGHT} ! audio/x-raw,channels=2 ! {PAY} )",
}

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
for path, launch in MOUNTS.items():
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch)
    server.get_mount_points().add_factory(path, factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
