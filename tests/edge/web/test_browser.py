"""The page in a real browser, which looks at a daemon whose sound is poured."""

import json
import time
from functools import partial

import numpy as np
import pytest
from rigs.broker.mosquitto import Mosquitto, wait_until
from rigs.model import RATE, silence, tone
from rigs.page import TIMEOUT, TOKEN, House, IngressProxy

pytestmark = pytest.mark.slow
MS = 1000 * TIMEOUT


def watched(house):
    """Wait until the daemon shows somebody what it hears."""
    pipelines = house.service.daemon.pipelines
    wait_until(lambda: any(pipeline.tap for pipeline in pipelines.values()), TIMEOUT)


def pour_event(house, label="Hum"):
    house.hall.pour(np.concatenate([silence(1), tone(label, 1.5), silence(3)]))


PEAKS = """() => {
    const c = document.querySelector('canvas.fall'), height = c.height - 20, found = [];
    const data = c.getContext('2d').getImageData(0, 0, c.width, height).data;
    for (let x = 40; x < c.width; x++) {
        let best = 400, row = -1; // of 765: bright
        for (let y = 0; y < height; y++) {
            const i = 4 * (y * c.width + x), light = data[i] + data[i + 1] + data[i + 2];
            if (light > best) { best = light; row = y / height; }
        }
        if (row >= 0) found.push(row);
    }
    return found;
}"""


def test_a_sine_sweep_climbs_through_the_waterfall(house, look):
    page = look(house, color_scheme="dark", reduced_motion="reduce")
    page.wait_for_selector(".scores li")
    watched(house)
    hertz = 200 * (5000 / 200) ** (np.arange(20 * RATE) / (20 * RATE))
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    house.hall.pour((0.5 * np.sin(phase)).astype(np.float32))
    # Twenty of sixty seconds, and brackets of what is heard in it beside.
    wait_until(lambda: len(page.evaluate(PEAKS)) > 200, TIMEOUT)
    page.evaluate("new Promise(done => setTimeout(done, 1100))")  # the next picture
    steps = np.array_split(np.array(page.evaluate(PEAKS)), 8)
    middles = [float(np.median(step)) for step in steps[1:-1]]
    assert middles == sorted(middles, reverse=True), "from the bottom to the top"
    assert middles[0] - middles[-1] > 0.4, "of the height"


def test_an_event_is_in_the_list_and_its_bracket_in_the_picture(house, look):
    page = look(house)
    page.wait_for_selector(".scores li")
    watched(house)
    pour_event(house)
    page.click("#tabs a[href='#events']")
    page.wait_for_selector(".event:has-text('Hum')")
    strip, mark = page.locator(".strip").bounding_box(), page.locator(".strip i").bounding_box()
    assert mark["x"] + 3 <= strip["x"] + strip["width"] + 0.5, "what was just now is in sight"


def test_an_event_between_the_first_answer_and_the_live_view_is_not_missed(house, visitor, look):
    asked = []

    def late(route):
        answer = route.fetch()
        if not asked:
            pour_event(house)
            wait_until(lambda: visitor.get("api/events")["events"], TIMEOUT)
        asked.append(route)
        route.fulfill(response=answer)

    page = look(house, before=lambda page: page.route("**/api/events", late))
    page.wait_for_selector(".scores li")
    page.click("#tabs a[href='#events']")
    page.wait_for_selector("[data-id]:has-text('Hum')")


def test_a_right_or_wrong_is_one_key_and_can_be_undone(house, look, state_folder):
    page = look(house)
    page.wait_for_selector(".scores li")
    pour_event(house)
    page.click("#tabs a[href='#events']")
    page.wait_for_selector(".event .marks")
    page.keyboard.press("j")
    page.keyboard.press("w")
    page.wait_for_selector(".event.wrong")
    page.keyboard.press("u")
    page.wait_for_selector(".event:not(.wrong) .marks")
    lines = (state_folder / "reviews-attic.jsonl").read_text().splitlines()
    assert [json.loads(line)["verdict"] for line in lines] == ["wrong", "undone"]


def test_it_was_another_label_is_chosen_from_all(house, look, state_folder):
    page = look(house)
    pour_event(house)
    page.click("#tabs a[href='#events']")
    page.click(".event .mark.other")
    page.fill("#true", "hiss")
    page.keyboard.press("Enter")
    page.wait_for_selector(".event.other:has-text('Hiss')")


