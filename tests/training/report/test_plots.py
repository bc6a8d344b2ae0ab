import base64
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from ast_training.report import plots

ROWS = [
    {"epoch": "1", "lr": "0.001", "loss": "0.7", "map": "0.2", "accuracy": "", "seconds": "9"},
    {"epoch": "2", "lr": "0.0005", "loss": "0.5", "map": "0.4", "accuracy": "0.5", "seconds": "9"},
]


@pytest.fixture(scope="module")
def picture():
    fbank = np.random.default_rng(0).normal(-6, 3, (98, 16)).astype(np.float32)
    return plots.spectrogram(fbank, 0.01, 'a "dog" <& cat>')


def texts(svg):
    return [e.text for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}text")]


def test_a_picture_is_well_formed_and_described(picture):
    root = ElementTree.fromstring(picture)
    assert (root.get("role"), root.get("aria-label")) == ("img", 'a "dog" <& cat>')


def test_pictures_do_not_change_from_run_to_run():
    assert plots.training_curves(ROWS) == plots.training_curves(ROWS)


def test_ids_differ_between_pictures():
    curve = (np.array([1.0, 0.5, 0.0]), np.array([0.5, 1.0, 1.0]))
    ids = [set(re.findall(r' id="([^"]+)"', plots.precision_recall(*curve, name))) for name in "ab"]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_colours_are_those_of_the_page(picture):
    assert "var(--ink)" in picture
    for svg in [picture, *plots.training_curves(ROWS)]:
        assert not re.search(r"#0[1-4]0[1-4]0[1-4]", svg)


def test_training_has_a_panel_for_loss_metrics_and_learning_rate():
    titles = [texts(svg) for svg in plots.training_curves(ROWS)]
    assert ["loss" in t for t in titles] == [True, False, False]
    assert ["metric" in t and "accuracy" in t for t in titles] == [False, True, False]
    assert ["learning rate" in t for t in titles] == [False, False, True]


def test_columns_that_a_run_lacks_get_no_panel():
    assert len(plots.training_curves([{"epoch": "1", "loss": "0.7", "map": ""}])) == 1


def test_a_spectrogram_has_seconds_and_mel_bins(picture):
    assert {"time in s", "mel bin", "0.8", "15"} <= set(texts(picture))


def test_a_spectrogram_is_in_the_page_itself(picture):
    (data,) = re.findall(r'href="data:image/png;base64,([^"]+)"', picture)
    assert base64.b64decode(data).startswith(b"\x89PNG")


def test_silence_can_be_drawn():
    plots.spectrogram(np.full((20, 16), -15.9424, np.float32), 0.01, "silence")


def test_a_long_curve_keeps_its_ends_and_its_shape():
    recall = np.repeat(np.linspace(1, 0, 2001), 3)
    precision = 1 - recall**3
    thin_recall, thin_precision = plots._thinned(recall, precision)
    assert len(thin_recall) <= plots.CURVE_POINTS + 1
    assert (thin_recall[0], thin_recall[-1]) == (1, 0)
    found = np.interp(recall[::-1], thin_recall[::-1], thin_precision[::-1])
    np.testing.assert_allclose(found, precision[::-1], atol=0.01)
