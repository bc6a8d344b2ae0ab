"""`ast-edge setup` as it is called: with real brokers, a sound server, and a terminal."""

import os
import pty
import re
import select
import stat
import subprocess
import sys
import time

import pytest
import yaml
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber
from rigs.processes import asleep

from ast_edge.base.errors import AudioError, BrokerError
from ast_edge.cli.main import main

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())
TIMEOUT = 60.0


@pytest.fixture
def quick(tiny_model):
    """What makes it quick: a tiny model and one engine."""
    return ["--bundle", str(tiny_model), "--engine", "openvino", "--listen", "1"]


@pytest.fixture
def call(tmp_path, quick):
    """Return a function that runs it unattended."""

    def call(*options):
        return main(["setup", *quick, "--out", str(tmp_path / "mic.yaml"), "--yes", *options])

    return call


def login(folder, broker, password=mosquitto.PASSWORD):
    (folder / "given").write_text(f"{password}\n")
    return [
        *("--broker", f"127.0.0.1:{broker.port}", "--user", mosquitto.USER),
        *("--password-file", str(folder / "given")),
    ]


def names(folder):
    return sorted(one.name for one in folder.glob("*.yaml*"))


@pytest.mark.slow
def test_what_it_writes_unattended_is_checked_and_runs(call, microphone, tmp_path, capsys):
    with Mosquitto(tmp_path, password=True) as broker:
        options = login(tmp_path, broker)
        assert call(*options, "--microphone", "vmi", "--room", "hall", "--labels", "Hum,Hiss") == 0
        out = capsys.readouterr().out
        assert "round trip" in out
        assert mosquitto.PASSWORD not in out
        assert main(["check", "--config", str(tmp_path / "mic.yaml")]) == 0
        assert mosquitto.PASSWORD not in (tmp_path / "mic.yaml").read_text()
        assert stat.S_IMODE((tmp_path / "secrets.yaml").stat().st_mode) == 0o600
        command = [sys.executable, "-m", "ast_edge", "run", "--config", tmp_path / "mic.yaml"]
        with Subscriber(broker) as heard:
            daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            try:
                heard.wait_for(
                    lambda: any(
                        m["topic"].endswith("/availability") and m["payload"] == "online"
                        for m in heard.messages
                    )
                )
            finally:
                daemon.terminate()
                daemon.wait(TIMEOUT)
    labels = yaml.safe_load((tmp_path / "mic.yaml").read_text().replace("!secret", ""))["labels"]
    assert labels == ["Hum", "Hiss"]


@pytest.mark.slow  # it is tried for ten seconds
def test_a_wrong_password_ends_it_with_the_reason_and_nothing_is_written(
    call, microphone, tmp_path, capsys
):
    with Mosquitto(tmp_path, password=True) as broker:
        assert call(*login(tmp_path, broker, "wr0ng")) == BrokerError.exit_code
    said = capsys.readouterr()
    assert re.search(r"not authori|password", said.err)
    assert "wr0ng" not in said.err + said.out
    assert names(tmp_path) == []


@pytest.mark.slow  # it is tried for ten seconds
def test_a_broker_that_is_not_there_ends_it_with_the_reason(call, microphone, tmp_path, capsys):
    (tmp_path / "mic.yaml").write_text("# mine\n")
    assert call("--broker", "127.0.0.1:1") == BrokerError.exit_code
    assert "connection refused" in capsys.readouterr().err
    assert (tmp_path / "mic.yaml").read_text() == "# mine\n"
    assert names(tmp_path) == ["mic.yaml"]


def test_an_unknown_microphone_ends_it_with_those_that_are_there(call, microphone, capsys):
    assert call("--broker", "none", "--microphone", "jabra") == AudioError.exit_code
    assert "'vmic'" in capsys.readouterr().err


def test_a_null_source_is_said_to_be_silent_and_one_before_is_kept(
    call, microphone, tmp_path, capsys
):
    (tmp_path / "mic.yaml").write_text("# mine\n")
    assert call("--broker", "none") == 0
    assert "nothing but zeros" in " ".join(capsys.readouterr().out.split())
    assert (tmp_path / "mic.yaml.old").read_text() == "# mine\n"
    assert "\n# mqtt:" in (tmp_path / "mic.yaml").read_text()


@pytest.mark.skipif(os.cpu_count() == 1, reason="has one core")
def test_a_small_model_gets_one_thread(call, microphone, tmp_path, capsys):
    assert call("--broker", "none") == 0
    assert "one thread does" in capsys.readouterr().out
    tree = yaml.safe_load((tmp_path / "mic.yaml").read_text())
    assert tree["engine"] == {"name": "openvino", "threads": 1}


def test_unchecked_it_is_written_for_what_is_not_there_yet(call, microphone, tmp_path):
    assert call("--broker", "127.0.0.1:1", "--microphone", "jabra", "--unchecked") == 0
    tree = yaml.safe_load((tmp_path / "mic.yaml").read_text())
    assert tree["sources"] == {"room": {"microphone": "jabra"}}
    assert tree["mqtt"] == {"host": "127.0.0.1", "port": 1}


@pytest.mark.parametrize(
    "options",
    [
        ["--broker", "none", "--user", "a"],
        ["--password-file", "x"],
        ["--broker", "mqtt://host"],
        ["--room", "living room", "--broker", "none"],
        ["--labels", "Dgo", "--broker", "none"],
        ["--hop", "9", "--broker", "none"],
        ["--bundle", "hoem", "--broker", "none"],
    ],
    ids=" ".join,
)
def test_an_answer_that_cannot_be_is_one_line_and_nothing_is_written(
    options, call, microphone, tmp_path, capsys
):
    assert call(*options) in (65, 78)
    assert capsys.readouterr().err.count("\n") == 1
    assert names(tmp_path) == []


