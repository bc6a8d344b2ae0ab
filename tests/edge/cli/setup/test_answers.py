import pytest

from ast_edge.cli.setup.answers import parse_broker


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("homeassistant.local", "homeassistant.local", None),
        (" 192.168.1.2:1884 ", "192.168.1.2", 1884),
        ("fe80::1", "fe80::1", None),
        ("[fe80::1]:1884", "fe80::1", 1884),
        ("[::1]", "::1", None),
    ],
)
def test_an_address_may_have_a_port(text, host, port):
    assert parse_broker(text) == (host, port)


@pytest.mark.parametrize("text", ["mqtt://host", "host:", ":1883", "a:b", "host:99999999"])
def test_what_is_no_address_is_left_for_the_configuration_to_refuse(text):
    host, port = parse_broker(text)
    assert not host or ":" in host or (port or 0) > 65535
