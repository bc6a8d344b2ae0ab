import pytest

from ast_edge.app.config import Config
from ast_edge.monitoring.config import MetricsConfig, parse_address

SOURCES = {"hall": {"microphone": "x"}}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_an_address_has_a_host_and_a_port(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["9464", ":9464", "127.0.0.1", "::1:9464", "x:65536", "x:y", "x:"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="expected an address and a port"):
        MetricsConfig(listen=text)


@pytest.mark.parametrize(
    ("section", "listen"),
    [(None, None), (False, None), (True, "127.0.0.1:9464"), ({}, "127.0.0.1:9464")],
)
def test_it_is_off_unless_it_is_asked_for_and_then_for_this_machine_only(section, listen):
    more = {} if section is None else {"metrics": section}
    metrics = Config.model_validate({"sources": SOURCES, **more}).metrics
    assert (metrics and metrics.listen) == listen
