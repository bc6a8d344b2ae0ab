import numpy as np
import pytest
from rigs.full_disk import files_end_at

from ast_training.base.errors import TrainingError
from ast_training.soundscapes.example_cache import ExampleCache

SHAPES = [(4, 3), (2,), (0, 2)]


@pytest.fixture
def cache(tmp_path):
    return ExampleCache(tmp_path / "examples")


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]


def test_what_was_saved_is_loaded(cache):
    cache.save(3, 7, arrays())
    for before, after in zip(arrays(), cache.load(3, 7, SHAPES), strict=True):
        assert after.dtype == np.float32
        np.testing.assert_allclose(after, before, atol=2e-3)


def test_what_was_not_saved_is_not_there(cache):
    assert cache.load(3, 7, SHAPES) is None


def test_what_is_damaged_is_not_there(cache):
    cache.save(3, 7, arrays())
    (path,) = cache.folder.rglob("*.npy")
    path.write_bytes(path.read_bytes()[:-3])
    assert cache.load(3, 7, SHAPES) is None


def test_what_has_other_shapes_is_not_there(cache):
    cache.save(3, 7, arrays())
    assert cache.load(3, 7, [(5, 3), (2,), (0, 2)]) is None


def test_of_the_last_array_one_side_need_not_be_known(cache):
    cache.save(3, 7, [*arrays(), np.ones((3, 5), np.float32)])
    assert cache.load(3, 7, [*SHAPES, (3, -1)])[3].shape == (3, 5)
    assert cache.load(3, 7, [*SHAPES, (4, -1)]) is None


def test_rounds_are_forgotten_from_the_oldest(cache):
    for made_in in range(4):
        cache.save(made_in, 0, arrays())
    cache.forget(before=2)
    assert [cache.load(n, 0, SHAPES) is not None for n in range(4)] == [False, False, True, True]


def test_a_full_disk_is_said_and_leaves_nothing_behind(cache):
    with files_end_at(64), pytest.raises(TrainingError):
        cache.save(0, 0, [np.zeros(1000, np.float32)])
    assert cache.load(0, 0, [(1000,)]) is None
