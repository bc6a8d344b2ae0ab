"""A daemon of one's own that is told to read its configuration anew."""

import json
import signal

import numpy as np
import yaml
from rigs.broker.mosquitto import wait_until
from rigs.daemon import Daemon
from rigs.model import silence, tone

from ast_edge.base.runtime_folder import find_sockets
from ast_edge.monitoring.status_socket import ask

HUM = np.concatenate([silence(1), tone("Hum", 119)])
"""An event that goes on as long as a test takes."""
FINE = "configuration reloaded"
REFUSED = "reload refused"


class Reloadable(Daemon):
    """A daemon that hears a hum in the kitchen."""

    def __init__(self, folder, broker, **mqtt):
        super().__init__(folder, broker, HUM, **mqtt)

    def reload(self, said=FINE, **keys):
        """Change the configuration, send the signal, and wait until the log answers."""
        before = self.log.read_text().count(said)
        self.change(**keys)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log.read_text().count(said) > before)

    def written(self):
        return super().written() if self._events.exists() else []

    def settings(self, key):
        return yaml.safe_load(self.config.read_text())[key]

    def status(self):
        return json.loads(ask(find_sockets()[0]))

    def phases(self, source="kitchen", label="Hum"):
        """The events of a label so far, as pairs of id and phase, without updates."""
        found = [e for e in self.written() if (e["source"], e["label"]) == (source, label)]
        return [(e["id"], e["type"]) for e in found if e["type"] != "update"]

    def wait_for_events(self, count, source="kitchen", label="Hum"):
        wait_until(lambda: len(self.phases(source, label)) >= count)
