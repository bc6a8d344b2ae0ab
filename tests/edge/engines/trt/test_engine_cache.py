import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rigs.full_disk import files_end_at
from rigs.gpu.engine_card import make_card

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.engine_cache import EngineCache, EngineKey, cache_folder
from ast_edge.engines.trt.engine_card import Profile, card_path

PLAN = b"engine" * 1000
KEY = EngineKey.of(make_card(PLAN))


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "cache")


@pytest.fixture
def stored(cache):
    return cache.store(PLAN, make_card(PLAN))


def engines(cache):
    return sorted(path.name for path in cache.folder.glob("*.engine*"))


def test_what_was_stored_is_found(cache, stored):
    assert cache.find(KEY) == (PLAN, make_card(PLAN))


def test_an_empty_cache_has_nothing_to_say(cache, caplog):
    assert cache.find(KEY) is None
    assert caplog.records == []


def test_the_name_says_what_the_engine_is_for(stored):
    graph = KEY.onnx_sha256[:16]
    assert stored.name == f"{graph}-tensorrt_10.3.0-nvidia_geforce_rtx_4090-fp16-1_1_8.engine"


@pytest.mark.parametrize(
    "change",
    [
        {"onnx_sha256": hashlib.sha256(b"another").hexdigest()},
        {"library": "tensorrt_rtx"},
        {"version": "10.7.0"},
        {"device": "Orin"},
        {"device": "NVIDIA GeForce RTX 4090 D"},
        {"precision": "fp32"},
    ],
    ids=str,
)
def test_an_engine_for_something_else_is_not_found(cache, stored, change):
    assert cache.find(dataclasses.replace(KEY, **change)) is None


@pytest.mark.parametrize("plan", [b"", PLAN[:-1], b"!" + PLAN[1:]], ids=["empty", "short", "other"])
def test_a_damaged_engine_is_not_used_and_said_once(cache, stored, caplog, plan):
    stored.write_bytes(plan)
    assert cache.find(KEY) is None
    (message,) = caplog.messages
    assert message.startswith(f"{stored}: the engine is damaged")


def test_a_damaged_card_is_not_used_and_said_once(cache, stored, caplog):
    card_path(stored).write_text("{")
    assert cache.find(KEY) is None
    (message,) = caplog.messages
    assert message.startswith(f"{card_path(stored)}: is not the card of an engine")


def test_an_engine_of_another_graph_under_this_name_is_not_used(cache, stored, caplog):
    other = make_card(PLAN, onnx_sha256=KEY.onnx_sha256[:16] + "0" * 48)
    foreign = cache.store(PLAN, other)
    assert foreign == stored
    assert cache.find(KEY) is None
    assert "is an engine for something else" in caplog.text


def test_a_damaged_engine_is_replaced_by_the_next(cache, stored):
    stored.write_bytes(b"")
    cache.store(PLAN, make_card(PLAN))
    assert cache.find(KEY) == (PLAN, make_card(PLAN))


@pytest.mark.parametrize(
    "change",
    [
        {"version": "10.7.0"},
        {"library": "tensorrt_rtx", "version": "1.7.1.116"},
        {"profile": Profile((1, 98, 128), (4, 98, 128), (16, 98, 128))},
    ],
    ids=["version", "library", "profile"],
)
def test_the_next_engine_for_a_graph_and_device_replaces_the_one_before(cache, stored, change):
    path = cache.store(b"new", make_card(b"new", **change))
    assert engines(cache) == [path.name, f"{path.name}.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"device": "NVIDIA GeForce RTX 4090 D"},
        {"onnx_sha256": hashlib.sha256(b"another").hexdigest()},
    ],
    ids=["device", "graph"],
)
def test_engines_for_another_graph_or_device_stay(cache, stored, change):
    cache.store(b"new", make_card(b"new", **change))
    assert cache.find(KEY) == (PLAN, make_card(PLAN))


def test_a_full_disk_is_one_line_and_leaves_the_engine_that_was_there(cache, stored):
    before = engines(cache)
    large = bytes(10_000)
    with files_end_at(8_000), pytest.raises(EngineError, match="cannot be written") as caught:
        cache.store(large, make_card(large))
    assert "\n" not in str(caught.value)
    assert (engines(cache), cache.find(KEY)) == (before, (PLAN, make_card(PLAN)))


def test_a_folder_that_cannot_be_made_is_said():
    cache = EngineCache(Path("/proc/ast-edge"))
    with pytest.raises(EngineError, match="/proc/ast-edge: cannot be written"):
        cache.store(PLAN, make_card(PLAN))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_engines_are_found_in_a_folder_that_cannot_be_written(cache, stored):
    cache.folder.chmod(0o555)
    try:
        assert cache.find(KEY) == (PLAN, make_card(PLAN))
        with pytest.raises(EngineError, match="cannot be written: Permission denied"):
            cache.store(b"new", make_card(b"new"))
    finally:
        cache.folder.chmod(0o755)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"CACHE_DIRECTORY": "/var/cache/ast-edge", "XDG_CACHE_HOME": "/x"}, "/var/cache/ast-edge"),
        ({"CACHE_DIRECTORY": "/var/cache/a:/var/cache/b"}, "/var/cache/a"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/ast-edge"),
        ({"XDG_CACHE_HOME": "x"}, "/home/someone/.cache/ast-edge"),
        ({}, "/home/someone/.cache/ast-edge"),
    ],
    ids=str,
)
def test_the_folder_is_that_of_the_service_or_of_the_user(monkeypatch, environment, folder):
    for name in ("CACHE_DIRECTORY", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/someone"} | environment).items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


STORE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from rigs.gpu.engine_card import make_card
from ast_edge.engines.trt.engine_cache import EngineCache
cache = EngineCache(Path(sys.argv[2]))
plan = sys.argv[3].encode() * 100_000
print("ready", flush=True)
while True:
    cache.store(plan, make_card(plan))
"""


@pytest.fixture
def builders(cache):
    """Two processes that store engines of the same name without end."""
    tests = str(Path(__file__).parents[3])
    children = [
        subprocess.Popen(
            [sys.executable, "-c", STORE, tests, str(cache.folder), letter], stdout=subprocess.PIPE
        )
        for letter in "ab"
    ]
    for child in children:
        assert child.stdout.readline() == b"ready\n"
    yield children
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()


def test_processes_that_store_at_once_do_not_harm_each_other(cache, builders, caplog):
    seen = set()
    while len(seen) < 2:
        if found := cache.find(KEY):
            seen.add(found[0][:1])
    assert caplog.records == []


def test_a_process_killed_while_it_stores_does_no_harm(cache, builders):
    while cache.find(KEY) is None:
        pass
    for child in builders:
        child.send_signal(signal.SIGKILL)
        child.wait()
    path = cache.store(PLAN, make_card(PLAN))
    assert cache.find(KEY) == (PLAN, make_card(PLAN))
    assert engines(cache) == [path.name, f"{path.name}.json"]
