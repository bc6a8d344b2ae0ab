"""The configuration of the Prometheus endpoint."""

import re
from typing import Annotated

from pydantic import AfterValidator

from ast_edge.base.host_name import host_fault
from ast_edge.base.yaml_file import Section


def parse_address(text: str) -> tuple[str, int]:
    """Read "127.0.0.1:9464" or "[::1]:9464" as host and port.

    Raises:
        ValueError: if it is neither.
    """
    found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+)):(\d{1,5})", text)
    if not found or int(found[3]) > 65535 or host_fault(found[1] or found[2]):
        raise ValueError(f"expected an address and a port such as 127.0.0.1:9464, got {text!r}")
    return found[1] or found[2], int(found[3])


def _address(text: str) -> str:
    parse_address(text)
    return text


Address = Annotated[str, AfterValidator(_address)]


class MetricsConfig(Section):
    """Numbers about the running daemon, for Prometheus; whoever reaches the address reads them."""

    listen: Address = "127.0.0.1:9464"
    """Address and port; only this machine reaches the one that is taken unless given."""
