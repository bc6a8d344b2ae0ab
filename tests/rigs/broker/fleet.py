"""Nodes of a fleet, as they speak."""

from dataclasses import replace
from typing import Any

from rigs.broker.mosquitto import Mosquitto

from ast_edge.fleet.info import BundleInfo, NodeInfo, SourceInfo

SUM, OTHER_SUM = "ab" * 32, "cd" * 32


def info(node: str, **changes: Any) -> NodeInfo:
    """Return what a node says of itself."""
    usual = NodeInfo(
        node,
        "1.2.0",
        "2026-11-28T12:00:00.000Z",
        "0123456789abcdef" * 4,
        "openvino 2026.1, bf16, 1 thread",
        "Raspberry Pi 5, aarch64",
        (BundleInfo("home", SUM, 57),),
        {"kitchen": SourceInfo("microphone", "home")},
        ("dog", "siren"),
    )
    return replace(usual, **changes)


def say(broker: Mosquitto, node: str, availability: str = "online", **changes: Any) -> None:
    """Let a node say at a broker that it is there, and who it is."""
    broker.publish(f"ast-edge/{node}/availability", availability, "-r")
    broker.publish(f"ast-edge/{node}/info", info(node, **changes).payload, "-r")
