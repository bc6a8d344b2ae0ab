"""The Debian package, installed, upgraded, removed and purged under a real systemd."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from rigs.model import RATE, write_bundle
from rigs.systemd import ZEROS_DROP_IN, Systemd, why_not

ROOT = Path(__file__).parents[1]
NEEDED = ("libportaudio2", "init-system-helpers", "libstdc++6")
SERVICE = "ast-edge"
UNIT = "/usr/lib/systemd/system/ast-edge.service"


def why_no_package():
    """Say why no package can be built here that this Python's libraries serve; empty if it can."""
    if reason := why_not():
        return reason
    if not shutil.which("dpkg-deb") or not Path("/usr/bin/python3").exists():
        return "dpkg or the system's Python is missing"
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    if Path("/usr/bin/python3").resolve().name != f"python{minor}":
        return f"the system's Python is not {minor}, as this one is"
    if not (ROOT / ".venv/bin/uv").exists():
        return "there is no uv: run `make test`, or scripts/venv dev"
    shown = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ", *NEEDED, f"python{minor}"]
    said = subprocess.run(shown, capture_output=True, text=True, check=False).stdout
    whole = said.split() == ["installed"] * (len(NEEDED) + 1)
    return "" if whole else f"one of {', '.join(NEEDED)}, python{minor} is missing"


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(why_no_package()), reason=why_no_package() or "it can"),
]


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Two revisions of the package, without the libraries; the wheel is built once."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    shtab = pytest.importorskip("shtab", reason="shtab is not installed: run `make test`")
    work = tmp_path_factory.mktemp("packages")
    wheel = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", work]
    subprocess.run(wheel, cwd=ROOT, check=True, capture_output=True)
    sites = {sysconfig.get_path("purelib"), str(Path(shtab.__file__).parents[1])}
    options = ["--wheel", *work.glob("*.whl"), "--out", work, "--dependencies", ":".join(sites)]
    quick = os.environ | {"DPKG_DEB_COMPRESSOR_TYPE": "none"}
    return [
        Path(
            subprocess.check_output(
                [ROOT / "packaging/debian/build", *options, "--revision", str(revision)],
                env=quick,
                text=True,
                stderr=subprocess.PIPE,
            ).strip()
        )
        for revision in (1, 2)
    ]


@pytest.fixture(scope="module")
def machine(packages, tmp_path_factory):
    """A machine with the packages at hand, and a configuration."""
    work = tmp_path_factory.mktemp("deb")
    bundle = write_bundle(work / "files/srv/bands")
    for path in (bundle, *bundle.iterdir()):
        path.chmod(0o755)
    for number, package in enumerate(packages, 1):
        shutil.copy(package, work / f"files/srv/{number}.deb")
    config = {
        "node": "attic",
        "bundle": "/srv/bands",
        "sources": {"kitchen": {"stdin": "f32le", "sample_rate": RATE, "pace": "fast"}},
    }
    files = {
        "/srv/my.yaml": yaml.safe_dump(config),
        "/etc/systemd/system/ast-edge.service.d/test.conf": ZEROS_DROP_IN,
    }
    with Systemd(work, files, {Path(sys.prefix): "/srv/venv"}) as systemd:
        # A Python in a home is for its owner alone; here the service's user may go there.
        systemd.run("chmod", "o+x", *map(str, Path(sys.executable).resolve().parents))
        # Images of containers forbid packages to start services.
        systemd.run("rm", "-f", "/usr/sbin/policy-rc.d")
        yield systemd


def install(machine, number):
    """Install a revision; the libraries are those of this environment."""
    said = machine.run("dpkg", "--install", f"/srv/{number}.deb")
    base = {"base": "/srv/venv", "platbase": "/srv/venv"}
    (site,) = machine.run("sh", "-c", "echo /opt/ast-edge/lib/python*/site-packages").split()
    machine.write(f"{site}/rest.pth", sysconfig.get_path("purelib", vars=base))
    return said


def leftovers(machine):
    """Return what a purged package has left."""
    folders = "/{opt,etc,usr/bin,var/lib,var/lib/private,var/cache/private}/ast-edge"
    units = f"{UNIT} /etc/systemd/system/{{,*.wants/}}ast-edge.service"
    return machine.run("bash", "-c", f"ls -d {folders} {units} 2>/dev/null", check=False)


def unit_of(machine):
    """Return the file of the service's unit; /lib may be a link."""
    return machine.run("realpath", machine.show(SERVICE, "FragmentPath"))