def test_it_does_not_write_into_the_folder_of_the_systems_service(capsys):
    assert main(["setup", "--yes", "--out", "/etc/ast-edge/mic.yaml"]) == 74
    assert "copies it there" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_said_before_anything_is_tried(tmp_path, capsys):
    assert main(["setup", "--yes", "--out", str(tmp_path / "a" / "mic.yaml")]) == 74
    assert "in a folder that exists" in capsys.readouterr().err


def test_without_a_terminal_and_without_yes_it_is_a_usage_error(tmp_path):
    command = [sys.executable, "-m", "ast_edge", "setup", "--out", tmp_path / "mic.yaml"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.returncode == 2
    assert "use --yes" in done.stderr
    assert names(tmp_path) == []


class Terminal:
    """The wizard at a terminal of its own."""

    def __init__(self, *arguments):
        self._screen, inside = pty.openpty()
        command = [sys.executable, "-m", "ast_edge", "setup", *map(str, arguments)]
        self._wizard = subprocess.Popen(
            ["setsid", "--ctty", *command],  # the password is asked for at /dev/tty
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=os.environ | {"TERM": "dumb", "COLUMNS": "300"},
        )
        os.close(inside)
        self.text, self._read = "", 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._wizard.kill()
        self._wizard.wait(TIMEOUT)
        os.close(self._screen)

    def expect(self, words):
        """Wait until this is shown, after what was waited for before."""
        until = time.monotonic() + TIMEOUT
        while (found := self.text.find(words, self._read)) < 0:
            left = until - time.monotonic()
            assert left > 0, f"{words!r} is not shown: {self.text}"
            assert self._more(left), f"it ended before {words!r}: {self.text}"
        self._read = found + len(words)

    def answer(self, line):
        os.write(self._screen, f"{line}\n".encode())

    def interrupt(self):
        # A signal between the prompt and the read behind it would be heard with the next key only.
        mosquitto.wait_until(lambda: asleep(self._wizard.pid))
        os.write(self._screen, b"\x03")

    def end(self):
        """Return the exit status, when all is read."""
        while self._more(TIMEOUT):
            pass
        return self._wizard.wait(TIMEOUT)

    def _more(self, timeout):
        """Read what is shown; false at the end."""
        assert select.select([self._screen], [], [], timeout)[0], f"it hangs: {self.text}"
        try:
            self.text += os.read(self._screen, 65536).decode(errors="replace")
        except OSError:  # the other end is gone
            return False
        return True


@pytest.mark.slow
def test_the_questions_lead_to_a_configuration(microphone, tmp_path, quick):
    options = [*quick, "--out", tmp_path / "mic.yaml", "--service", "none"]
    with Mosquitto(tmp_path, password=True) as broker, Terminal(*options) as wizard:
        wizard.expect("which one?")
        wizard.answer("vmic")
        wizard.expect("Enter goes on")
        wizard.answer("")
        wizard.expect("did it?")
        wizard.answer("y")
        wizard.expect("which room")
        wizard.answer("living room")
        wizard.expect("becomes part of topics")
        wizard.answer("living-room")
        wizard.expect("take that?")
        wizard.answer("")
        wizard.expect("numbers or names")
        wizard.answer("Hmu")
        wizard.expect("did you mean 'Hum'")
        wizard.answer("Hum")
        wizard.expect("[x]")
        wizard.expect("numbers or names")
        wizard.answer("")
        for password in ("wr0ng", mosquitto.PASSWORD):
            wizard.expect("address of the broker")
            wizard.answer(f"127.0.0.1:{broker.port}")
            wizard.expect("user name")
            wizard.answer(mosquitto.USER)
            wizard.expect("password: ")
            wizard.answer(password)
            if password == "wr0ng":
                wizard.expect("take it nevertheless?")
                wizard.answer("")
        wizard.expect("round trip")
        wizard.expect("write ")
        wizard.answer("")
        assert wizard.end() == 0
    assert mosquitto.PASSWORD not in wizard.text
    assert yaml.safe_load((tmp_path / "secrets.yaml").read_text()) == {"broker": mosquitto.PASSWORD}
    tree = yaml.safe_load((tmp_path / "mic.yaml").read_text().replace("!secret", ""))
    assert tree["sources"] == {"living-room": {"microphone": "vmic"}}
    assert tree["labels"] == ["Hum"]


@pytest.mark.parametrize("at", ["which one?", "Enter goes on", "which room", "address of"])
def test_ctrl_c_leaves_everything_as_it_was(at, microphone, tmp_path, quick):
    (tmp_path / "mic.yaml").write_text("# mine\n")
    given = [] if at in ("which one?", "Enter goes on") else ["--microphone", "vmic"]
    if at == "address of":
        given += ["--room", "a", "--hop", "0.5", "--labels", "all"]
    with Terminal(*quick, *given, "--out", tmp_path / "mic.yaml") as wizard:
        if at == "Enter goes on":
            wizard.expect("which one?")
            wizard.answer("")
        wizard.expect(at)
        wizard.interrupt()
        assert wizard.end() == 130
    assert "nothing was written" in wizard.text
    assert (tmp_path / "mic.yaml").read_text() == "# mine\n"
    assert names(tmp_path) == ["mic.yaml"]
