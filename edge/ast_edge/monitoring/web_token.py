"""What the page is protected with: the token that was given, and its certificate."""

import ipaddress
import os
import ssl
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.text_file import read_text
from ast_edge.monitoring.config import parse_address
from ast_edge.monitoring.web_config import SHORTEST_TOKEN, WebConfig, WebTlsConfig

TOKEN_VARIABLE = "AST_EDGE_WEB_TOKEN"
CREDENTIAL = "web-token"
"""Name under which systemd hands over the token (LoadCredential=)."""


def check_web(config: WebConfig) -> None:
    """Try token and certificate before anything is started.

    Raises:
        ConfigError: one of them cannot be used, or the page is for others and has no token.
    """
    if config.tls:
        server_context(config.tls)
    if given_token(config) is None and not config.ingress and not is_loopback(config.listen):
        raise ConfigError(
            f"web.listen: {config.listen} is reached by others, and there is no token: give "
            f"web.token_file (or {TOKEN_VARIABLE}, or the credential {CREDENTIAL!r}), or listen "
            "on 127.0.0.1"
        )


def given_token(config: WebConfig) -> str | None:
    """Return the token that somebody has given, or None.

    Taken from `token`, or the first line of `token_file`, else from the environment variable
    AST_EDGE_WEB_TOKEN, else from systemd's credential "web-token".

    Raises:
        ConfigError: a file cannot be read, or the token can be guessed or not be typed.
    """
    if (given := _given(config)) is None:
        return None
    token, where = given
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"{where}: expected at least {SHORTEST_TOKEN} characters of ASCII, got {len(token)} of "
            "which some may be others; `openssl rand -hex 16` makes one"
        )
    return token


def is_loopback(listen: str) -> bool:
    """Tell whether only this machine reaches an address to listen on."""
    host = parse_address(listen)[0].split("%")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def server_context(config: WebTlsConfig) -> ssl.SSLContext:
    """Return what encrypts the page.

    Raises:
        ConfigError: certificate or key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password an encrypted key would make OpenSSL ask for it on the terminal.
        context.load_cert_chain(config.certificate, config.key, password="")
    except (ssl.SSLError, OSError) as exc:
        raise ConfigError(
            f"web.tls.certificate: {config.certificate} and its key "
            f"({config.key or 'in the same file'}) cannot be used: expected PEM files that belong "
            f"together, the key not encrypted: {exc}"
        ) from exc
    return context


def _given(config: WebConfig) -> tuple[str, str] | None:
    """Return the token that somebody has given, and where."""
    if config.token is not None:
        return config.token.get_secret_value(), "web.token"
    if config.token_file is not None:
        return _first_line(config.token_file), f"web.token_file: {config.token_file}"
    if token := os.environ.get(TOKEN_VARIABLE):
        return token, TOKEN_VARIABLE
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        credential = Path(folder) / CREDENTIAL
        if credential.is_file():
            return _first_line(credential), f"credential {CREDENTIAL}"
    return None


def _first_line(path: Path) -> str:
    try:
        return read_text(path).split("\n", 1)[0].rstrip("\r")
    except OSError as exc:
        raise ConfigError(f"the token file {path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"the token file {path} is not UTF-8 text") from exc
