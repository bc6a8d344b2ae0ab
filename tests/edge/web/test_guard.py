"""What strangers, foreign pages and nonsense get from a real server."""

import json
import os
import socket

import pytest
from rigs.broker.mosquitto import wait_until
from rigs.page import TIMEOUT, TOKEN, Visitor, Watcher

from ast_edge.web.guard import TRIES, TRY_SECONDS, Tries

APIS = ["state", "events", "held", "export?format=csv", "clip?id=" + "0" * 32, "log", "live"]


@pytest.mark.parametrize("path", APIS)
def test_without_a_session_nothing_is_told(house, path):
    status, _, text = Visitor(house).ask("GET", f"api/{path}")
    assert status == 401
    assert "hall" not in text


@pytest.mark.parametrize("cookie", ["x", "1.1", "9999999999." + "0" * 64, "é"])
def test_a_forged_cookie_is_no_session(house, cookie):
    head = {"Cookie": f"ast-edge-attic={cookie}".encode().decode("latin-1")}
    assert Visitor(house).ask("GET", "api/state", **head)[0] == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "["])
def test_a_wrong_host_is_refused_whatever_is_asked_for(house, visitor, host):
    for path in ("", "api/state"):
        status, _, text = visitor.ask("GET", path, Host=host)
        assert status in (400, 403)
        assert "hall" not in text


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:9", socket.gethostname()])
def test_own_names_and_addresses_are_known(visitor, host):
    assert visitor.ask("GET", "api/state", Host=host)[0] == 200


