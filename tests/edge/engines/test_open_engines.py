from dataclasses import replace

import pytest

from ast_edge.base.errors import EngineError
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.open_engines import Engines
from ast_edge.model.bundle import load_bundle


class Engine:
    def __init__(self, bundle, config):
        if bundle.name == "steps":
            raise EngineError("it does not work")
        self.bundle, self.closed = bundle, False

    def close(self):
        self.closed = True


@pytest.fixture
def bundles(tiny_model, other_model):
    return [load_bundle(tiny_model), load_bundle(other_model)]


@pytest.fixture
def made():
    return []


@pytest.fixture
def engines(made):
    def make(bundle, config):
        made.append(Engine(bundle, config))
        return made[-1]

    return Engines(EngineConfig(), make)


def test_each_bundle_has_an_engine_that_is_opened_once(engines, made, bundles):
    engines.open(bundles[:1])
    engines.open(bundles)
    assert [engine.bundle for engine in made] == bundles
    assert [engines[bundle.folder] for bundle in bundles] == made


def test_an_engine_that_nobody_needs_any_more_is_closed_alone(engines, made, bundles):
    engines.open(bundles)
    engines.keep(bundles[1:])
    assert [engine.closed for engine in made] == [True, False]
    assert list(engines) == [bundles[1].folder]


def test_of_several_the_one_that_cannot_be_opened_is_named_and_none_stays(
    engines, made, bundles, framed_model
):
    broken = replace(load_bundle(framed_model), name="steps")
    with pytest.raises(EngineError, match=r"^bundle 'steps': it does not work"):
        engines.open([*bundles, broken])
    assert [engine.closed for engine in made] == [True, True]
    assert not engines


def test_a_single_one_that_cannot_be_opened_says_why_alone(engines, framed_model):
    broken = replace(load_bundle(framed_model), name="steps")
    with pytest.raises(EngineError, match=r"^it does not work"):
        engines.open([broken])


def test_all_are_closed_in_the_end(engines, made, bundles):
    engines.open(bundles)
    engines.close()
    assert [engine.closed for engine in made] == [True, True]
