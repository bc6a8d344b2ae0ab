"""What may be read of a configuration by those whom a bug report reaches."""

import pytest
import yaml

from ast_edge.cli.about.redaction import Redaction, read_environment

SECRET = "hunter22"


@pytest.fixture
def redacted(tmp_path):
    """Write a configuration and return it redacted."""

    def redacted(text, redaction=None):
        path = tmp_path / "mic.yaml"
        path.write_text(text)
        return (redaction or Redaction()).configuration(path)

    return redacted


@pytest.mark.parametrize(
    "line",
    [
        f"mqtt: {{host: b, password: {SECRET}}}",
        f"mqtt: {{host: b, pasword: {SECRET}}}",
        f"mqtt: {{host: b, passwort: {SECRET}}}",
        f"mqtt: {{Password: [{SECRET}, x]}}",
        f"mqtt: {{password: {{value: {SECRET}}}}}",
        f"web: {{tokn: {SECRET}}}",
        f"web: {{auth: {SECRET}}}",
        f"mqtt: {{host: 'me:{SECRET}@broker'}}",
        f"sources: {{a: {{url: 'rtsp://me:{SECRET}@cam/1'}}}}",
        f"sources: {{a: {{url: 'rtsp://me:a/{SECRET}@cam/1'}}}}",
        f"sources: {{a: {{url: 'http://cam/live?k={SECRET}'}}}}",
        f"sources: {{a: {{microphone: 'rtsp://cam/{SECRET}'}}}}",
        f"sources: {{'rtsp://me:{SECRET}@cam': x}}",
        f"node: attic # password: {SECRET}",
        f"# {SECRET}\nnode: attic",
        f"a: &a {SECRET}\nmqtt: {{password: *a}}",
        f"mqtt: {{host: b, note: 'the password: {SECRET}'}}",
        f"mqtt: {{password: {SECRET}",
        f"mqtt:\n  password: |\n    {SECRET}\n",
    ],
)
def test_no_secret_is_left_wherever_it_stands(line, redacted):
    assert SECRET not in redacted(line)


def test_all_else_stays_as_it_is(redacted):
    tree = {"node": "attic", "mqtt": {"host": "b", "password_file": "/etc/pw", "port": 1883}}
    assert yaml.safe_load(redacted(yaml.safe_dump(tree))) == tree


def test_references_to_secrets_stay(redacted):
    text = redacted('mqtt: {password: !secret broker, username: "${USER_NAME}"}')
    assert "!secret 'broker'" in text
    assert "${USER_NAME}" in text


def test_a_file_that_is_no_yaml_is_left_out_with_the_reason(redacted):
    assert redacted("a: [1").startswith("# left out, because it is not YAML: line 1")


def test_what_was_hidden_is_hidden_in_text_about_it(redacted):
    redaction = Redaction()
    redacted(f"sources: {{a: {{url: 'rtsp://me:{SECRET}@cam/1'}}}}", redaction)
    assert SECRET not in redaction.text(f"ffmpeg: 401 for {SECRET}")
    assert redaction.hidden == 1


def test_what_stands_in_the_file_of_secrets_is_hidden_in_text(redacted, tmp_path):
    (tmp_path / "secrets.yaml").write_text(f"broker: {SECRET}\n")
    redaction = Redaction()
    redacted("mqtt: {password: !secret broker}", redaction)
    assert SECRET not in redaction.text(f"said {SECRET}")


def test_what_the_environment_gives_is_shown_as_its_name(redacted, tmp_path):
    (tmp_path / "environment").write_text(f"# mine\nCAMERA='{SECRET}'\nOTHER=word\n")
    redaction = Redaction()
    redacted('sources: {a: {url: "rtsp://me:${CAMERA}@cam/"}}', redaction)
    redaction.variables(read_environment(tmp_path / "environment"))
    assert redaction.text(f"{SECRET} word") == "${CAMERA} word"


@pytest.mark.parametrize(
    "text",
    [
        f"http://127.0.0.1:8099/#token={SECRET}",
        f"opening rtsp://me:{SECRET}@cam/1",
        f'{{"password": "{SECRET}"}}',
    ],
)
def test_text_that_looks_like_a_secret_is_hidden_though_nobody_named_it(text):
    assert SECRET not in Redaction().text(text)
