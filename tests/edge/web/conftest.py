"""A daemon with a page, somebody who knows its token, and a browser that looks at it."""

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.page import TIMEOUT, TOKEN, House, Visitor, browser


@pytest.fixture
def build(tmp_path, tiny_model):
    """Return a function that makes a house; those that are left are closed."""
    houses = []

    def build(bundle=tiny_model, **more):
        houses.append(House(tmp_path, bundle, **more))
        return houses[-1]

    yield build
    for house in houses:
        house.close()


@pytest.fixture
def house(build):
    return build(web={"changes": True})


@pytest.fixture
def visitor(house):
    return Visitor(house).log_in()


@pytest.fixture(scope="module")
def chromium():
    with browser() as chromium:
        yield chromium


@pytest.fixture
def look(chromium):
    """Return a function that opens the page; nothing may go wrong in it."""
    contexts, faults = [], []

    def look(
        house, address=None, size=(1200, 900), token=TOKEN, before=lambda page: None, **options
    ):
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, locale="en-GB", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(1000 * TIMEOUT)
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.on(
            "console",
            lambda m: faults.append(m.text) if "Content Security Policy" in m.text else None,
        )
        before(page)
        page.goto((address or house.address) + (f"#token={token}" if token else ""))
        return page

    yield look
    for context in contexts:
        context.close()
    assert faults == []
