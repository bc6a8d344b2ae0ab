import json
import shutil
from dataclasses import replace

import pytest

from ast_edge.base.errors import ConfigError
from ast_edge.cli.main import main as edge
from ast_edge.model.bundle import find_bundle, load_bundle
from ast_export.measurements import read_evaluation, read_robustness

ROBUSTNESS = {
    "robustness": {
        "clean": {"macro_ap": 0.8, "ap": {"Hum": 0.8}},
        "SNR 0 dB": {"macro_ap": 0.4, "ap": {"Hum": 0.4}},
    },
    "confusions": {"Hum": [["Hiss", 0.25], ["Whistle", 0.1]], "Hiss": []},
    "recordings": {"Hum": 8},
}


@pytest.fixture(scope="module")
def home():
    return load_bundle(find_bundle("home"))


@pytest.fixture(scope="module")
def bundle(written):
    return load_bundle(written[0])


def write(path, tree):
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def test_robustness_is_the_macro_ap_of_each_condition(tmp_path, bundle):
    found = read_robustness(write(tmp_path / "r.json", ROBUSTNESS), bundle)
    assert found["robustness"] == {"clean": 0.8, "SNR 0 dB": 0.4}
    assert found["confusions"] == {"Hum": {"Hiss": 0.25, "Whistle": 0.1}, "Hiss": {}}


def test_an_evaluation_is_read_as_the_command_writes_it(tmp_path, audio, home):
    annotations, report = tmp_path / "annotations.tsv", tmp_path / "report.json"
    rows = "filename\tonset\toffset\tevent_label\nhiss.wav\t0.0\t0.2\tDog\n"
    annotations.write_text(rows, encoding="utf-8")
    shutil.copy(audio / "hiss.wav", tmp_path)
    assert edge(["evaluate", "--annotations", str(annotations), "--json", str(report)]) == 0
    written = json.loads(report.read_text(encoding="utf-8"))
    found = read_evaluation(report, home)["evaluation"]
    assert found["labels"]["Dog"]["events"] == 1
    assert found["micro_f1"] == written["micro"]["event_500ms"]["f1"]
    assert found["hours"] == written["hours"]
    assert (found["is_of_this"], found["with_these_thresholds"]) == (True, True)
    other = replace(home, sha256="0" * 64)
    assert read_evaluation(report, other)["evaluation"]["is_of_this"] is False
    tuned = {x: replace(one, on=one.on / 2, off=0.0) for x, one in home.settings.items()}
    found = read_evaluation(report, replace(home, settings=tuned))["evaluation"]
    assert found["with_these_thresholds"] is False
    del written["bundle"], written["settings"]  # as older versions wrote it
    found = read_evaluation(write(report, written), home)["evaluation"]
    assert (found["is_of_this"], found["with_these_thresholds"]) == (False, False)


@pytest.mark.parametrize("read", [read_robustness, read_evaluation])
@pytest.mark.parametrize("tree", [{}, [], {"robustness": 3, "confusions": 1, "hours": "many"}])
def test_what_is_something_else_is_refused_by_name(tmp_path, read, tree, bundle):
    with pytest.raises(ConfigError, match=r"other\.json: expected what .* writes"):
        read(write(tmp_path / "other.json", tree), bundle)


def test_a_file_that_is_not_there_is_refused(tmp_path, bundle):
    with pytest.raises(ConfigError, match=r"none\.json: expected what"):
        read_evaluation(tmp_path / "none.json", bundle)


def test_robustness_is_of_the_graph_that_its_file_names(tmp_path, bundle):
    for sha256 in (bundle.sha256, "0" * 64):
        tree = ROBUSTNESS | {"bundle": {"name": "small", "sha256": sha256}}
        found = read_robustness(write(tmp_path / "r.json", tree), bundle)
        assert found["robustness_is_of_this"] is (sha256 == bundle.sha256)


def test_figures_of_other_labels_are_refused(tmp_path, home):
    with pytest.raises(ConfigError, match=r"r\.json: was measured of other labels: 'Hiss' is none"):
        read_robustness(write(tmp_path / "r.json", ROBUSTNESS), home)


def test_a_byte_order_mark_is_no_part_of_the_figures(tmp_path, bundle):
    (tmp_path / "r.json").write_text(json.dumps(ROBUSTNESS), encoding="utf-8-sig")
    assert read_robustness(tmp_path / "r.json", bundle)["robustness"]["clean"] == 0.8
