"""A real Mosquitto broker for tests, and `mosquitto_sub` to see what arrives."""

import getpass
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rigs.ports import free_port

TIMEOUT = 30.0
"""Seconds after which a condition that is waited for has failed."""

USER, PASSWORD = "daemon", "s3cret"
READY = "rig/ready"


def available() -> str:
    """Return why Mosquitto cannot run here, or nothing."""
    missing = [name for name in ("mosquitto", "mosquitto_sub", "mosquitto_pub") if not _find(name)]
    return f"not installed: {', '.join(missing)}" if missing else ""


class Mosquitto:
    """A broker on a free port of 127.0.0.1 that can be stopped, killed, frozen and started again.

    With `password`, USER may use every topic but those below "forbidden/". With `tls`, `ca` is the
    authority of its certificate, which is for localhost; with `certificates`, clients need one as
    well, and `certificate` and `key` are one for them. With `persistent` it remembers sessions and
    retained messages over `stop` and `start`. With `deaf`, nobody hears anything: subscriptions
    are refused ("refused"), or accepted for nothing, as by an access control list ("silent").
    With `websockets`, it takes these as well, at `websockets_port`, with TLS where that is asked
    for. `options` are further lines of its configuration.
    """

    def __init__(
        self,
        folder: Path,
        *,
        password: bool = False,
        tls: bool = False,
        certificates: bool = False,
        persistent: bool = False,
        deaf: Literal["", "refused", "silent"] = "",
        websockets: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.password = password
        self.port = free_port()
        self.ca = make_authority(folder) if tls or certificates else None
        self.certificate = folder / "client.crt" if certificates else None
        self.key = folder / "client.key" if certificates else None
        self._process: subprocess.Popen[bytes] | None = None
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"user {getpass.getuser()}",
            f"persistence {str(persistent).lower()}",
            f"persistence_location {folder}/",
            f"log_dest file {folder}/log",
            "log_type all",
            "max_queued_messages 100000",  # for a subscriber that is away; 1000 by default
            f"allow_anonymous {str(not password).lower()}",
            *options,
        ]
        if password:
            (folder / "acl").write_text(f"user {USER}\ntopic readwrite #\ntopic deny forbidden/#\n")
            (folder / "acl").chmod(0o600)
            subprocess.run(
                [_find("mosquitto_passwd"), "-c", "-b", folder / "passwords", USER, PASSWORD],
                check=True,
                capture_output=True,
            )
            lines += [f"password_file {folder}/passwords", f"acl_file {folder}/acl"]
        secured = [
            f"cafile {folder}/ca.crt",
            f"certfile {folder}/server.crt",
            f"keyfile {folder}/server.key",
            f"require_certificate {str(certificates).lower()}",
        ]
        lines += secured if self.ca else []
        if deaf:
            silent = deaf == "silent"
            rights = {"publishClientSend": True, "publishClientReceive": not silent}
            rights["subscribe"] = silent
            (folder / "rights.json").write_text(json.dumps({"defaultACLAccess": rights}))
            lines += [
                f"plugin {dynamic_security()}",
                f"plugin_opt_config_file {folder}/rights.json",
            ]
        self.websockets_port = free_port()
        if websockets:
            lines += [f"listener {self.websockets_port} 127.0.0.1", "protocol websockets"]
            lines += secured if self.ca else []
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def __enter__(self) -> "Mosquitto":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start the broker and wait until it takes messages."""
        # -r: seen by every subscriber as the sign that it has been subscribed.
        probe = [_find("mosquitto_pub"), *self.client_options(), "-t", READY, "-m", "x", "-r"]
        self._process = subprocess.Popen(
            [_find("mosquitto"), "-c", self.folder / "mosquitto.conf"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + TIMEOUT
        while subprocess.run(probe, capture_output=True, timeout=TIMEOUT).returncode:
            assert self._process.poll() is None, f"mosquitto ended: {self.log()}"
            assert time.monotonic() < until, f"mosquitto does not answer: {self.log()}"

    def stop(self) -> None:
        """Shut the broker down in peace."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it as a power cut would; no client is told."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay open and nothing is answered."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop and start again."""
        self.stop()
        self.start()

    def publish(self, topic: str, payload: str, *options: str) -> None:
        """Publish one message; options are those of mosquitto_pub."""
        command = [_find("mosquitto_pub"), *self.client_options(), "-t", topic, "-m", payload]
        subprocess.run([*command, *options], check=True, capture_output=True, timeout=TIMEOUT)

    def log(self) -> str:
        """Return the broker's log so far."""
        return (self.folder / "log").read_text()

    def client_options(self) -> list[str]:
        """Return how a client program of Mosquitto reaches the broker."""
        host = "localhost" if self.ca else "127.0.0.1"
        options = ["-h", host, "-p", str(self.port)]
        if self.password:
            options += ["-u", USER, "-P", PASSWORD]
        if self.ca:
            options += ["--cafile", str(self.ca)]
        if self.certificate:
            options += ["--cert", str(self.certificate), "--key", str(self.key)]
        return options

    def _end(self, sign: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(sign)
            self._process.wait(TIMEOUT)
            self._process = None


class Subscriber:
    """`mosquitto_sub` on everything: `messages` are mappings with topic, payload, retain and qos.

    It is subscribed when the context is entered, comes back after a restart of the broker, and,
    where the broker remembers sessions, gets what was published in between.
    """

    def __init__(self, broker: Mosquitto, session: str = "rig-subscriber") -> None:
        self.messages: list[dict[str, str | int]] = []
        self._broker = broker
        self._session = ["-c", "-i", session, "-q", "1"] if session else []
        self._changed = threading.Condition()

    def __enter__(self) -> "Subscriber":
        self._process = subprocess.Popen(
            [
                *(_find("mosquitto_sub"), *self._broker.client_options(), *self._session),
                *("-t", "#", "-F", '{"topic": "%t", "payload": "%x", "retain": %r, "qos": %q}'),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.wait_for(lambda: any(m["topic"] == READY for m in self.messages))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        assert self._process.stdout
        self._process.stdout.close()

    def on(self, topic: str) -> list[str]:
        """Return the payloads that have arrived on a topic."""
        with self._changed:
            return [str(m["payload"]) for m in self.messages if m["topic"] == topic]

    def wait_for(self, condition) -> None:
        """Wait until a function of no arguments returns true; fail after TIMEOUT."""
        with self._changed:
            done = self._changed.wait_for(condition, TIMEOUT)
        assert done, f"it has not come; what came: {self.messages}"

    def wait_on(self, topic: str, count: int = 1) -> list[str]:
        """Wait for so many messages on a topic and return their payloads."""
        self.wait_for(lambda: len(self.on(topic)) >= count)
        return self.on(topic)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if not line.endswith("\n"):
                break  # it was killed while it wrote
            message = json.loads(line)
            message["payload"] = bytes.fromhex(message["payload"]).decode()
            with self._changed:
                self.messages.append(message)
                self._changed.notify_all()


def retained(broker: Mosquitto) -> dict[str, str]:
    """Return the retained messages as a late joiner gets them, payload by topic."""
    with Subscriber(broker, session="") as late:
        broker.publish("rig/end", "x")  # comes after everything that was retained
        late.wait_on("rig/end")
        found = [m for m in late.messages if m["retain"] and m["topic"] != READY]
    return {str(m["topic"]): str(m["payload"]) for m in found}


def make_authority(folder: Path) -> Path:
    """Make `ca.crt`, `server.crt` for localhost and `client.crt` in `folder`; return `ca.crt`."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (folder / "server.ext").write_text(
        "subjectAltName=DNS:localhost\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    )
    root = ["-subj", "/CN=Test CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    by_ca = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "server.ext"]
    for command in (
        ["req", "-x509", *key, *root, "-days", "2", "-keyout", "ca.key", "-out", "ca.crt"],
        ["req", *key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"],
        ["x509", "-req", "-in", "server.csr", *by_ca, "-days", "2", "-out", "server.crt"],
        ["req", *key, "-subj", "/CN=client", "-keyout", "client.key", "-out", "client.csr"],
        ["x509", "-req", "-in", "client.csr", *by_ca[:-2], "-days", "2", "-out", "client.crt"],
    ):
        subprocess.run(
            [_find("openssl"), *command], cwd=folder, check=True, capture_output=True, timeout=20
        )
    return folder / "ca.crt"


def wait_until(condition, timeout: float = TIMEOUT) -> None:
    """Wait until a function of no arguments returns true."""
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def _find(program: str) -> str:
    # Daemons live in sbin, which is not on every user's path.
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin") or ""


def dynamic_security() -> Path | None:
    """Return Mosquitto's plug-in for rights, if it is there."""
    return next(Path("/usr/lib").glob("**/mosquitto_dynamic_security.so"), None)
