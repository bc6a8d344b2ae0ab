"""The thread of the page, and what it outlives."""

import contextlib
import json
import socket
import subprocess
import sys

import pytest
from rigs.broker.mosquitto import wait_until
from rigs.page import TIMEOUT, Visitor, Watcher

from ast_edge.web import server as server_module
from ast_edge.web.application import Application


def test_an_address_in_use_is_said_once_and_tried_again(build, monkeypatch, caplog):
    monkeypatch.setattr(server_module, "RETRY_SECONDS", 0.05)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        house = build(web={"listen": "127.0.0.1:0"})
        house.page.close()
        house.page._config = None
        monkeypatch.setattr(server_module, "parse_address", lambda _: ("127.0.0.1", port))
        house.page.follow(house.service.plan.config)
        wait_until(lambda: "cannot listen" in caplog.text, TIMEOUT)
    wait_until(lambda: house.page.server.port == port, TIMEOUT)
    assert caplog.text.count("cannot listen") == 1


def test_a_fault_of_ours_in_its_thread_is_logged_once_and_mended(build, monkeypatch, caplog):
    monkeypatch.setattr(server_module, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(server_module, "TURN_SECONDS", 0.05)
    house = build()
    before, faults = house.port, [ZeroDivisionError(), ZeroDivisionError()]
    serve = server_module.WebServer._serve

    async def fail(self):
        if faults:
            raise faults.pop()
        await serve(self)

    monkeypatch.setattr(server_module.WebServer, "_serve", fail)
    wait_until(lambda: not faults and house.page.server.port not in (None, before), TIMEOUT)
    assert caplog.text.count("ZeroDivisionError") == 2  # the line and its traceback
    assert Visitor(house).log_in().get("api/state")["node"] == "attic"


def test_a_fault_in_one_answer_is_a_500_and_no_words_of_it(house, visitor, monkeypatch, caplog):
    def fail(self):
        raise ZeroDivisionError("/home/secret")

    monkeypatch.setattr(type(house.page.server.stage), "state", fail)
    status, _, text = visitor.ask("GET", "api/state")
    assert status == 500
    assert "secret" not in text
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    assert visitor.ask("GET", "api/state")[0] == 200


def test_a_page_that_a_reload_brings_is_served_and_one_that_it_takes_is_not(build):
    house = build(web=False)
    assert house.page.server is None
    tree = json.loads(house.path.read_text()) | {"web": {"listen": "127.0.0.1:0"}}
    config = house.service.plan.config
    from ast_edge.monitoring.web_config import WebConfig

    house.page.follow(config.model_copy(update={"web": WebConfig(**tree["web"])}))
    wait_until(lambda: house.page.server.port, TIMEOUT)
    assert house.service.page.startswith("http://127.0.0.1:")
    house.page.follow(config)
    assert house.page.server is None
    assert house.service.page == ""


def test_a_page_that_cannot_be_is_said_and_the_one_of_before_stays(build, caplog):
    house = build()
    from ast_edge.monitoring.web_config import WebConfig

    config = house.service.plan.config
    house.page.follow(config.model_copy(update={"web": WebConfig(listen="0.0.0.0:0")}))
    assert "there is no token" in caplog.text
    assert Visitor(house).log_in().get("api/state")["node"] == "attic"


def test_viewers_are_told_when_the_daemon_stops(house, visitor):
    watcher = Watcher(house, visitor)
    house.page.close()
    wait_until(lambda: watcher.closed is not None, TIMEOUT)
    assert watcher.closed == server_module.GOING_AWAY


def test_without_a_page_its_packages_are_not_even_read(tmp_path, tiny_model):
    sound = tmp_path / "c.yaml"
    sound.write_text(
        json.dumps(
            {"bundle": str(tiny_model), "sources": {"a": {"stdin": "s16le", "sample_rate": 16000}}}
        )
    )
    code = (
        "import sys; from ast_edge.cli.main import main\n"
        f"assert main(['run', '--config', {str(sound)!r}]) == 0\n"
        "assert not {'aiohttp', 'asyncio', 'ast_edge.web.server'} & set(sys.modules), 'read'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdin=subprocess.DEVNULL, timeout=60)


def test_a_page_for_others_without_a_token_is_no_start_at_all(tmp_path, tiny_model):
    config = tmp_path / "c.yaml"
    tree = {"bundle": str(tiny_model), "web": {"listen": "0.0.0.0:0"}}
    config.write_text(
        json.dumps(tree | {"sources": {"a": {"stdin": "s16le", "sample_rate": 16000}}})
    )
    command = [sys.executable, "-m", "ast_edge", "run", "--config", str(config)]
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 78
    assert "web.token_file" in ended.stderr


@pytest.mark.parametrize("name", ["index.html", "main.js", "style.css", "icon.svg"])
def test_a_file_is_sent_small_and_once(visitor, name):
    status, head, _ = visitor.ask("GET", name, **{"Accept-Encoding": "gzip"})
    assert (status, head["Content-Encoding"]) == (200, "gzip")
    assert visitor.ask("GET", name, **{"If-None-Match": head["ETag"]})[0] == 304


def test_all_of_the_page_is_at_most_60_kb(house):
    sent = sum(len(file.squeezed) for file in _files(house))
    assert sent <= 60_000


def test_the_page_asks_no_other_host_and_runs_no_code_of_its_markup(house):
    for file in _files(house):
        text = file.plain.decode()
        assert "https://" not in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        for way in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "style=",
        ):
            assert way not in text, way
        assert 'src="/' not in text
        assert 'href="/' not in text


def _files(house):
    server = house.page.server
    app = Application(server._config, house.service, server.stage, server._access, server._tail)
    return app._files.values()
