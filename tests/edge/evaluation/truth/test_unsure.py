from pathlib import Path

import pytest

from ast_edge.evaluation.errors import EvaluationError
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.truth.unsure import is_undecided, read_unsure
from ast_edge.model.bundle import load_bundle

HEADER = "filename\tonset\toffset\tevent_label\n"


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


def write(folder, *rows):
    folder.mkdir(exist_ok=True)
    table = folder / "unsure.tsv"
    table.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return table


@pytest.mark.parametrize(
    ("detected", "undecided"),
    [
        (Span(10, 12), True),
        (Span(20.4, 22), True),
        (Span(20.6, 22), False),
        (Span(3, 5.6), False),
        (Span(3, 4), False),
    ],
    ids=["within", "missed by little", "elsewhere", "it sounds beside it", "it sounds"],
)
def test_an_event_is_undecided_where_its_sound_may_be_and_is_not_said_to_be(detected, undecided):
    assert is_undecided([Span(2, 5)], [Span(5, 20)], detected) is undecided


def test_tables_are_read_by_recording_and_label(tmp_path, bundle):
    hum, hiss = (bundle.label(name) for name in ("Hum", "Hiss"))
    day, night = tmp_path / "day", tmp_path / "night"
    tables = [
        write(day, "a.wav\t1\t2\tHum", "a.wav\t0\t60\tHiss"),
        write(night, "a.wav\t5\t6\thum", "a.wav\t3\t4\tHum", "other.wav\t0\t1\tHum"),
    ]
    for folder in (day, night):
        (folder / "a.wav").touch()
    paths = [day / "a.wav", night / "a.wav", night / "quiet.wav"]

    found = read_unsure(tables, paths, bundle, [hum, hiss])

    assert found == {
        day / "a.wav": {hum: [Span(1, 2)], hiss: [Span(0, 60)]},
        night / "a.wav": {hum: [Span(3, 4), Span(5, 6)]},
        night / "quiet.wav": {},
    }


def test_recordings_that_lie_elsewhere_are_found_by_their_name(tmp_path, bundle):
    table = write(tmp_path, "scenes/a.wav\t1\t2\tHum")
    hum = bundle.label("Hum")
    assert read_unsure([table], [Path("b/a.wav")], bundle, [hum]) == {
        Path("b/a.wav"): {hum: [Span(1, 2)]}
    }


def test_a_table_of_other_recordings_is_refused(tmp_path, bundle):
    table = write(tmp_path, "c.wav\t1\t2\tHum")
    with pytest.raises(EvaluationError, match=r"names none of the 1 recordings, but .* c\.wav"):
        read_unsure([table], [tmp_path / "a.wav"], bundle, bundle.labels)


def test_a_label_that_the_bundle_does_not_have_is_refused_unless_it_is_ignored(tmp_path, bundle):
    table, paths = write(tmp_path, "a.wav\t1\t2\tHums"), [tmp_path / "a.wav"]
    with pytest.raises(EvaluationError, match="did you mean 'Hum'"):
        read_unsure([table], paths, bundle, bundle.labels)
    assert read_unsure([table], paths, bundle, bundle.labels, ["Hums"]) == {paths[0]: {}}
