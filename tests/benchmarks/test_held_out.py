import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
from parts.held_out import label_aps, open_held_out
from rigs.model import silence
from rigs.training.packs import Pack, make_recipe

from ast_edge.model.bundle import load_bundle

LABELS = {"Hum": "/m/01swy6", "Hiss": "/m/07plz5l"}
CHOSEN = [0, 1, 2]
SCORES = np.float32([[0.1, 0.3], [0.9, 0.2], [0.2, 0.9]])
"""Of a hum, of a hiss in which a hum may sound, and of a hiss."""


@pytest.fixture
def held_out(tmp_path, framed_model):
    """Three recordings of whose labels all is known but one, and a fourth that nobody chose."""
    known, open_ = Pack(tmp_path / "known"), Pack(tmp_path / "open")
    known.add("a.wav", "hum", silence(1), source="a")
    open_.add("b.wav", "hiss", silence(1), source="b")
    known.add("c.wav", "hiss", silence(1), source="c")
    known.add("d.wav", "hum", silence(1), source="d")
    config = {"group": "source", "test_share": 1.0, "labels": {"hum": "Hum", "hiss": "Hiss"}}
    packs = {"known": known.config(**config), "open": open_.config(**config, may=["Hum"])}
    recipe = make_recipe(packs, labels=LABELS)
    held_out = open_held_out(recipe, load_bundle(framed_model), ["test"], seconds=10.0)
    order = {one.path.name: n for n, one in enumerate(held_out.recordings.recordings)}
    return held_out, [order[name] for name in ("a.wav", "b.wav", "c.wav")]


def test_a_label_that_may_sound_counts_neither_for_nor_against_it(held_out):
    of_all, chosen = held_out
    np.testing.assert_allclose(label_aps(of_all, SCORES, chosen), [1 / 2, (1 + 2 / 3) / 2])
