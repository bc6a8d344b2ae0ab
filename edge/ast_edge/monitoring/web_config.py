"""The configuration of the page."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from ast_edge.base.config_values import Names
from ast_edge.base.yaml_file import InputPath, OutputPath, Section
from ast_edge.monitoring.config import Address

SUPERVISOR = "172.30.32.2"
"""The address from which ingress comes: the same in every Home Assistant."""
SHORTEST_TOKEN = 12
"""Characters."""


def _token(token: object) -> object:
    """Check it here: the message of a wrong type would quote it."""
    if token is not None and not isinstance(token, str | SecretStr):
        raise ValueError("expected text: write it in quotes")
    return token


def _addresses(names: list[str]) -> list[str]:
    for name in names:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            raise ValueError(f"expected an address such as 172.30.32.2, got {name!r}") from None
    return names


class WebTlsConfig(Section):
    """Encryption to browsers."""

    certificate: InputPath
    """In PEM, with those that have signed it."""
    key: InputPath | None = None
    """In the same file unless given; not encrypted."""


class WebConfig(Section):
    """A page that shows what is heard; off unless given."""

    listen: Address = "127.0.0.1:8099"
    """Address and port; beyond this machine only with a token."""
    token: Annotated[SecretStr | None, BeforeValidator(_token)] = None
    """What visitors must know. Better not written here, but `!secret name` or "${NAME}"."""
    token_file: InputPath | None = None
    """First line is the token; without either AST_EDGE_WEB_TOKEN of the environment, else the
    systemd credential `web-token`, else one that is made and that `ast-edge status` tells."""
    hosts: Names = Field(default_factory=list)
    """More names by which browsers may call this machine; its own and all addresses count."""
    proxies: Annotated[Names, AfterValidator(_addresses)] = Field(default_factory=list)
    """Addresses of proxies that have asked visitors who they are: what comes from there needs no
    token."""
    ingress: bool = False
    """The page of a Home Assistant app: only what comes from its Supervisor (172.30.32.2, or
    `proxies`) is answered at all, and its word counts on who a visitor is. There is no token."""
    changes: bool = False
    """Let visitors change settings and write reviews."""
    reviews: OutputPath | None = None
    """Where reviews are appended; a file in the state folder unless given."""
    tls: WebTlsConfig | None = None

    @property
    def trusted(self) -> list[str]:
        """The addresses of proxies, the Supervisor's included."""
        return self.proxies or ([SUPERVISOR] if self.ingress else [])

    @model_validator(mode="after")
    def _one_token(self) -> "WebConfig":
        if self.token is not None and self.token_file is not None:
            raise ValueError("token and token_file are both given: give one")
        return self
