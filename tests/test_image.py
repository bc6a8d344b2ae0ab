"""The images, run as docs/container.md says; `packaging/container/test` builds and tries them."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
import soxr
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber, wait_until
from rigs.broker.supervisor import FakeSupervisor, set_password
from rigs.image.podman import APP, IMAGE, inspect, run, running, why_not
from rigs.sound import pulse
from rigs.sound.camera import Camera

from ast_edge import __version__

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(why_not(IMAGE)), reason=why_not(IMAGE) or "it can"),
]
needs_sound = pytest.mark.skipif(bool(pulse.available()), reason=str(pulse.available()))
needs_broker = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

MOST_BYTES = 450_000_000
RATE = 48000
FOLDER = "/opt/ast-edge/lib/python3*/site-packages"
DEMO = f"{FOLDER}/ast_edge/recordings/home.ogg"
LISTENS = "--volume={}:/etc/ast-edge/mic.yaml:ro"


def shell(script, *options):
    return run("--entrypoint=/bin/sh", *options, IMAGE, "-c", script)


@pytest.fixture
def microphone():
    with pulse.VirtualMicrophone() as virtual:
        # The image's user is another one than that of the rig.
        for path in (virtual._folder, virtual._folder / "run"):
            path.chmod(0o755)
        yield virtual


def with_server(microphone):
    """The options that give a container the sound server of its host."""
    folder = microphone._folder / "run"
    return [f"--volume={folder}:/run/pulse:ro", "--env=PULSE_SERVER=unix:/run/pulse/native"]


def write(path, tree):
    path.write_text(json.dumps(tree))  # which is YAML as well
    path.chmod(0o644)
    return path


def test_it_is_not_larger_than_promised():
    assert inspect(IMAGE)["Size"] <= MOST_BYTES


def test_it_says_what_it_is_and_how_it_is_watched():
    found = inspect(IMAGE)
    config = found["Config"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "ast-edge"
    assert labels["org.opencontainers.image.version"] == __version__
    assert len(labels["org.opencontainers.image.revision"]) == 40
    assert config["User"] == "1000:1000"
    assert found["Healthcheck"]["Test"] == ["CMD", "ast-edge", "status"]
    assert list(config["Volumes"]) == ["/var/lib/ast-edge"]


def test_it_is_the_version_of_this_checkout():
    assert run(IMAGE, "--version") == f"ast-edge {__version__}\n"


def test_nothing_of_training_and_building_is_in_it():
    script = f"ls {FOLDER}; command -v gcc pip git apt-listchanges; ls /var/lib/apt/lists"
    found = set(shell(script + "; true").split())
    assert not found & {"torch", "onnx", "pip", "/usr/bin/gcc", "/usr/bin/git"}
    assert "ast_edge" in found


def test_a_model_is_run_by_a_user_without_rights_on_a_read_only_root():
    said = shell(f"ast-edge tag {DEMO} && id -u", "--cap-drop=all")
    assert "Dog" in said
    assert said.endswith("\n1000\n")


def test_the_program_is_compiled_already():
    said = shell(
        f"find {FOLDER}/ast_edge -name '*.py' | wc -l; find {FOLDER}/ast_edge -name '*.pyc' | wc -l"
    )
    sources, compiled = map(int, said.split())
    assert sources == compiled > 100


def test_the_first_process_reaps_what_is_left_of_others():
    script = "(sh -c 'sleep 0.1 & exec true' &); sleep 1; grep -h State: /proc/[0-9]*/status"
    said = run("--entrypoint=/usr/bin/tini", IMAGE, "--", "sh", "-c", script)
    assert "S (sleeping)" in said or "R (running)" in said
    assert "Z (zombie)" not in said


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("m4a", ["-c:a", "aac"]),
        ("mp3", ["-c:a", "libmp3lame", "-write_xing", "0"]),
        ("opus", ["-c:a", "libopus", "-ar", "48000"]),
        ("mka", ["-c:a", "pcm_alaw", "-ar", "8000"]),
        ("ts", ["-c:a", "mp2"]),
        ("wma", ["-c:a", "wmav2"]),
        ("flac", ["-c:a", "flac"]),
    ],
)
def test_recordings_are_decoded(tmp_path, suffix, options):
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed (apt install ffmpeg)")
    soundfile.write(tmp_path / "a.wav", np.sin(np.arange(3 * RATE) / 7) * 0.3, RATE)
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        tmp_path / "a.wav",
        *options,
        f"{tmp_path}/b.{suffix}",
    ]
    subprocess.run(command, check=True)
    tmp_path.chmod(0o755)
    said = run(f"--volume={tmp_path}:/sound:ro", IMAGE, "tag", f"/sound/b.{suffix}")
    assert f"b.{suffix}" in said


def test_what_is_missing_for_a_microphone_is_said_in_one_line():
    done = subprocess.run(
        ["podman", "run", "--rm", "--network=none", IMAGE, "devices"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 66
    assert "ALSA has no card that records" in done.stderr or "/dev/snd is not here" in done.stderr
    assert "no sound server answers" in done.stderr


@needs_broker
def test_a_camera_is_heard_and_its_health_is_asked(tmp_path):
    with Camera() as camera, Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        mqtt = {"host": "127.0.0.1", "port": broker.port}
        url = camera.url.lower()
        tree = {"node": "image", "sources": {"door": {"url": url}}, "mqtt": mqtt}
        config = write(tmp_path / "mic.yaml", tree)
        with running(LISTENS.format(config), "--cap-drop=all", IMAGE) as container:
            state = "ast-edge/image/door/availability"
            wait_until(lambda: "online" in subscriber.on(state), 60)
            done = container.execute("ast-edge", "status")
            assert (done.returncode, "listening" in done.stdout) == (0, True), done.stdout
        assert subscriber.on("ast-edge/image/availability")[-1] == "offline"


@needs_broker
@needs_sound
def test_the_sound_server_of_its_host_is_heard(tmp_path, microphone):
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        mqtt = {"host": "127.0.0.1", "port": broker.port}
        tree = {"node": "image", "sources": {"hall": {"microphone": "vmic"}}, "mqtt": mqtt}
        config = write(tmp_path / "mic.yaml", tree)
        options = [LISTENS.format(config), *with_server(microphone)]
        said = run(*options, IMAGE, "devices")
        assert "pulse:vmic" in said
        with running(*options, IMAGE):
            play_until_heard(tmp_path, microphone, subscriber, "ast-edge/image/hall/event")


@needs_broker
@needs_sound
@pytest.mark.skipif(bool(why_not(APP)), reason=why_not(APP) or "it can")
def test_the_app_hears_by_the_supervisors_sound_and_speaks_to_its_broker(tmp_path, microphone):
    broker = Mosquitto(tmp_path, password=True)
    set_password(broker, "the broker's password")
    data = tmp_path / "data"
    data.mkdir()
    write(data / "options.json", {"name": "app", "microphone": "vmic", "room": "hall"})
    with broker, FakeSupervisor() as supervisor, Subscriber(broker) as subscriber:
        supervisor.knows(broker, "the broker's password")
        variables = [f"--env={key}={value}" for key, value in supervisor.environment.items()]
        options = [f"--volume={data}:/data", "--tmpfs=/run/ast-edge", *with_server(microphone)]
        with running(*options, *variables, APP) as container:
            play_until_heard(tmp_path, microphone, subscriber, "ast-edge/app/hall/event")
            assert container.execute("ast-edge", "status").returncode == 0
            set_password(broker, "another password")
            broker.restart()
            wait_until(lambda: "refused the user name or password" in container.log(), 60)
            supervisor.knows(broker, "another password")
            count = len(subscriber.on("ast-edge/app/hall/event"))
            play_until_heard(
                tmp_path, microphone, subscriber, "ast-edge/app/hall/event", more_than=count
            )
            assert "another password" not in container.log()
    assert inspect(APP)["Config"]["Labels"]["io.hass.type"] == "app"


def play_until_heard(folder, microphone, subscriber, topic, more_than=0):
    """Play the demo's dog again and again until an event has come."""
    samples, rate = soundfile.read("configs/demo/home.ogg", dtype="float32")
    dog = folder / "dog.wav"
    soundfile.write(dog, soxr.resample(samples[: 7 * rate], rate, RATE), RATE)

    def arrived():
        microphone.play(dog).wait(30)
        return len(subscriber.on(topic)) > more_than

    wait_until(arrived, 90)