def test_a_name_that_is_configured_is_known(build):
    house = build(web={"hosts": ["Ears.lan"]})
    assert Visitor(house).log_in().ask("GET", "api/state", Host="ears.lan:8099")[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.2", "x"])
def test_a_foreign_origin_can_neither_write_nor_look_on(house, visitor, origin):
    assert visitor.ask("POST", "api/reviews", {}, Origin=origin)[0] == 403
    assert Watcher(house, visitor, Origin=origin).refused == 403


def test_a_write_without_our_header_is_refused(visitor):
    del visitor.headers["X-Ast-Edge"]
    for method, path in (("POST", "login"), ("POST", "reviews"), ("PUT", "settings")):
        assert visitor.ask(method, f"api/{path}", {"token": TOKEN})[0] == 403


def test_the_cookie_is_for_this_page_alone_and_no_script_reads_it(house):
    _, head, _ = Visitor(house).ask("POST", "api/login", {"token": TOKEN})
    cookie = head["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path" not in cookie  # the folder it was set in, below whatever prefix


def test_wrong_tokens_are_counted(house):
    visitor = Visitor(house)
    said = [visitor.ask("POST", "api/login", {"token": "wrong"})[0] for _ in range(TRIES + 2)]
    assert said == [401] * TRIES + [429] * 2
    assert visitor.ask("POST", "api/login", {"token": TOKEN})[0] == 429


def test_one_more_token_may_be_tried_after_a_while():
    now = [0.0]
    tries = Tries(lambda: now[0])
    for _ in range(TRIES):
        assert not tries.wait("10.0.0.1")
        tries.failed("10.0.0.1")
    assert tries.wait("10.0.0.1")
    assert not tries.wait("10.0.0.2")
    now[0] += TRY_SECONDS + 0.1
    assert not tries.wait("10.0.0.1")


def test_all_addresses_of_an_ipv6_network_are_one_visitor():
    tries = Tries()
    for n in range(TRIES):
        tries.failed(f"2001:db8::{n}")
    assert tries.wait("2001:db8::ffff")


@pytest.mark.parametrize("path", ["", "main.js", "nothing", "api/state", "api/nothing"])
def test_every_answer_keeps_strange_code_and_frames_out(house, path):
    _, head, _ = Visitor(house).ask("GET", path)
    policy = head["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert head["X-Content-Type-Options"] == "nosniff"
    assert "aiohttp" not in str(head).lower()


@pytest.mark.parametrize(
    "path", ["../c.yaml", "%2e%2e/c.yaml", "..%2f..%2fetc/passwd", "static/main.js", "en.js/../x"]
)
def test_no_file_but_those_of_the_page_is_served(visitor, path):
    assert visitor.ask("GET", path)[0] == 404


def test_ten_thousand_malformed_frames_end_a_connection_and_nothing_else(house, visitor):
    watcher = Watcher(house, visitor)
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", house.port), TIMEOUT) as connection:
            connection.sendall(_upgrade(visitor))
            assert connection.recv(12) == b"HTTP/1.1 101"
            try:
                for _ in range(1000):
                    connection.sendall(os.urandom(64))
            except OSError:
                pass  # it has hung up
    states = len(watcher.told("state"))
    wait_until(lambda: len(watcher.told("state")) > states + 1, TIMEOUT)
    assert house.page.server.stage.viewers == 1
    watcher.leave()


def test_a_browser_that_talks_without_end_is_let_go(house, visitor):
    with socket.create_connection(("127.0.0.1", house.port), TIMEOUT) as connection:
        connection.sendall(_upgrade(visitor))
        frame = bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi"  # masked by zeros
        connection.sendall(frame * 200)
        connection.settimeout(TIMEOUT)
        while connection.recv(65536):
            pass
    wait_until(lambda: house.page.server.stage.viewers == 0, TIMEOUT)


@pytest.mark.parametrize("body", ["[]", "{", "1", '"' + "[" * 60000, "\udcff", "x" * 70000])
def test_a_body_that_is_no_object_is_refused(house, visitor, body):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=TIMEOUT)
    content = body.encode("utf-8", "surrogateescape")
    connection.request("POST", "/api/reviews", content, visitor.headers)
    assert connection.getresponse().status in (400, 413)
    connection.close()


def test_a_trusted_proxy_needs_no_token_and_may_frame_the_page(build):
    house = build(web={"proxies": ["127.0.0.1"]})
    visitor = Visitor(house, Host="homeassistant.lan")
    status, head, text = visitor.ask("GET", "api/state")
    assert status == 200
    assert json.loads(text)["node"] == "attic"
    assert "frame-ancestors 'self'" in head["Content-Security-Policy"]
    outside = {"Origin": "https://home.example", "X-Forwarded-Host": "home.example"}
    watcher = Watcher(house, visitor, **outside)
    assert watcher.refused is None
    watcher.leave()


@pytest.mark.parametrize("path", ["", "main.js", "api/alive", "api/state", "api/live"])
def test_behind_ingress_nobody_but_the_supervisor_gets_an_answer(build, path):
    house = build(web={"ingress": True})  # which is at 172.30.32.2; we are not
    named = {"X-Remote-User-Id": "0815", "X-Forwarded-For": "172.30.32.2"}
    status, _, text = Visitor(house).ask("GET", path, **named)
    assert (status, text) == (403, "only by Home Assistant's ingress")


def test_behind_ingress_no_token_opens_the_page(build):
    house = build(web={"ingress": True})
    assert Visitor(house).ask("POST", "api/login", {"token": TOKEN})[0] == 403


def test_ingress_on_all_addresses_needs_no_token(build):
    house = build(web={"ingress": True, "listen": "0.0.0.0:0", "token": None})
    assert Visitor(house).ask("GET", "")[0] == 403


NAMED = {"X-Remote-User-Id": "0815", "X-Remote-User-Display-Name": "Anna"}


@pytest.mark.parametrize(
    ("web", "named", "said"),
    [
        ({"ingress": True, "proxies": ["127.0.0.1"]}, NAMED, "0.75 (by Anna)"),
        ({"ingress": True, "proxies": ["127.0.0.1"]}, {"X-Remote-User-Id": "0815"}, "(by 0815)"),
        ({"ingress": True, "proxies": ["127.0.0.1"]}, {}, "0.75"),
        # Any other proxy passes on what a visitor has made up.
        ({"proxies": ["127.0.0.1"]}, NAMED, "0.75"),
        ({}, NAMED, "0.75"),
    ],
)
def test_the_name_of_a_visitor_is_believed_of_ingress_alone(build, caplog, web, named, said):
    house = build(web=web | {"changes": True})
    visitor = Visitor(house).log_in()
    change = {"path": "hall/set/hum/on", "value": "0.75"}
    caplog.set_level("INFO")
    assert visitor.ask("PUT", "api/settings", change, **named)[0] == 200
    (line,) = [r.getMessage() for r in caplog.records if "page: command" in r.getMessage()]
    assert line.endswith(said)


def _upgrade(visitor):
    lines = [
        "GET /api/live?source=hall HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Cookie: {visitor.headers['Cookie']}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