@pytest.fixture(scope="module")
def installed(machine):
    """What the package says when it is installed."""
    return install(machine, 1)


@pytest.fixture(scope="module")
def running(machine, installed):
    """The machine with the service running."""
    machine.run("ast-edge", "install-service", "--config", "/srv/my.yaml")
    machine.wait(SERVICE, "StatusText", "listening")
    return machine


def test_without_a_configuration_nothing_runs_and_it_says_what_to_do(machine, installed):
    assert "sudo ast-edge install-service" in installed
    assert machine.show(SERVICE, "ActiveState") == "inactive"


def test_program_manual_completion_and_example_are_in_their_places(machine, installed):
    assert machine.run("ast-edge", "--version").startswith("ast-edge ")
    listed = machine.run("dpkg", "--listfiles", "ast-edge").splitlines()
    for place in (
        "/usr/share/man/man1/ast-edge.1.gz",
        "/usr/share/bash-completion/completions/ast-edge",
        "/usr/share/zsh/vendor-completions/_ast-edge",
        "/usr/share/fish/vendor_completions.d/ast-edge.fish",
        "/usr/share/doc/ast-edge/examples/mic.yaml",
    ):
        assert place in listed


def test_nothing_in_it_names_the_place_where_it_was_built(packages):
    listed = subprocess.check_output(["dpkg-deb", "--fsys-tarfile", packages[0]])
    assert b"/opt/ast-edge/bin/python" in listed
    assert b"/tmp/tmp." not in listed


def test_lintian_has_no_errors_to_say(packages):
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed (apt install lintian)")
    # These are not packed, to save time.
    packed = ",".join(f"uses-no-compression-for-{part}-tarball" for part in ("control", "data"))
    command = ["lintian", "--fail-on", "error", "--suppress-tags", packed, packages[0]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_service_is_the_packages_and_the_configuration_is_for_root_and_the_service(running):
    assert unit_of(running) == UNIT
    assert running.show(SERVICE, "UnitFileState") == "enabled"
    assert running.run("stat", "-c", "%a %U %G", "/etc/ast-edge/mic.yaml") == "640 root audio"


def test_an_upgrade_starts_the_new_one_with_the_same_configuration(running):
    before = running.show(SERVICE, "MainPID")
    config = running.run("cat", "/etc/ast-edge/mic.yaml")
    install(running, 2)
    running.wait(SERVICE, "StatusText", "listening")
    assert running.show(SERVICE, "MainPID") != before
    assert running.run("cat", "/etc/ast-edge/mic.yaml") == config
    assert "-2~" in running.run("dpkg-query", "--show", "--showformat=${Version}", "ast-edge")


def test_it_takes_the_place_of_what_scripts_install_has_put_there(running):
    """Its unit would hide that of the package."""
    running.run("dpkg", "--remove", "ast-edge")
    running.run("python3", "-m", "venv", "--without-pip", "/opt/ast-edge")
    (site,) = running.run("sh", "-c", "echo /opt/ast-edge/lib/python*/site-packages").split()
    unit = (ROOT / "systemd/ast-edge.service").read_text()
    running.write(f"{site}/ast_edge/systemd/ast-edge.service", unit)
    running.write(f"{site}/old.py", "")
    running.write("/etc/systemd/system/ast-edge.service", unit)
    running.run("systemctl", "daemon-reload")
    install(running, 2)
    assert running.run("ls", f"{site}/old.py", check=False) == ""
    running.run("systemctl", "restart", SERVICE)
    running.wait(SERVICE, "StatusText", "listening")
    assert unit_of(running) == UNIT
    assert running.show(SERVICE, "UnitFileState") == "enabled"


def test_removing_it_stops_the_service_and_keeps_configuration_and_state(running):
    running.run("dpkg", "--remove", "ast-edge")
    assert running.show(SERVICE, "ActiveState") in ("inactive", "failed")
    assert running.run("ls", "/etc/ast-edge") == "mic.yaml"
    assert running.run("ls", "-d", "/var/lib/private/ast-edge")
    assert running.run("ls", "-d", "/opt/ast-edge", check=False) == ""


def test_purging_it_leaves_nothing_but_what_others_have_put_there(running):
    install(running, 1)
    running.run("dpkg", "--purge", "ast-edge")
    assert leftovers(running) == ""
    drop_ins = running.run("ls", "/etc/systemd/system/ast-edge.service.d")
    assert drop_ins == "test.conf"  # a drop-in of the user's own
