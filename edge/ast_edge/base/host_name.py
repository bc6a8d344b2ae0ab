"""Names and addresses of hosts: what can be one."""

import ipaddress
import re

from ast_edge.base.errors import ConfigError

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
"""A part of a name; '_' is not for the Internet, but common in home networks and containers."""


def host_fault(host: str) -> str:
    """Return why this cannot be a host, without quoting it; empty if it can.

    A host is a name, an IPv4 address, or an IPv6 address with a zone perhaps.
    """
    if not host:
        return "is empty"
    if ":" in host:
        return _fault_of_ipv6(host)
    if host.replace(".", "").isdigit():
        return _fault_of_ipv4(host)
    try:
        name = host.rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        return "has a part that is empty, too long, or of characters that no name has"
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        return "is no name: expected letters, digits, '-' and '.', as in broker.local"
    if labels[-1].isdigit():
        return "ends in a number as no name does, and is no address of four numbers"
    return ""


def check_host(host: str, key: str) -> None:
    """Refuse what no host is called, as the value of a key of the configuration.

    Raises:
        ConfigError: with the reason.
    """
    if fault := host_fault(host):
        raise ConfigError(f"{key}: expected a host name or address, got {host!r}, which {fault}")


def _fault_of_ipv4(host: str) -> str:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return "is no address: expected four numbers from 0 to 255, as in 192.168.1.20"
    return ""


def _fault_of_ipv6(host: str) -> str:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return "is no IPv6 address, as fe80::1 or fe80::1%eth0"
    return ""
