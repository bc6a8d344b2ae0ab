"""What proves us to the broker and the broker to us: password and certificates."""

import hashlib
import os
import ssl
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.text_file import read_text
from ast_edge.mqtt.config import MqttConfig, TlsConfig

PASSWORD_VARIABLE = "AST_EDGE_MQTT_PASSWORD"
CREDENTIAL = "mqtt-password"
"""Name under which systemd hands over the password (LoadCredential=)."""


def broker_password(config: MqttConfig) -> str | None:
    """Return the password for `config.username`, or None.

    Taken from `password`, or the first line of `password_file`, else from the environment variable
    AST_EDGE_MQTT_PASSWORD, else from systemd's credential "mqtt-password".

    Raises:
        ConfigError: the file cannot be read, its first line is empty, or there is no user name.
    """
    given = [key for key in ("password", "password_file") if getattr(config, key) is not None]
    if len(given) > 1:
        raise ConfigError("mqtt.password and mqtt.password_file are both given: give one")
    if config.username is None:
        if given:
            raise ConfigError(f"mqtt.{given[0]} is given without mqtt.username: give both")
        return None
    if config.password is not None:
        if not config.password.get_secret_value():
            raise ConfigError("mqtt.password is empty: give the password, or leave the key out")
        return config.password.get_secret_value()
    if config.password_file is not None:
        return _first_line(config.password_file)
    if password := os.environ.get(PASSWORD_VARIABLE):
        return password
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        credential = Path(folder) / CREDENTIAL
        if credential.is_file():
            return _first_line(credential)
    return None


def tls_context(config: TlsConfig) -> ssl.SSLContext:
    """Return a client's context that verifies the broker's certificate and host name.

    Raises:
        ConfigError: a certificate or key cannot be used.
    """
    if config.key is not None and config.certificate is None:
        raise ConfigError("mqtt.tls.key is given without mqtt.tls.certificate: give both")
    try:
        context = ssl.create_default_context(cafile=config.ca)
    except (ssl.SSLError, OSError) as exc:
        raise ConfigError(
            f"mqtt.tls.ca: {config.ca} cannot be used: expected certificates in PEM, {exc}"
        ) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.certificate is not None:
        try:
            # Without a password an encrypted key would make OpenSSL ask for it on the terminal.
            context.load_cert_chain(config.certificate, config.key, password="")
        except (ssl.SSLError, OSError) as exc:
            raise ConfigError(
                f"mqtt.tls.certificate: {config.certificate} and its key "
                f"({config.key or 'in the same file'}) cannot be used: expected PEM files that "
                f"belong together, the key not encrypted: {exc}"
            ) from exc
    return context


def fingerprint(config: MqttConfig) -> str:
    """Return what changes when the password, a certificate or a key does, and tells none of them.

    Raises:
        ConfigError: a file cannot be read.
    """
    digest = hashlib.sha256((broker_password(config) or "").encode())
    files = [config.tls.ca, config.tls.certificate, config.tls.key] if config.tls else []
    for path in files:
        try:
            digest.update(b"\0" + (path.read_bytes() if path else b""))
        except OSError as exc:
            raise ConfigError(f"mqtt.tls: {path} cannot be read: {exc.strerror}") from exc
    return digest.hexdigest()


def _first_line(path: Path) -> str:
    try:
        text = read_text(path)
    except OSError as exc:
        raise ConfigError(f"the MQTT password file {path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"the MQTT password file {path} is not UTF-8 text") from exc
    password = text.split("\n", 1)[0].rstrip("\r")
    if not password:
        raise ConfigError(f"the MQTT password file {path} must hold the password in its first line")
    return password
