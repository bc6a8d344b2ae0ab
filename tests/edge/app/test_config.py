import re
from pathlib import Path

import pytest

from ast_edge.app.config import load_config
from ast_edge.base.errors import ConfigError

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.fixture
def load(tmp_path):
    def load(text):
        (tmp_path / "c.yaml").write_text(text)
        return load_config(tmp_path / "c.yaml")

    return load


@pytest.fixture
def problem(load, tmp_path):
    """Return what is wrong with a text, without the file's name in front."""

    def problem(text):
        with pytest.raises(ConfigError) as caught:
            load(text)
        assert caught.value.exit_code == 78
        return str(caught.value).removeprefix(f"{tmp_path / 'c.yaml'}: ")

    return problem


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_configuration_loads(path):
    assert load_config(path).sources


def test_a_source_is_all_that_is_needed(load):
    config = load("sources: {kitchen: {microphone: default}}")
    assert (config.bundle, config.hop, config.labels, config.mqtt) == ("home", 0.5, {}, None)
    assert config.latency == 1.0


@pytest.mark.parametrize("host", ["Küche-1.local", "...", ""])
def test_the_node_is_the_host_name_as_a_topic_level(monkeypatch, load, host):
    monkeypatch.setattr("socket.gethostname", lambda: host)
    node = load("sources: {a: {microphone: x}}").node
    assert node == ("kuche_1_local" if "K" in host else "ast-edge")


def test_on_and_off_are_words(load):
    config = load("{sources: {a: {microphone: x}}, labels: {Dog: {on: 0.7, off: 0.4}, Cat: ~}}")
    assert (config.labels["Dog"].on, config.labels["Dog"].off) == (0.7, 0.4)
    assert config.labels["Cat"] is None


