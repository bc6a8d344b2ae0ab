"""The page as those use it who do not see it, or see little: by the rules of axe-core."""

import numpy as np
import pytest
from rigs.broker.mosquitto import wait_until
from rigs.model import silence, tone
from rigs.page import TIMEOUT, TOKEN

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)
pytestmark = pytest.mark.slow

SIZES = [(390, 844), (1440, 900)]
SCHEMES = ["light", "dark"]


def faults_of(page):
    """Return what axe finds in the page as it is now, and of which elements."""
    # Colours are judged as they come to rest.
    page.wait_for_function("document.getAnimations().every(a => a.playState !== 'running')")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{fault['impact']}: {fault['id']}: {node['html'][:200]}: {node.get('failureSummary')}"
        for fault in found
        for node in fault["nodes"]
    ]


def listen(house, page):
    """Let the page show an event that is over, and one that was held back."""
    page.wait_for_selector(".scores li")
    wait_until(lambda: house.service.daemon.pipelines["hall"].tap, TIMEOUT)
    sound = [silence(1), tone("Hum", 1.5), silence(3), tone("Hum", 0.3), silence(2)]
    house.hall.pour(np.concatenate(sound))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_no_fault_in_any_view(house, look, size, scheme):
    page = look(house, size=size, color_scheme=scheme, reduced_motion="reduce")
    listen(house, page)
    faults = {"live": faults_of(page)}
    page.click(".scores .row:has-text('Hum')")
    page.locator(".detail input").fill("0.9")
    faults["a threshold is tried"] = faults_of(page)
    page.click("#tabs a[href='#events']")
    page.wait_for_selector(".event .marks")
    faults["events"] = faults_of(page)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.wait_for_selector(".batch")
    faults["events are selected"] = faults_of(page)
    page.keyboard.press("o")
    page.wait_for_selector("dialog[open]")
    faults["which label was it"] = faults_of(page)
    page.fill("#true", "Hiss")
    page.keyboard.press("Enter")
    page.wait_for_selector(".event.other")
    faults["events are reviewed"] = faults_of(page)
    for view in ("settings", "status"):
        page.click(f"#tabs a[href='#{view}']")
        page.wait_for_selector("#view .card")
        faults[view] = faults_of(page)
    assert not any(faults.values()), "\n".join(f"{k}: {v}" for k, v in faults.items() if v)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_no_fault_at_the_door_and_when_nothing_can_be_changed(build, look, size, scheme):
    house = build()
    page = look(house, token="", size=size, color_scheme=scheme, reduced_motion="reduce")
    page.fill("#token", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    faults = {"login": faults_of(page)}
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector(".scores li")
    page.click("#tabs a[href='#settings']")
    page.wait_for_selector("#view .card")
    faults["settings"] = faults_of(page)
    page.click("#tabs a[href='#live']")
    house.page.close()
    page.wait_for_selector("#banner.bad")
    faults["no connection"] = faults_of(page)
    assert not any(faults.values()), "\n".join(f"{k}: {v}" for k, v in faults.items() if v)
