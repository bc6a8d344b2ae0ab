"""The app as Home Assistant's Supervisor reads it: what is promised, and what it is worth."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
import yaml

from ast_edge import __version__
from ast_edge.home_assistant.app_options import PAGE, AppOptions

ROOT = Path(__file__).parents[1]
APP = ROOT / "packaging/home-assistant/ast_edge"
CONFIG = yaml.safe_load((APP / "config.yaml").read_text())

COSTLY = {
    "NET_ADMIN",
    "SYS_ADMIN",
    "SYS_RAWIO",
    "SYS_PTRACE",
    "SYS_MODULE",
    "DAC_READ_SEARCH",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
}


def rating(config):
    """Rate an app as `rating_security` of the Supervisor does (supervisor/apps/utils.py)."""
    if config.get("docker_api") or config.get("full_access"):
        return 1
    points = 5
    if config.get("apparmor", True) is False:
        points -= 1
    elif (APP / "apparmor.txt").exists():
        points += 1
    points += 2 if config.get("ingress") else int(config.get("auth_api", False))
    points -= bool(COSTLY & set(config.get("privileged", [])))
    points -= {"manager": 1, "admin": 2}.get(config.get("hassio_role", ""), 0)
    points -= bool(config.get("host_network"))
    points -= 2 * bool(config.get("host_pid"))
    return max(1, min(8, points))


def test_it_is_rated_with_all_points():
    assert rating(CONFIG) == 8


def test_the_rating_is_lost_by_what_costs_it():
    assert rating(CONFIG | {"host_network": True}) == 7
    assert rating(CONFIG | {"privileged": ["SYS_ADMIN"]}) == 7
    assert rating(CONFIG | {"full_access": True}) == 1


def test_its_version_is_that_of_the_program():
    assert CONFIG["version"] == __version__
    assert f":{__version__}\n" in (APP / "Dockerfile").read_text()
    assert f"## {__version__}" in (APP / "CHANGELOG.md").read_text()


def test_the_form_asks_for_at_most_ten_things_and_the_program_knows_all():
    assert len(CONFIG["options"]) <= 10
    assert CONFIG["options"].keys() == CONFIG["schema"].keys() == AppOptions.model_fields.keys()


def test_the_form_begins_with_what_the_program_takes_by_itself():
    assert AppOptions.model_validate(CONFIG["options"]) == AppOptions()


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_option_has_a_name_and_a_description_in(language):
    said = yaml.safe_load((APP / f"translations/{language}.yaml").read_text())["configuration"]
    assert said.keys() == CONFIG["options"].keys()
    assert all(entry["name"] and entry["description"] for entry in said.values())


def test_the_page_listens_where_ingress_looks_for_it():
    assert PAGE.endswith(f":{CONFIG['ingress_port']}")
    assert f"[PORT:{CONFIG['ingress_port']}]" in CONFIG["watchdog"]


def test_no_architecture_is_named_that_the_supervisor_has_given_up():
    assert CONFIG["arch"] == ["amd64", "aarch64"]


@pytest.mark.parametrize(("file", "size"), [("icon.png", (128, 128)), ("logo.png", (250, 100))])
def test_pictures_have_the_size_that_is_shown(file, size):
    head = (APP / file).read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == size


def test_the_profile_has_the_name_of_the_app():
    assert f"\nprofile {CONFIG['slug']} " in (APP / "apparmor.txt").read_text()


def test_apparmor_takes_the_profile():
    program = shutil.which("apparmor_parser", path="/usr/sbin:/sbin:/usr/bin")
    if program is None:
        pytest.skip("apparmor_parser is not installed (apt install apparmor)")
    command = [program, "--skip-kernel-load", "--skip-cache", APP / "apparmor.txt"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr.lower()