def test_a_shipped_bundle_is_named_and_another_is_a_path_beside_the_file(load, tmp_path):
    text = "{sources: {a: {microphone: x}}, bundle: BUNDLE}"
    assert load(text.replace("BUNDLE", "home")).bundle == "home"
    assert load(text.replace("BUNDLE", "./mine")).bundle == str(tmp_path / "mine")
    assert load(text.replace("BUNDLE", "/opt/mine")).bundle == "/opt/mine"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{source: {}}", "source: unknown key, did you mean 'sources'?"),
        ("{sources: {}}", None),
        ("{sources: [a]}", None),
        ("sources:", None),
        (
            "sources: {a: {}}",
            "sources.a: give exactly one of microphone, url, file and stdin, got none",
        ),
        (
            "sources: {a: {microphone: x, stdin: s16le}}",
            "sources.a: give exactly one of microphone, url, file and stdin, got microphone, stdin",
        ),
        (
            "sources: {a: {microfone: x}}",
            "sources.a.microfone: unknown key, did you mean 'microphone'?",
        ),
        (
            "sources: {a b: {microphone: x}}",
            "sources.a b: 'a b' becomes part of topics: only letters, digits, '_' and '-'",
        ),
        (
            "sources: {a: {stdin: s24le}}",
            "sources.a.stdin: should be 's16le', 's32le' or 'f32le', got 's24le'",
        ),
        ("sources: {a: {stdin: s16le, channels: 0}}", None),
        ("sources: {a: {stdin: s16le, sample_rate: 16k}}", None),
        ("{node: a/b, sources: {a: {microphone: x}}}", None),
        ("{hop: 0.01, sources: {a: {microphone: x}}}", None),
        ("{latency: -1, sources: {a: {microphone: x}}}", None),
        ("{hop: .nan, sources: {a: {microphone: x}}}", "hop: should be a finite number, got nan"),
        (
            "{sources: {a: {microphone: x}}, labels: {Dog: {onn: 0.5}}}",
            "labels.Dog.onn: unknown key, did you mean 'on'?",
        ),
        (
            "{sources: {a: {microphone: x}}, labels: {Dog: {on: .nan}}}",
            "labels.Dog.on: should be a finite number, got nan",
        ),
        (
            "{sources: {a: {microphone: x}}, labels: {Dog: {on: 1.5}}}",
            "labels.Dog.on: should be less than or equal to 1, got 1.5",
        ),
        (
            "{sources: {a: {microphone: x}}, engine: {threds: 2}}",
            "engine.threds: unknown key, did you mean 'threads'?",
        ),
        (
            "{sources: {a: {microphone: x}}, engine: {name: tflite}}",
            "engine.name: should be 'auto', 'tensorrt', 'openvino' or 'onnxruntime', got 'tflite'",
        ),
        (
            "{sources: {a: {microphone: x}}, mqtt: {hots: b}}",
            "mqtt.hots: unknown key, did you mean 'host'?",
        ),
        (
            "{sources: {a: {microphone: x}}, mqtt: {tls: {certifikat: b}}}",
            "mqtt.tls.certifikat: unknown key, did you mean 'certificate'?",
        ),
        (
            "sources: {a: {microphone: 2}}",
            'sources.a.microphone: should be a valid string, got 2; write microphone: "2"',
        ),
        (
            "{sources: {a: {microphone: x}}, mqtt: {username: 1234}}",
            'mqtt.username: should be a valid string, got 1234; write username: "1234"',
        ),
        (
            "{sources: {a: {microphone: x}}, mqtt: {protocol: 5}}",
            "mqtt.protocol: should be '5' or '3.1.1', got 5; write protocol: \"5\"",
        ),
        (
            "{sources: {a: {microphone: x}}, mqtt: {protocol: 4}}",
            "mqtt.protocol: should be '5' or '3.1.1', got 4",
        ),
        (
            "{sources: {a: {microphone: x}}, node: 12:30}",
            "node: '12:30' becomes part of topics: only letters, digits, '_' and '-'",
        ),
        (
            "{sources: {a: {microphone: x}}, node: 750}",
            'node: should be a valid string, got 750; write node: "750"',
        ),
        (
            "{sources: {a: {microphone: x}}, labels: [Dog, 911]}",
            "labels: expected names, got 911; write it in quotes",
        ),
        (
            "{sources: {a: {microphone: x}}, groups: [911]}",
            "groups: expected names, got 911; write it in quotes",
        ),
        (
            "{sources: {a: {microphone: x}}, labels: {Dog: {active: 22}}}",
            'labels.Dog.active: should be a valid list, got 22; write active: "22"',
        ),
        (
            "{sources: {a: {microphone: x}}, metrics: {listen: '300.0.0.1:9464'}}",
            "metrics.listen: expected an address and a port such as 127.0.0.1:9464, "
            "got '300.0.0.1:9464'",
        ),
        ("{sources: {a: {microphone: x}}, mqtt: {base_topic: 'a/#'}}", None),
        ("{sources: {a: {microphone: x}}, mqtt: {port: 70000}}", None),
    ],
)
def test_every_problem_is_one_line_that_says_where_and_what(problem, text, expected):
    found = problem(text)
    assert "\n" not in found
    assert expected is None or found == expected


def test_a_recording_that_is_missing_is_named(problem, tmp_path):
    found = problem("sources: {a: {file: night.flac}}")
    assert found == f"sources.a.file: no such file: {tmp_path / 'night.flac'}"


def test_a_password_file_that_is_missing_is_named(problem, tmp_path):
    found = problem("{sources: {a: {microphone: x}}, mqtt: {password_file: secret}}")
    assert found == f"mqtt.password_file: no such file: {tmp_path / 'secret'}"


def test_labels_may_be_a_plain_list(load):
    config = load("{sources: {a: {microphone: x}}, labels: [Dog, Speech]}")
    assert config.labels == {"Dog": None, "Speech": None}


@pytest.mark.parametrize("topic", ["x", "ä", "home/ast-edge"])
def test_any_topic_may_be_the_base(load, topic):
    text = f"{{sources: {{a: {{microphone: x}}}}, mqtt: {{base_topic: {topic}}}}}"
    assert load(text).mqtt.base_topic == topic


@pytest.mark.parametrize("topic", ["a//b", "/a", "$SYS/x", "a b"])
def test_a_base_that_is_no_topic_is_refused(problem, topic):
    text = f"{{sources: {{a: {{microphone: x}}}}, mqtt: {{base_topic: '{topic}'}}}}"
    assert problem(text).startswith("mqtt.base_topic: expected topic levels")


@pytest.mark.parametrize("host", ["mqtt://broker:1883", "broker:1883", "user@broker", "[::1]"])
def test_a_broker_given_as_a_url_is_refused(problem, host):
    text = f"{{sources: {{a: {{microphone: x}}}}, mqtt: {{host: '{host}'}}}}"
    assert problem(text).startswith("mqtt.host: expected a name or an address alone")


