"""`ast-edge archive`, as it is called."""

import json

import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
from rigs.archive import bulk, job_of
from rigs.model import RATE, silence, tone

from ast_edge.cli.main import main
from ast_edge.model.bundle import load_bundle


@pytest.fixture(scope="module")
def results(framed_model, tmp_path_factory):
    """The results of a run; do not change them."""
    folder = tmp_path_factory.mktemp("in")
    sound = np.concatenate([silence(1), tone("Hum", 2), silence(3), tone("Hiss", 1), silence(1)])
    soundfile.write(folder / "20240601_053000.wav", sound, RATE)
    soundfile.write(folder / "undated.wav", sound, RATE)
    (folder / "bad.wav").write_text("bad")
    out = tmp_path_factory.mktemp("results") / "out"
    bulk(job_of(load_bundle(framed_model)), folder, out)
    return out


def test_a_summary_has_a_bar_for_each_label_and_day(results, capsys):
    assert main(["archive", "summary", str(results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 recordings, 16 s, 4 events"
    assert lines[1] == "1 unreadable (see errors)"
    assert [line.split()[:2] for line in lines[3:5]] == [["Hiss", "2"], ["Hum", "2"]]
    assert "█" * 40 in lines[3]
    assert lines[6].split()[:2] == ["2024-06-01", "2"]
    assert lines[7] == "2 events of no known day"


def test_a_summary_is_json_if_asked(results, capsys):
    assert main(["archive", "summary", str(results), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["events"] == {"Hiss": 2, "Hum": 2}
    assert found["errors"] == {"unreadable": 1}


def test_an_export_prints_where_it_is(results, tmp_path, capsys):
    place = tmp_path / "events.csv"
    assert main(["archive", "summary", str(results), "--export", "csv", "--to", str(place)]) == 0
    assert capsys.readouterr().out.strip() == str(place)
    assert len(place.read_text().splitlines()) == 5


def test_merge_says_how_many_rows_there_are(results, tmp_path, capsys):
    assert main(["archive", "merge", str(results), "--out", str(tmp_path / "whole")]) == 0
    assert "4  events" in capsys.readouterr().out


def test_a_folder_that_holds_no_results_is_65(tmp_path, capsys):
    assert main(["archive", "summary", str(tmp_path)]) == 65
    assert "expected a folder that `ast-edge tag` or `replay`" in capsys.readouterr().err


def test_a_place_without_an_export_is_a_mistake_in_the_command(results):
    with pytest.raises(SystemExit) as caught:
        main(["archive", "summary", str(results), "--to", "x"])
    assert caught.value.code == 2
