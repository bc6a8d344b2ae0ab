"""A daemon with a page, and somebody who knows its token."""

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.page import House, Visitor


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
