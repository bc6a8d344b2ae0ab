"""The app's program as the Supervisor starts it: fake are the Supervisor and its address alone."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
import soxr
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber, wait_until
from rigs.broker.supervisor import TOKEN, FakeSupervisor, set_password
from rigs.sound import pulse

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("aiohttp", reason="aiohttp is not installed")
from rigs.model import RATE, silence, tone, write_bundle

missing = pulse.available() or mosquitto.available()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing), reason=str(missing)),
]

PASSWORD = "the broker's password"
ROOT = "ast-edge/home-assistant/"
EVENTS = ROOT + "room/event"


class App:
    """The folders of an app and its process, with a broker, a Supervisor and a sound server."""

    def __init__(self, folder, broker, supervisor, microphone):
        self.broker, self.supervisor, self.microphone = broker, supervisor, microphone
        self.data, self.config = folder / "data", folder / "config"
        self.data.mkdir()
        self.config.mkdir()
        write_bundle(folder / "bands")
        self.own(f"bundle: {folder}/bands\nhop: 0.2\nweb: {{changes: true}}\n")
        self.options()
        hum = np.concatenate([silence(0.5), tone("Hum", 1.5), silence(1.0)])
        soundfile.write(folder / "hum.wav", soxr.resample(hum, RATE, 48000), 48000)
        self.hum = folder / "hum.wav"
        self.log = folder / "log"

    def own(self, text):
        (self.config / "ast-edge.yaml").write_text(text)

    def options(self, **options):
        (self.data / "options.json").write_text(json.dumps(options))

    @contextmanager
    def runs(self):
        command = [sys.executable, "-m", "ast_edge", "run", "--app", self.data, self.config]
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(sys.path),
            "HOME": str(self.data),
            "STATE_DIRECTORY": str(self.data),
            **self.microphone.environment,
            **self.supervisor.environment,
        }
        with self.log.open("a") as log:
            process = subprocess.Popen(command, env=environment, stderr=log)
        try:
            yield process
            assert process.poll() is None, self.said()
        finally:
            process.terminate()
            process.wait(20)

    def said(self):
        return self.log.read_text()

    def wait_said(self, pattern):
        wait_until(lambda: re.search(pattern, self.said()), 40)  # its start takes a while


@pytest.fixture
def app(tmp_path):
    broker = Mosquitto(tmp_path, password=True)
    set_password(broker, PASSWORD)
    with (
        broker,
        FakeSupervisor() as supervisor,
        pulse.VirtualMicrophone() as microphone,
    ):
        supervisor.knows(broker, PASSWORD)
        yield App(tmp_path, broker, supervisor, microphone)


def heard(subscriber):
    return [json.loads(text)["label"] for text in subscriber.on(EVENTS)]


def play_until_heard(app, subscriber, count=1):
    """Play the hum again and again: the first may come before somebody listens."""

    def arrived():
        app.microphone.play(app.hum).wait(20)
        return heard(subscriber).count("Hum") >= count

    wait_until(arrived, 60)


def test_what_is_heard_reaches_the_broker_that_the_supervisor_tells(app):
    with Subscriber(app.broker) as subscriber, app.runs():
        play_until_heard(app, subscriber)
    assert "microphones of this machine: pulse:vmic" in app.said()


def test_a_password_that_changes_meanwhile_is_asked_for_and_written_nowhere(app):
    with Subscriber(app.broker) as subscriber, app.runs():
        wait_until(lambda: subscriber.on(ROOT + "availability"), 40)
        set_password(app.broker, "another password")
        app.broker.restart()
        app.wait_said("refused the user name or password")
        app.supervisor.knows(app.broker, "another password")
        play_until_heard(app, subscriber)
    secrets = (PASSWORD, "another password", TOKEN)
    files = [path for folder in (app.data, app.config) for path in folder.rglob("*")]
    for path in [*(path for path in files if path.is_file()), app.log]:
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content], path


def test_without_a_microphone_it_waits_and_says_so(app):
    app.microphone.unplug()
    app.options(microphone="vmic")
    # ALSA's own list has a name of the rig's for it.
    app.microphone.rename("other")
    with Subscriber(app.broker) as subscriber, app.runs():
        wait_until(lambda: subscriber.on(ROOT + "availability"), 40)
        app.wait_said("no input device is named 'vmic'")
        assert "no microphone: ALSA has no card that records" in app.said()
        app.microphone.replug()
        play_until_heard(app, subscriber)


def test_a_microphone_that_is_chosen_later_is_the_one_that_is_heard(app):
    """Home Assistant writes the choice into options, and starts the app anew."""
    null = ["load-module", "module-null-source", "source_name=first"]
    app.microphone._pactl(*null)
    app.microphone._pactl("set-default-source", "first")
    with Subscriber(app.broker) as subscriber:
        with app.runs():
            app.microphone.wait_for_listener()
            app.microphone.play(app.hum).wait(20)
        assert heard(subscriber) == []
        app.options(microphone="pulse:vmic")
        with app.runs():
            play_until_heard(app, subscriber)


def test_the_page_is_for_the_supervisor_alone(app):
    with app.runs():
        app.wait_said("page at")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen("http://127.0.0.1:8099/", timeout=10)
        assert caught.value.code == 403
        caught.value.close()


def test_a_mistake_in_the_form_or_the_file_ends_it_in_one_line(app):
    for write in (
        lambda: app.options(microphone=""),
        lambda: (app.options(), app.own("sources: 5\n")),
    ):
        write()
        command = [sys.executable, "-m", "ast_edge", "run", "--app", app.data, app.config]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 78
        (line,) = [x for x in done.stderr.splitlines() if x.startswith("ast-edge: ")]
        assert str(app.data / "options.json") in line or str(app.config) in line
