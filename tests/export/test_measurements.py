import json
import shutil

import pytest

from ast_edge.cli.main import main as edge
from ast_edge.errors import ConfigError
from ast_export.measurements import read_evaluation, read_robustness

ROBUSTNESS = {
    "robustness": {
        "clean": {"macro_ap": 0.8, "ap": {"Hum": 0.8}},
        "SNR 0 dB": {"macro_ap": 0.4, "ap": {"Hum": 0.4}},
    },
    "confusions": {"Hum": [["Hiss", 0.25], ["Whistle", 0.1]], "Hiss": []},
    "recordings": {"Hum": 8},
}


def write(path, tree):
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def test_robustness_is_the_macro_ap_of_each_condition(tmp_path):
    found = read_robustness(write(tmp_path / "r.json", ROBUSTNESS))
    assert found["robustness"] == {"clean": 0.8, "SNR 0 dB": 0.4}
    assert found["confusions"] == {"Hum": {"Hiss": 0.25, "Whistle": 0.1}, "Hiss": {}}


def test_an_evaluation_is_read_as_the_command_writes_it(tmp_path, audio):
    annotations, report = tmp_path / "annotations.tsv", tmp_path / "report.json"
    rows = "filename\tonset\toffset\tevent_label\nhiss.wav\t0.0\t0.2\tDog\n"
    annotations.write_text(rows, encoding="utf-8")
    shutil.copy(audio / "hiss.wav", tmp_path)
    assert edge(["evaluate", "--annotations", str(annotations), "--json", str(report)]) == 0
    written = json.loads(report.read_text(encoding="utf-8"))
    found = read_evaluation(report)["evaluation"]
    assert found["labels"]["Dog"]["events"] == 1
    assert found["micro_f1"] == written["micro"]["event_500ms"]["f1"]
    assert found["hours"] == written["hours"]
    assert (found["recordings"], found["annotations"]) == (1, written["annotations"])


@pytest.mark.parametrize("read", [read_robustness, read_evaluation])
@pytest.mark.parametrize("tree", [{}, [], {"robustness": 3, "confusions": 1, "hours": "many"}])
def test_what_is_something_else_is_refused_by_name(tmp_path, read, tree):
    with pytest.raises(ConfigError, match=r"other\.json: expected what .* writes"):
        read(write(tmp_path / "other.json", tree))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.json: expected what"):
        read_evaluation(tmp_path / "none.json")