@pytest.mark.parametrize("host", ["a..b", "192.168.1.300", "-a"])
def test_a_stream_of_a_host_that_cannot_be_is_refused(problem, host):
    found = problem(f"sources: {{a: {{url: 'rtsp://me:hunter2@{host}/1'}}}}")
    assert found.startswith("sources.a.url: its host ")
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("gate", "-50", lambda config: config.sources["a"].gate.level == -50),
        ("channel", "2", lambda config: config.sources["a"].channel == 2),
    ],
)
def test_a_variable_stands_for_any_value(load, monkeypatch, key, value, found):
    monkeypatch.setenv("VALUE", value)
    assert found(load(f"sources: {{a: {{microphone: x, {key}: '${{VALUE}}'}}}}"))


@pytest.mark.parametrize("switch", ["true", "false"])
def test_a_variable_is_a_switch(load, monkeypatch, switch):
    monkeypatch.setenv("SWITCH", switch)
    config = load("sources: {a: {microphone: x}}\nmqtt:\n  home_assistant: ${SWITCH}")
    assert config.mqtt.home_assistant.enabled is (switch == "true")


@pytest.mark.parametrize("value", ["1234", "12.5", "true", "[hunter2]", "{hunter2: 1}"])
def test_a_password_that_is_no_text_is_refused_and_not_quoted(problem, value):
    found = problem(
        f"{{sources: {{a: {{microphone: x}}}}, mqtt: {{username: u, password: {value}}}}}"
    )
    assert found == "mqtt.password: expected text: write it in quotes"


def test_a_password_is_shown_by_no_repr(load, monkeypatch):
    monkeypatch.setenv("PASSWORD", "hunter2")
    config = load("sources: {a: {url: 'rtsp://me:${PASSWORD}@b'}}\nmqtt: {password: '${PASSWORD}'}")
    assert config.mqtt.password.get_secret_value() == "hunter2"
    assert config.sources["a"].url.get_secret_value() == "rtsp://me:hunter2@b"
    assert "hunter2" not in repr(config)


def test_an_ipv6_address_is_a_host(load):
    assert load("{sources: {a: {microphone: x}}, mqtt: {host: '::1'}}").mqtt.host == "::1"


def test_only_one_source_can_read_standard_input(problem):
    text = "{sources: {a: {stdin: s16le}, b: {stdin: s16le}}}"
    assert problem(text) == "sources: only one can read standard input, got a, b"


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("false", False), ("{prefix: ha}", True), ("{}", True)]
)
def test_home_assistant_is_a_switch_or_a_section(load, text, expected):
    config = load(f"sources: {{mic: {{microphone: x}}}}\nmqtt: {{home_assistant: {text}}}")
    assert config.mqtt.home_assistant.enabled is expected


@pytest.mark.parametrize("key", ["names", "areas"])
def test_a_device_of_an_unknown_source_is_refused_with_the_nearest(problem, key):
    text = (
        f"sources: {{attic: {{microphone: x}}}}\nmqtt: {{home_assistant: {{{key}: {{atic: A}}}}}}"
    )
    assert f"home_assistant.{key}: no source 'atic', did you mean 'attic'?" in problem(text)


def test_a_device_class_that_home_assistant_lacks_is_refused(problem):
    options = "{home_assistant: {device_classes: {Dog: wolf}}}"
    text = f"sources: {{mic: {{microphone: x}}}}\nmqtt: {options}"
    assert problem(text).startswith("mqtt.home_assistant.device_classes.Dog: ")


SOUNDS = "{{sources: {{a: {{microphone: x}}}}, {}}}"


@pytest.mark.parametrize(
    ("text", "members", "ontology"),
    [
        ("{Dog: ontology}", [], ["Dog"]),
        ("[Dog]", [], ["Dog"]),
        ("{Dog: {ontology: Wolf}}", [], ["Wolf"]),
        ("{Dog: [Bark, Howl]}", ["Bark", "Howl"], []),
        ("{Dog: {members: Bark, ontology: [Howl]}}", ["Bark"], ["Howl"]),
    ],
)
def test_a_group_is_a_kind_of_sound_its_members_or_both(load, text, members, ontology):
    group = load(SOUNDS.format(f"groups: {text}")).groups["Dog"]
    assert (group.members, group.ontology, group.score) == (members, ontology, "max")


