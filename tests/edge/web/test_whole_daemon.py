"""The page in a real browser, and a daemon that is a process: killed, started again, frozen."""

import signal
from urllib.request import urlopen

import numpy as np
import pytest
from rigs.broker.mosquitto import Mosquitto, wait_until
from rigs.daemon import Daemon
from rigs.model import silence, tone
from rigs.page import TOKEN
from rigs.ports import free_port

pytestmark = pytest.mark.slow


@pytest.fixture
def daemon(tmp_path):
    """A daemon with a page, whose sound is fed."""
    port = free_port()
    (tmp_path / "broker").mkdir()
    with Mosquitto(tmp_path / "broker") as broker:
        daemon = Daemon(tmp_path, broker, None)
        daemon.address = f"http://127.0.0.1:{port}/"
        daemon.change(web={"listen": f"127.0.0.1:{port}", "token": TOKEN})
        daemon.start()
        yield daemon
        daemon.kill()


@pytest.fixture
def page(daemon, look):
    """The list of events, which knows one already; its clock can be put forward."""

    def listens():
        try:
            return urlopen(daemon.address + "api/alive", timeout=5).status == 200
        except OSError:
            return False

    wait_until(listens, 30)
    page = look(None, daemon.address, before=lambda page: page.clock.install())
    page.click("#tabs a[href='#events']")
    hear(daemon)
    page.wait_for_selector(".event")
    return page


def hear(daemon):
    """Let the daemon hear an event, from its beginning to its end."""
    daemon.feed(np.concatenate([silence(1), tone("Hum", 1.5), silence(6)]))


def test_a_daemon_that_is_killed_and_started_again_is_found_with_its_events(daemon, page):
    daemon.kill()
    page.wait_for_selector("#banner.bad:has-text('No connection')")
    daemon.start()
    page.wait_for_selector("#banner.bad", state="hidden")
    hear(daemon)
    page.locator("[data-id]").nth(1).wait_for()


def test_a_daemon_that_is_frozen_for_50_seconds_is_said_and_found_again(daemon, page):
    daemon.process.send_signal(signal.SIGSTOP)
    page.clock.fast_forward(6_000)
    page.wait_for_selector("#banner.bad:has-text('Nothing from')")
    page.clock.fast_forward(25_000)
    page.wait_for_selector("#banner.bad:has-text('No connection')")
    page.clock.fast_forward(20_000)
    daemon.process.send_signal(signal.SIGCONT)
    page.wait_for_selector("#banner.bad", state="hidden")
    hear(daemon)
    page.locator("[data-id]").nth(1).wait_for()


def test_a_page_of_another_version_than_the_daemon_is_loaded_anew(daemon, page):
    page.evaluate("window.before = true")
    with page.expect_event("load"):
        page.evaluate("import('./main.js').then(m => { m.page.state.version = '0.0.0'; })")
    page.wait_for_selector(".event")
    assert page.evaluate("window.before") is None
