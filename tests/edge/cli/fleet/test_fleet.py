import json
import subprocess
import sys

import pytest
from rigs.broker import mosquitto
from rigs.broker.fleet import OTHER_SUM, info, say
from rigs.broker.mosquitto import PASSWORD, USER, Mosquitto

from ast_edge.cli.main import main
from ast_edge.fleet.info import BundleInfo

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

OTHER = (BundleInfo("other", OTHER_SUM, 3),)


@pytest.fixture
def fleet(broker, capsys):
    """Run an action on three nodes: "attic", "barn" with another bundle, and "cellar" offline."""
    say(broker, "attic")
    say(broker, "barn", bundles=OTHER)
    say(broker, "cellar", "offline")

    def fleet(action, *options):
        status = main(["fleet", action, "--broker", f"127.0.0.1:{broker.port}", *options])
        return status, capsys.readouterr().out

    return fleet


def test_the_list_has_each_node_with_its_state_and_bundle(fleet):
    status, out = fleet("list")
    assert status == 0
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "online" in rows["attic"]
    assert "home abababab" in rows["attic"]
    assert "other cdcdcdcd" in rows["barn"]
    assert "offline" in rows["cellar"]


def test_the_list_as_json_has_all_that_a_node_says(fleet):
    nodes = json.loads(fleet("list", "--json")[1])
    assert [(n["node"], n["online"]) for n in nodes] == [
        *(("attic", True), ("barn", True), ("cellar", False)),
    ]
    assert {"schema": 1, **nodes[0]["info"]} == json.loads(info("attic").payload)


def test_the_stale_ones_are_those_that_are_away(fleet):
    assert [n["node"] for n in json.loads(fleet("list", "--json", "--stale")[1])] == ["cellar"]


def test_nodes_are_chosen_by_their_bundle(fleet):
    assert [n["node"] for n in json.loads(fleet("list", "--json", "--bundle", "other")[1])] == [
        "barn"
    ]
    assert fleet("list", "--bundle", "nobody")[1] == "no such node\n"


def test_two_nodes_that_differ_are_told_apart(fleet):
    status, out = fleet("diff", "attic", "barn")
    assert status == 1
    assert out.splitlines() == ["bundle", "  home abababab: attic", "  other cdcdcdcd: barn"]


def test_two_nodes_that_do_not_differ_are_no_fault(fleet):
    assert fleet("diff", "attic", "cellar") == (0, "2 nodes that do not differ\n")


def test_of_labels_only_what_is_apart_is_shown(fleet, broker):
    say(broker, "barn", labels=("dog", "owl"))
    assert "  +owl -siren: barn" in fleet("diff")[1].splitlines()


def test_a_difference_as_json_has_values_and_nodes(fleet):
    (found,) = json.loads(fleet("diff", "--json")[1])
    assert found["what"] == "bundle"
    assert [value["nodes"] for value in found["values"]] == [["attic", "cellar"], ["barn"]]


def test_a_node_that_is_not_there_is_an_error_with_the_nearest(fleet, capsys):
    assert main(["fleet", "diff", "--broker", "127.0.0.1:1", "attik"]) == 69
    capsys.readouterr()
    assert fleet("diff", "attik")[0] == 78


def test_a_hostile_node_cannot_write_to_the_terminal(fleet, broker):
    say(broker, "attic", device="\x1b[31mred", version="\x1b[2J")
    assert "\x1b[" not in fleet("list")[1] + fleet("diff")[1]


def test_a_change_is_a_line_of_its_own(broker):
    say(broker, "attic")
    command = [sys.executable, "-m", "ast_edge", "fleet", "watch"]
    watching = subprocess.Popen(
        [*command, "--broker", f"127.0.0.1:{broker.port}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watching.stdout.readline() == "1 nodes, 1 online; changes follow\n"
        say(broker, "attic", bundles=OTHER)
        change = watching.stdout.readline()
    finally:
        watching.kill()
        watching.communicate()
    assert change.endswith("  attic  bundle: home abababab → other cdcdcdcd\n")


def test_the_broker_of_a_configuration_is_taken(broker, tmp_path, capsys):
    say(broker, "attic")
    (tmp_path / "site.yaml").write_text(f"mqtt: {{host: 127.0.0.1, port: {broker.port}}}\n")
    assert main(["fleet", "list", "--config", str(tmp_path / "site.yaml"), "--json"]) == 0
    assert [n["node"] for n in json.loads(capsys.readouterr().out)] == ["attic"]


def test_password_and_encryption_may_be_given(tmp_path, capsys):
    (tmp_path / "password").write_text(PASSWORD + "\n")
    with Mosquitto(tmp_path, password=True, tls=True) as broker:
        say(broker, "attic")
        options = ["--user", USER, "--password-file", str(tmp_path / "password")]
        options += ["--broker", f"localhost:{broker.port}", "--ca", str(broker.ca)]
        assert main(["fleet", "list", "--json", *options]) == 0
    assert [n["node"] for n in json.loads(capsys.readouterr().out)] == ["attic"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--broker", "a:b:c"], "mqtt.host"),
        (["--broker", "mqtt://host"], "mqtt.host"),
        (["--broker", "[::1"], "HOST:PORT"),
        (["--broker", "host:99999"], "mqtt.port"),
        (["--broker", "host", "--base-topic", "a/#"], "mqtt.base_topic"),
        (["--broker", "host", "--ca", "/nowhere"], "no such file"),
    ],
)
def test_a_broker_that_cannot_be_is_an_error_of_one_line(capsys, options, reason):
    assert main(["fleet", "list", *options]) == 78
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
