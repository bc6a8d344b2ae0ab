"""Brokers that announce themselves, on the loopback interface."""

import gc
import socket
from contextlib import contextmanager

import pytest

from ast_edge.cli.setup.neighbours import Neighbour, find_neighbours

zeroconf = pytest.importorskip("zeroconf", reason="zeroconf is not installed")

LOOPBACK = ["127.0.0.1"]


@contextmanager
def announced(*services):
    """Announce services: kind, port, name of the host."""
    speaker = zeroconf.Zeroconf(interfaces=LOOPBACK)
    try:
        for kind, port, server in services:
            info = zeroconf.ServiceInfo(
                f"_{kind}._tcp.local.",
                f"{kind}{port}._{kind}._tcp.local.",
                addresses=[socket.inet_aton("127.0.0.1")],
                port=port,
                server=f"{server}.",
            )
            speaker.register_service(info)
        yield
    finally:
        speaker.close()


def test_brokers_come_first_and_the_usual_port_is_not_named():
    services = [
        ("home-assistant", 8123, "nowhere-ha.local"),
        ("mqtt", 1883, "localhost"),
        ("secure-mqtt", 8884, "localhost"),
    ]
    with announced(*services):
        found = find_neighbours(2, interfaces=LOOPBACK)
    assert found == [
        Neighbour("localhost", None, False, "a broker"),
        Neighbour("localhost", 8884, True, "a broker, encrypted"),
        Neighbour("127.0.0.1", None, False, "Home Assistant, if it has a broker"),
    ]


def test_what_is_no_name_of_a_host_is_not_taken():
    with announced(("mqtt", 1884, "a b;c.local")):
        found = find_neighbours(2, interfaces=LOOPBACK)
    assert found == [Neighbour("127.0.0.1", 1884, False, "a broker")]


# The library leaves its socket to be collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_without_a_network_none_is_found():
    assert find_neighbours(0, interfaces=["192.0.2.1"]) == []
    gc.collect()
