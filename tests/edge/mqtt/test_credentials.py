import ssl
import subprocess

import pytest
from rigs.broker import mosquitto

from ast_edge.base.errors import ConfigError
from ast_edge.mqtt.config import MqttConfig, TlsConfig
from ast_edge.mqtt.credentials import broker_password, fingerprint, tls_context


@pytest.fixture(autouse=True)
def no_password_around(monkeypatch):
    monkeypatch.delenv("AST_EDGE_MQTT_PASSWORD", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def everywhere(tmp_path, monkeypatch):
    """A password in each of the three places."""
    (tmp_path / "file").write_text("from file\r\nsecond line\n")
    (tmp_path / "mqtt-password").write_text("from systemd\n")
    monkeypatch.setenv("AST_EDGE_MQTT_PASSWORD", "from environment")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path / "file"


def test_the_file_comes_first_and_only_its_first_line_counts(everywhere):
    config = MqttConfig(username="daemon", password_file=everywhere)
    assert broker_password(config) == "from file"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_password(tmp_path, encoding):
    (tmp_path / "file").write_text("geheimnißvoll\r\n", encoding=encoding)
    config = MqttConfig(username="daemon", password_file=tmp_path / "file")
    assert broker_password(config) == "geheimnißvoll"


def test_the_password_of_the_configuration_stands_before_those_around(everywhere):
    config = MqttConfig(username="daemon", password="from configuration")
    assert broker_password(config) == "from configuration"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"username": "daemon", "password": ""}, "mqtt.password is empty"),
        ({"password": "x"}, "mqtt.password is given without mqtt.username"),
    ],
)
def test_a_password_that_cannot_be_used_is_said(options, said):
    with pytest.raises(ConfigError, match=said):
        broker_password(MqttConfig(**options))


def test_two_passwords_are_one_too_many(everywhere):
    config = MqttConfig(username="daemon", password="x", password_file=everywhere)
    with pytest.raises(ConfigError, match="are both given: give one"):
        broker_password(config)


def test_the_environment_comes_second(everywhere):
    assert broker_password(MqttConfig(username="daemon")) == "from environment"


def test_the_credential_of_systemd_comes_third(everywhere, monkeypatch):
    monkeypatch.delenv("AST_EDGE_MQTT_PASSWORD")
    assert broker_password(MqttConfig(username="daemon")) == "from systemd"


def test_without_a_user_name_no_password_is_sent(everywhere):
    assert broker_password(MqttConfig()) is None


def test_a_user_may_have_no_password():
    assert broker_password(MqttConfig(username="daemon")) is None


def test_an_empty_password_file_is_said(tmp_path):
    (tmp_path / "file").write_text("\nsecret\n")
    with pytest.raises(ConfigError, match="must hold the password in its first line"):
        broker_password(MqttConfig(username="daemon", password_file=tmp_path / "file"))


def test_a_password_without_a_user_is_said(everywhere):
    with pytest.raises(ConfigError, match="without mqtt"):
        broker_password(MqttConfig(password_file=everywhere))


def test_the_broker_is_always_verified():
    context = tls_context(TlsConfig())
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_an_authority_that_is_no_certificate_is_said(tmp_path):
    (tmp_path / "ca.crt").write_text("hello")
    with pytest.raises(ConfigError, match=r"mqtt.tls.ca: .*ca\.crt cannot be used"):
        tls_context(TlsConfig(ca=tmp_path / "ca.crt"))


def test_a_key_without_its_certificate_is_said(tmp_path):
    (tmp_path / "client.key").write_text("x")
    with pytest.raises(ConfigError, match="without mqtt"):
        tls_context(TlsConfig(key=tmp_path / "client.key"))


@pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())
def test_an_encrypted_key_is_refused_and_not_asked_for_on_the_terminal(tmp_path):
    mosquitto.make_authority(tmp_path)
    subprocess.run(
        ["openssl", "ec", "-aes256", "-passout", "pass:x", "-in", "server.key", "-out", "locked"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    config = TlsConfig(certificate=tmp_path / "server.crt", key=tmp_path / "locked")
    with pytest.raises(ConfigError, match="the key not encrypted"):
        tls_context(config)


def test_a_fingerprint_changes_with_the_password_and_does_not_hold_it(tmp_path):
    file = tmp_path / "password"
    file.touch()
    config = MqttConfig(username="me", password_file=file)
    found = []
    for password in ("one", "two", "one"):
        file.write_text(password)
        found.append(fingerprint(config))
    assert found[0] == found[2] != found[1]
    assert "one" not in found[0]


def test_a_fingerprint_changes_with_a_certificate(tmp_path):
    (tmp_path / "ca.crt").write_text("one")
    config = MqttConfig(tls=TlsConfig(ca=tmp_path / "ca.crt"))
    before = fingerprint(config)
    (tmp_path / "ca.crt").write_text("two")
    assert fingerprint(config) != before