def test_it_was_something_that_no_model_knows(house, look, state_folder):
    page = look(house)
    pour_event(house)
    page.click("#tabs a[href='#events']")
    page.click(".event .mark.other")
    page.fill("#true", "Doorbell of 3b")
    page.keyboard.press("Enter")
    page.wait_for_selector(".event.other:has-text('Doorbell of 3b')")
    (line,) = (state_folder / "reviews-attic.jsonl").read_text().splitlines()
    assert json.loads(line)["true"] == "Doorbell of 3b"


def test_a_threshold_is_tried_before_it_is_kept(house, look):
    page = look(house)
    page.wait_for_selector(".scores li")
    watched(house)
    pour_event(house)
    page.wait_for_selector(".scores li.hot, .scores li")
    page.click(".scores .row:has-text('Hum')")
    page.locator(".detail input").fill("0.9")
    page.wait_for_selector(".detail output:has-text('would have fired')")
    page.click(".detail button:has-text('Keep')")
    hum = house.service.plan.bundles[0].label("Hum")
    wait_until(lambda: house.service.commander.settings.settings("hall", hum).on == 0.9, TIMEOUT)


def test_a_wrong_token_is_said_and_the_right_one_lets_in(house, look):
    page = look(house, token="")
    page.fill("#token", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector(".scores li")
    assert "token" not in page.url


def test_a_daemon_that_goes_and_comes_back_is_said_and_found_again(build, look):
    house = build()
    page = look(house)
    page.wait_for_selector(".scores li")
    port = house.port
    house.page.close()
    page.wait_for_selector("#banner.bad:has-text('No connection')")
    house.page._config = None
    config = house.service.plan.config
    listen = config.web.model_copy(update={"listen": f"127.0.0.1:{port}"})
    house.page.follow(config.model_copy(update={"web": listen}))
    page.wait_for_selector("#banner.bad", state="hidden")
    watched(house)


def test_a_source_that_stalls_and_one_that_comes_back_are_said(house, look):
    house.hall.pour(silence(1))
    page = look(house)
    page.wait_for_selector("#top .chip:has-text('no sound for')")
    stop = time.monotonic() + TIMEOUT
    while page.locator("#top .chip:has-text('listening')").count() == 0:
        assert time.monotonic() < stop
        house.hall.pour(silence(0.5))
        page.wait_for_timeout(100)


def test_a_broker_that_goes_away_is_said(tmp_path, tiny_model, look):
    with Mosquitto(tmp_path) as broker:
        mqtt = {"host": "127.0.0.1", "port": broker.port}
        house = House(tmp_path, tiny_model, mqtt=mqtt)
        try:
            house.service.open_node(house.service.plan.config.mqtt)
            page = look(house)
            page.wait_for_selector(".chip.broker.good")
            broker.stop()
            page.wait_for_selector(".chip.broker.bad")
            page.click("#tabs a[href='#status']")
            page.wait_for_selector(".hint:has-text('is the broker running')")
        finally:
            house.close()


def test_behind_an_ingress_that_strips_a_prefix_and_compresses_all_works(house, look):
    with IngressProxy(house) as proxy:
        page = look(house, f"http://127.0.0.1:{proxy.port}{proxy.PREFIX}/")
        page.wait_for_selector(".scores li")
        watched(house)
        pour_event(house)
        page.click("#tabs a[href='#events']")
        page.wait_for_selector(".event:has-text('Hum')")
        page.close()


def test_a_thousand_labels_are_shown(house, look, monkeypatch):
    from ast_edge.web.labels import LabelTable

    document = LabelTable.document

    def many(self):
        found = document(self)
        row = found["labels"][0]
        rows = [row | {"slug": f"l{n}", "name": f"Label {n}"} for n in range(1000)]
        return found | {"labels": rows}

    monkeypatch.setattr(LabelTable, "document", many)
    page = look(house)
    page.wait_for_selector(".scores li")
    page.click("button:has-text('Show all 1000')")
    page.wait_for_function("document.querySelectorAll('.scores li').length === 1000")
    page.fill("input[type=search]", "label 999")
    page.wait_for_function("document.querySelectorAll('.scores li').length === 1")


def test_what_labels_and_brokers_say_is_text_and_never_markup(house, look, monkeypatch):
    from ast_edge.web.labels import LabelTable
    from ast_edge.web.stage import Stage

    hostile = (
        "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    )
    document, state = LabelTable.document, Stage.state

    def worse(self):
        found = document(self)
        return found | {"labels": [row | {"name": hostile} for row in found["labels"]]}

    def bad(self):
        found = state(self)
        found["sources"]["hall"]["detail"] = hostile
        found["broker"] = {
            "address": hostile,
            "connected": False,
            "fault": hostile,
            "waiting": 0,
            "lost": 0,
        }
        return found

    monkeypatch.setattr(LabelTable, "document", worse)
    monkeypatch.setattr(Stage, "state", bad)
    page = look(house)
    page.wait_for_selector(".scores li:has-text('onerror')")
    for view in ("events", "settings", "status"):
        page.click(f"#tabs a[href='#{view}']")
        page.wait_for_selector("#view > *")
    page.wait_for_selector("dd:has-text('onerror')")
    assert page.title() != "taken"
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("size", [(390, 844), (1440, 900)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_is_wider_than_the_screen_and_every_control_has_a_name(house, look, size, scheme):
    page = look(house, size=size, color_scheme=scheme)
    page.wait_for_selector(".scores li")
    pour_event(house)
    for view in ("live", "events", "settings", "status"):
        page.click(f"#tabs a[href='#{view}']")
        page.wait_for_selector(".event .marks" if view == "events" else "#view > *")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        assert page.evaluate(NAMELESS) == [], view


NAMELESS = """() => [...document.querySelectorAll('button, a, input, select, canvas[role]')]
    .filter(e => e.offsetParent !== null)
    .filter(e => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length))
    .map(e => e.outerHTML)"""


def test_a_german_browser_reads_german(house, chromium):
    context = chromium.new_context(locale="de-DE")
    page = context.new_page()
    page.goto(f"{house.address}#token={TOKEN}")
    page.wait_for_selector("a:has-text('Ereignisse')", timeout=MS)
    assert page.evaluate("document.documentElement.lang") == "de"
    context.close()


def test_every_text_is_there_in_both_languages(house, chromium):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(house.address)
    keys = page.evaluate(
        """async () => { const all = [await import('./en.js'), await import('./de.js')];
        return all.map(m => Object.keys(m.default).sort()); }"""
    )
    assert keys[0] == keys[1]
    holes = page.evaluate(
        r"""async () => { const { default: en } = await import('./en.js');
        const { default: de } = await import('./de.js');
        const names = s => (s.match(/\{\w+\}/g) ?? []).sort().join();
        return Object.keys(en).filter(k => names(en[k]) !== names(de[k])); }"""
    )
    assert holes == []
    context.close()


def test_a_tab_that_is_open_for_weeks_remembers_the_newest_events_alone(house, look):
    page, stage = look(house), house.page.server.stage
    page.wait_for_selector(".scores li")
    watched(house)
    for number in range(700):
        onset = f"2026-11-28T10:{number // 60:02d}:{number % 60:02d}.000Z"
        event = {"id": f"{number:032x}", "type": "end", "label": "Hum", "slug": "hum"}
        event |= {"source": "hall", "onset": onset, "duration": 0.5, "peak": 0.9}
        stage.post(partial(stage._tell, {"type": "event", "event": event}))
        if number % 100 == 99:
            page.wait_for_timeout(200)
    events = "import('./main.js').then(m => [...m.page.events.values()].map(e => e.id))"
    newest = f"{699:032x}"
    wait_until(lambda: newest in page.evaluate(events), TIMEOUT)
    kept = page.evaluate(events)
    assert 200 <= len(kept) <= 500
    assert kept == [f"{n:032x}" for n in range(700 - len(kept), 700)]


def test_a_hidden_page_lets_the_daemon_rest(house, look):
    page = look(house)
    page.wait_for_selector(".scores li")
    watched(house)
    page.close()
    wait_until(lambda: house.page.server.stage.viewers == 0, TIMEOUT)
    house.act()
    wait_until(lambda: house.service.daemon.pipelines["hall"].tap is None, TIMEOUT)
