"""A service whose plan changes while it runs, with engines that note what becomes of them."""

import contextlib
import json
import threading

import pytest
import soundfile

from ast_edge.app.plan import load_plan
from ast_edge.app.service import Service
from ast_edge.audio import level
from ast_edge.base.errors import ConfigError, EngineError
from ast_edge.engines.open_engines import Engines

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon_parts import TIMEOUT, NumpyEngine
from rigs.model import RATE, silence, tone


class Engine(NumpyEngine):
    def __init__(self, bundle):
        super().__init__()
        self.bundle, self.closed = bundle.name, False

    def close(self):
        self.closed = True


@pytest.fixture
def plan(tmp_path, tiny_model):
    """Load a plan of two sources, of which the second may have a bundle of its own."""
    soundfile.write(tmp_path / "sound.wav", silence(60), RATE)
    hall = {"file": str(tmp_path / "sound.wav")}

    def plan(bundle=None, **more):
        attic = hall | ({"bundle": str(bundle)} if bundle else {})
        tree = {"bundle": str(tiny_model), "sources": {"hall": hall, "attic": attic}} | more
        (tmp_path / "c.yaml").write_text(json.dumps(tree))
        return load_plan(tmp_path / "c.yaml")

    return plan


@pytest.fixture
def made():
    return []


@pytest.fixture
def run(made):
    """Run a plan in a thread; an engine for the bundle "steps" cannot be opened."""

    def make(bundle, config):
        if bundle.name == "steps":
            raise EngineError("it does not work")
        made.append(Engine(bundle))
        return made[-1]

    running = []

    def run(plan):
        engines = Engines(plan.config.engine, make)
        engines.open(plan.bundles)
        service = Service(plan, engines)
        thread = threading.Thread(target=service.daemon.run)
        thread.start()
        running.append((service, thread))
        return service

    yield run
    for service, thread in running:
        service.daemon.stop()
        thread.join(TIMEOUT)
        assert not thread.is_alive()
        service.close()


def test_a_bundle_that_a_reload_brings_is_opened_and_one_that_nobody_uses_is_let_go(
    plan, run, made, other_model
):
    service = run(plan())
    service.change(plan(other_model))
    assert [(engine.bundle, engine.closed) for engine in made] == [
        ("bands", False),
        ("other", False),
    ]
    service.change(plan())
    assert [(engine.bundle, engine.closed) for engine in made] == [
        ("bands", False),
        ("other", True),
    ]


def test_a_plan_without_an_engine_for_a_bundle_is_refused_and_nothing_stays_open(
    plan, run, made, other_model, model_folder
):
    tree = json.loads((model_folder / "bundle.json").read_text())
    (model_folder / "bundle.json").write_text(json.dumps(tree | {"name": "steps"}))
    service = run(before := plan())
    sources = {
        name: source.model_dump(mode="json", exclude_none=True)
        for name, source in before.config.sources.items()
    }
    sources |= {
        "hall": sources["hall"] | {"bundle": str(other_model)},
        "attic": sources["attic"] | {"bundle": str(model_folder)},
    }
    with pytest.raises(EngineError, match="bundle 'steps': it does not work"):
        service.change(plan(sources=sources))
    assert service.plan is before
    assert [(engine.bundle, engine.closed) for engine in made] == [
        ("bands", False),
        ("other", True),
    ]
    service.change(plan(labels=["Hum"]))  # goes on as before
    assert made[0].closed is False


def test_a_plan_that_is_refused_for_its_broker_leaves_no_engine_open(
    plan, run, made, other_model, tmp_path
):
    service = run(plan())
    (tmp_path / "password").write_text("x")
    after = plan(other_model, mqtt={"username": "a", "password_file": "password"})
    (tmp_path / "password").unlink()
    with pytest.raises(ConfigError, match="password"):
        service.change(after)
    assert [(engine.bundle, engine.closed) for engine in made] == [
        ("bands", False),
        ("other", True),
    ]


def test_the_level_of_sound_is_measured_once(tmp_path, tiny_model, monkeypatch):
    soundfile.write(tmp_path / "hum.wav", tone("Hum", 3), RATE)
    hall = {"file": str(tmp_path / "hum.wav"), "pace": "fast"}
    tree = {
        "sources": {"hall": hall, "attic": hall},
        "bundle": str(tiny_model),
        "mqtt": {"host": "127.0.0.1", "port": 1},  # a broker that is not there
    }
    (tmp_path / "c.yaml").write_text(json.dumps(tree))
    plan = load_plan(tmp_path / "c.yaml")
    measure, measured = level.measure, []

    def counted(samples):
        measured.append(len(samples))
        return measure(samples)

    monkeypatch.setattr(level, "measure", counted)
    service = Service(plan, {bundle.folder: NumpyEngine() for bundle in plan.bundles})
    service.open_node(plan.config.mqtt)
    with contextlib.closing(service):
        service.daemon.run()
    assert measured == [RATE] * 6  # a second each
