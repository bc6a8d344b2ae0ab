"""Reloads in this process: what becomes of its threads."""

import threading
from types import SimpleNamespace

import pytest
import soundfile
import yaml
from rigs.broker import mosquitto
from rigs.broker.mosquitto import retained, wait_until
from rigs.daemon_parts import NumpyEngine

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, silence, write_bundle

from ast_edge.app.plan import load_plan
from ast_edge.app.reload import Reload
from ast_edge.app.service import Service
from ast_edge.base.errors import ConfigError
from ast_edge.engines.open_engines import Engines

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

ROOT = "ast-edge/attic/"


def test_reloads_while_the_thread_of_the_connection_is_busy_follow_the_newest_plan(folder, broker):
    soundfile.write(folder / "sound.wav", silence(120), RATE)
    bundle = write_bundle(folder / "bands")

    def plan(*labels):
        tree = {
            "node": "attic",
            "bundle": str(bundle),
            "labels": list(labels),
            "sources": {"kitchen": {"file": str(folder / "sound.wav")}},
            "mqtt": {"host": "127.0.0.1", "port": broker.port},
        }
        (folder / "c.yaml").write_text(yaml.safe_dump(tree))
        return load_plan(folder / "c.yaml")

    first, faults = plan("Hum"), []
    engines = Engines(first.config.engine, lambda *_: NumpyEngine())
    engines.open(first.bundles)
    service = Service(first, engines)
    node, busy = service.open_node(service.plan.config.mqtt), threading.Event()

    def run():
        try:
            service.daemon.run()
        except Exception as exc:  # noqa: BLE001
            faults.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    assert node.publisher.wait_connected(20.0)
    node.publisher.publish_messages(lambda: busy.wait(20.0) and [])
    service.change(plan("Hum", "Hiss"))
    service.change(plan("Hum"))
    busy.set()
    broker.publish(ROOT + "kitchen/set/hum/on", "0.875")
    wait_until(lambda: faults or retained(broker).get(ROOT + "kitchen/hum/on") == "0.875")
    done = threading.Event()
    service.daemon.submit(lambda: done.set() or [])  # after all that the changes have left
    done.wait(20.0)
    service.daemon.stop()
    thread.join(20.0)
    service.close()
    assert not faults


def test_a_reload_that_stumbles_over_a_fault_of_ours_is_not_the_last(folder):
    (folder / "c.yaml").write_text("{sources: {a: {microphone: usb}}}")
    faults = iter([ZeroDivisionError("oh"), ConfigError("no")])

    def change(plan):
        raise next(faults)

    reload = Reload(folder / "c.yaml")
    reload.start(SimpleNamespace(change=change))
    for refusal in ("a fault of ast-edge", "no"):
        reload.request()
        wait_until(lambda r=refusal: reload.newest and reload.newest.refusal.startswith(r))
    reload.close()
