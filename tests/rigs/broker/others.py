"""Other brokers of Debian that speak MQTT 3.1.1: NATS and RabbitMQ."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from rigs.broker.mosquitto import wait_until
from rigs.ports import free_port

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
PATIENCE = 120.0


class Nats:
    """A NATS server with MQTT, which keeps retained messages in JetStream."""

    def __init__(self, folder: Path) -> None:
        self.port, self._clients = free_port(), free_port()
        self._config = folder / "nats.conf"
        self._config.write_text(
            f"server_name: rig\nlisten: 127.0.0.1:{self._clients}\n"
            f'jetstream {{ store_dir: "{folder}/store" }}\n'
            f'mqtt {{ listen: "127.0.0.1:{self.port}" }}\n'
        )

    @staticmethod
    def available() -> str:
        """Return why it cannot run here, or nothing."""
        return "" if shutil.which("nats-server") else "not installed: nats-server"

    def __enter__(self) -> "Nats":
        self._process = subprocess.Popen(
            ["nats-server", "-c", self._config],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: _listens(self.port), PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


class RabbitMq:
    """A RabbitMQ with its MQTT plug-in alone."""

    def __init__(self, folder: Path) -> None:
        self.port, self._epmd = free_port(), free_port()
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp = none\nmqtt.listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "mqtt.allow_anonymous = true\nloopback_users = none\n"
        )
        (folder / "plugins").write_text("[rabbitmq_mqtt].\n")
        self._environment = os.environ | {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._epmd),
            "RABBITMQ_NODENAME": f"rig{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
        }

    @staticmethod
    def available() -> str:
        """Return why it cannot run here, or nothing."""
        if os.geteuid() != 0:  # Debian lets nobody else but its own user read its scripts' folder
            return "rabbitmq-server is root's to start"
        return "" if RABBITMQ.exists() else "not installed: rabbitmq-server"

    def __enter__(self) -> "RabbitMq":
        self._process = subprocess.Popen(
            [RABBITMQ],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: _listens(self.port), PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        kill = ["epmd", "-port", str(self._epmd), "-kill"]
        subprocess.run(kill, env=self._environment, capture_output=True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
