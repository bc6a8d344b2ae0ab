import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ast_training.base.errors import TrainingError
from ast_training.measure.metrics import measure
from ast_training.measure.predictions import Predictions
from ast_training.report.page import write_json, write_report
from ast_training.report.sections import MANY_LABELS
from ast_training.study.results import Result

CURVES = [
    {"epoch": str(e), "lr": "0.001", "loss": f"{1 / e:.3f}", "map": f"{1 - 1 / e:.3f}"}
    for e in range(1, 6)
]
VOID = {"br", "meta"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails at a tag that does not match."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = [], [], [], []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return " ".join(self.text)


def drawn(labels=4, *, single_label=True, clips=120):
    rng = np.random.default_rng(0)
    if single_label:
        targets = np.eye(labels, dtype=np.float32)[rng.integers(0, labels, clips)]
    else:
        targets = (rng.random((clips, labels)) < 0.1).astype(np.float32)
    logits = (rng.normal(size=targets.shape) + 2 * targets).astype(np.float32)
    return Predictions(
        tuple(f"label {i}" for i in range(labels)),
        tuple(f"{i}.wav" for i in range(clips)),
        targets,
        logits,
        "softmax" if single_label else "sigmoid",
    )


def page(tmp_path, predictions, **changes):
    path = tmp_path / "report.html"
    values = {"title": "A model", "predictions": predictions, "metrics": measure(predictions)}
    write_report(path, **values | changes)
    return Page(path)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    def spectrogram(index):
        return np.random.default_rng(index).normal(-6, 3, (98, 32)).astype(np.float32)

    return page(
        tmp_path_factory.mktemp("report"),
        drawn(),
        curves=CURVES,
        details={"machine": "a small one"},
        spectrogram=spectrogram,
        baseline=[Result("published", 0.459)],
        left_out={"cannot be read": 7},
    )


def test_a_page_has_every_section(full):
    headings = re.findall(r"<h2>([^<]+)", full.source)
    assert headings == [
        "Beside others",
        "Training",
        "Labels",
        "Precision and recall",
        "Confusions",
        "Confidently wrong",
        "Confidently right",
    ]


def test_a_page_runs_no_script_and_loads_nothing(full):
    assert not {"script", "link", "iframe", "img"} & set(full.tags)
    links = [value for name, value in full.attributes if name in ("src", "href", "xlink:href")]
    assert [link for link in links if not link.startswith(("#", "data:image/png"))] == []
    assert "@import" not in full.source
    assert "url(http" not in full.source


def test_every_picture_has_a_description(full):
    described = re.findall('<svg role="img" aria-label="[^"]+"', full.source)
    assert len(described) == full.tags.count("svg") > 10


def test_ids_are_unique(full):
    ids = [value for name, value in full.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_headline_figures_are_those_of_the_metrics(full):
    metrics = measure(drawn())
    assert f"{metrics.mean_average_precision:.3f}" in full.text
    assert f"{metrics.mean_auc:.4f}" in full.text
    assert f"{metrics.d_prime:.3f}" in full.text
    assert f"{metrics.accuracy:.3f}" in full.text


def test_a_page_says_what_was_left_out_and_why(full):
    assert "7 clips were left out: cannot be read." in full.words


def test_a_page_names_the_labels_left_out(tmp_path):
    predictions = drawn(5, single_label=False)
    predictions.targets[:, 3] = 0
    words = page(tmp_path, predictions).words
    assert "1 of 5 labels are left out of the means" in words
    assert "every clip does: label 3." in words


def test_names_cannot_become_html(tmp_path):
    evil = '<script>alert("1")</script> & $title'
    set_ = drawn()
    labels, clips = (evil, *set_.labels[1:]), tuple(f"{evil}{clip}" for clip in set_.clips)
    predictions = Predictions(labels, clips, set_.targets, set_.logits, set_.activation)
    found = page(
        tmp_path,
        predictions,
        title=evil,
        details={evil: evil},
        baseline=[Result(evil)],
        left_out={evil: 1},
        spectrogram=lambda index: np.zeros((9, 4), np.float32),
    )
    assert "script" not in found.tags
    assert found.text.count(evil) > 10


def test_labels_stand_from_best_to_worst(full):
    metrics = measure(drawn())
    expected = [metrics.labels[i] for i in np.argsort(-metrics.average_precisions)]
    section = full.source.split("<h2>Labels</h2>")[1].split("<h2>")[0]
    assert re.findall(r'<th scope="row">([^<]+)', section) == expected


def test_few_labels_get_a_curve_each_and_a_confusion_matrix(full):
    section = full.source.split("<h2>Precision and recall</h2>")[1].split("<h2>")[0]
    assert section.count("<svg") == 4
    assert 'class="matrix"' in full.source


def test_of_many_labels_best_median_worst_and_all_pooled_get_a_curve(tmp_path):
    source = page(tmp_path, drawn(MANY_LABELS + 1, single_label=False, clips=400)).source
    section = source.split("<h2>Precision and recall</h2>")[1].split("<h2>")[0]
    captions = re.findall(r"<b>(best|median|worst|all labels pooled)", section)
    assert captions == ["best", "median", "worst", "all labels pooled"]
    assert 'class="matrix"' not in source


def test_a_perfect_model_can_be_reported(tmp_path):
    set_ = drawn()
    perfect = Predictions(set_.labels, set_.clips, set_.targets, set_.targets * 9, "softmax")
    text = page(tmp_path, perfect).text
    assert "No first guess is wrong." in text
    assert "inf" in text  # d'


def test_clips_without_a_frame_are_listed_without_a_spectrogram(tmp_path):
    found = page(tmp_path, drawn(), spectrogram=lambda index: np.empty((0, 32), np.float32))
    assert "Spectrogram of" not in found.source
    assert ".wav" in found.words


def test_a_report_that_cannot_be_written_says_so(tmp_path):
    set_ = drawn()
    with pytest.raises(TrainingError, match="cannot be written: Is a directory"):
        write_report(tmp_path, title="A model", predictions=set_, metrics=measure(set_))


def test_json_has_the_numbers_of_the_page(tmp_path):
    set_ = drawn()
    write_json(
        tmp_path / "report.json",
        title="A model",
        predictions=set_,
        metrics=measure(set_),
        curves=CURVES,
        details={"machine": "a small one"},
        baseline=[Result("published", 0.459)],
        left_out={"cannot be read": 7},
    )
    tree = json.loads((tmp_path / "report.json").read_text())
    assert tree["metrics"] == measure(set_).as_dict()
    assert tree["curves"] == CURVES
    assert tree["left_out_clips"] == {"cannot be read": 7}
    assert tree["baseline"][0]["macro_ap"] == 0.459
    assert tree["confusions"][0].keys() == {"truth", "guess", "clips", "positives"}
    assert len(tree["confidently_wrong"]) == 4