@pytest.mark.parametrize("text", ["22:00-06:00", "'22:00-06:00'", "[22:00-06:00]"])
def test_hours_are_one_text_or_several(load, text):
    config = load(SOUNDS.format(f"labels: {{Dog: {{active: {text}}}}}"))
    assert config.labels["Dog"].active == ["22:00-06:00"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("groups: {Dog: all}", "groups: Dog: expected 'ontology', a list of labels or a mapping"),
        ("groups: {Dog: {}}", "groups.Dog: give members, ontology or both"),
        (
            "groups: {Dog: {membres: [a]}}",
            "groups.Dog.membres: unknown key, did you mean 'members'?",
        ),
        ("groups: {Dog: {members: [a], score: or}}", "groups.Dog.score: should be 'max', 'min' or"),
        ("labels: {Dog: {active: []}}", "labels.Dog.active: "),
        ("labels: {Dog: {active: 10pm-6am}}", "labels.Dog.active.0: expected hours, days or both"),
        ("time_zone: Berlin", "time_zone: no time zone 'Berlin'"),
    ],
)
def test_a_group_or_rule_that_cannot_be_is_refused(problem, text, expected):
    found = problem(SOUNDS.format(text))
    assert found.startswith(expected)
    assert "\n" not in found


@pytest.mark.parametrize(
    "text",
    [
        'sources: {door: "http://:SECRET@camera.local/stream"}',
        'sources: {door: "rtsp://a:SECRET@camera.local/a/very/long/path/to/stream1"}',
        'sources: {door: "rtsp://a:SECRET and more@camera.local/stream1"}',
        'sources: {door: "http://radio.example/stream?token=SECRET"}',
        'sources: {door: "a:SECRET@camera.local/a/very/long/path/to/the/stream1"}',
        'sources: {door: ["http://:SECRET@camera.local"]}',
        'sources: ["http://:SECRET@camera.local"]',
        'sources: {a: {microphone: usb}}\nmqtt: {host: "mqtt://u:SECRET@broker"}',
        'sources: {a: {microphone: usb}}\nmqtt: {host: "u:SECRET@broker"}',
        'sources: {a: {microphone: usb}}\nmqtt: "mqtt://u:SECRET@a-broker-with-a-long-name.local"',
        'sources: {a: {microphone: usb}}\nmqtt: {port: "mqtt://u:SECRET@broker"}',
        "sources: {a: {microphone: usb}}\nmqtt: {host: h, username: u, passwort: SECRET}",
        "sources: {a: {microphone: usb}}\nmqtt: {host: h, username: u, password: [SECRET]}",
        '"http://:SECRET@camera.local/stream"',
    ],
)
@pytest.mark.parametrize("secret", ["1234", "hunter2", "p"])
def test_no_password_is_in_a_message_wherever_it_was_put(load, text, secret):
    with pytest.raises(ConfigError) as caught:
        load(text.replace("SECRET", f"<{secret}>"))
    message = str(caught.value)
    assert not {f"<{secret}>", f"<{secret}", f"{secret}>"} & set(re.findall(r"<?\w+>?", message))


@pytest.mark.parametrize(
    ("section", "port"),
    [
        ("{}", 1883),
        ("{tls: {}}", 8883),
        ("{transport: websockets}", 80),
        ("{transport: websockets, tls: {}, path: /}", 443),
        ("{transport: websockets, port: 9001}", 9001),
    ],
)
def test_every_transport_has_its_usual_port(load, section, port):
    config = load(f"{{sources: {{a: {{microphone: x}}}}, mqtt: {section}}}")
    assert config.mqtt.port_number == port


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{path: /mqtt}", "path is for `transport: websockets`"),
        ("{transport: websockets, path: mqtt}", "expected the path of a websocket"),
        ("{transport: websockets, path: '/a b'}", "expected the path of a websocket"),
        ("{transport: wss}", "'tcp' or 'websockets'"),
    ],
)
def test_a_websocket_that_cannot_be_is_refused(problem, section, expected):
    assert expected in problem(f"{{sources: {{a: {{microphone: x}}}}, mqtt: {section}}}")
