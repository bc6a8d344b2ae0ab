import pytest

from ast_edge.detection.groups import Group
from ast_edge.evaluation.errors import EvaluationError
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.truth.annotations import (
    Annotation,
    find_labels,
    list_files,
    match_recordings,
    read_annotations,
    references,
)
from ast_edge.model.bundle import load_bundle

HEADER = "filename\tonset\toffset\tevent_label\n"


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "events.tsv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path, encoding):
    (tmp_path / "events.tsv").write_text(HEADER + "a.wav\t0\t1\tHum\n", encoding=encoding)
    assert list(read_annotations(tmp_path / "events.tsv")) == ["a.wav"]


def test_events_are_read_by_file(write):
    path = write(HEADER + "a.wav\t1.5\t2\tHum\nb.wav\t0\t1\tHiss\na.wav\t4\t5.25\tHiss\n")
    assert read_annotations(path) == {
        "a.wav": [Annotation("Hum", Span(1.5, 2)), Annotation("Hiss", Span(4, 5.25))],
        "b.wav": [Annotation("Hiss", Span(0, 1))],
    }


@pytest.mark.parametrize("row", ["quiet.wav\t\t\t\n", "quiet.wav\n"], ids=["tabs", "name alone"])
def test_a_row_with_a_filename_alone_is_a_recording_without_events(write, row):
    assert read_annotations(write(HEADER + row)) == {"quiet.wav": []}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("filename,onset,offset,event_label\n", "tabs between"),
        (HEADER, "got none"),
        (HEADER + "\t1\t2\tHum\n", "line 2: has no filename"),
        (HEADER + "a.wav\tsoon\t2\tHum\n", "line 2: expected seconds"),
        (HEADER + "a.wav\t1\t2\tHum\na.wav\t3\t3\tHum\n", "line 3: expected an onset"),
        (HEADER + "a.wav\t-1\t3\tHum\n", "line 2: expected an onset"),
        (HEADER + "a.wav\t1\tinf\tHum\n", "line 2: expected an onset"),
        (HEADER + "a.wav\t1\tnan\tHum\n", "line 2: expected an onset"),
        (HEADER + "a.wav\t1\t2\t\n", "line 2: has no event_label"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_with_the_line(write, text, said):
    with pytest.raises(EvaluationError, match=said):
        read_annotations(write(text))


def test_a_table_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(EvaluationError, match="No such file"):
        read_annotations(tmp_path / "none.tsv")
    (tmp_path / "b.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EvaluationError, match="not a table of text"):
        read_annotations(tmp_path / "b.tsv")


def test_labels_are_found_by_name_and_by_topic(bundle):
    rows = {"a.wav": [Annotation("Hum", Span(0, 1)), Annotation("hiss", Span(0, 1))]}
    assert find_labels(rows, bundle, bundle.labels, []) == dict(
        zip(["Hum", "hiss"], bundle.labels, strict=True)
    )


def test_an_unknown_label_is_refused_with_the_nearest_match(bundle):
    rows = {"a.wav": [Annotation("Humm", Span(0, 1))]}
    with pytest.raises(EvaluationError, match=r"a\.wav: 'Humm' .* did you mean 'Hum'"):
        find_labels(rows, bundle, bundle.labels, [])


def test_an_ignored_label_may_be_unknown(bundle):
    assert find_labels({"a": [Annotation("Zap", Span(0, 1))]}, bundle, bundle.labels, ["Zap"]) == {}


def test_a_group_sounds_when_a_member_does_and_by_its_own_name(bundle):
    hum, _ = bundle.labels
    group = Group(2, "Any hum", "", (hum,), "max")
    events = [
        Annotation("Any hum", Span(8, 9)),
        Annotation("Hum", Span(5, 6)),
        Annotation("Hiss", Span(1, 2)),
    ]
    names = find_labels({"a": events}, bundle, [*bundle.labels, group], [])
    assert references(events, group, names) == [Span(5, 6), Span(8, 9)]
    assert references(events, hum, names) == [Span(5, 6)]


def test_without_recordings_those_of_the_table_are_meant_beside_it(tmp_path):
    found = match_recordings([], {"x/a.wav": []}, tmp_path / "events.tsv")
    assert found == {tmp_path / "x/a.wav": "x/a.wav"}


def test_a_recording_is_found_by_its_path_or_else_by_its_file_name(tmp_path):
    rows = {"x/a.wav": [], "y/a.wav": [], "b.wav": []}
    table = tmp_path / "events.tsv"
    assert match_recordings([tmp_path / "y/a.wav"], rows, table) == {
        tmp_path / "y/a.wav": "y/a.wav"
    }
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.wav").touch()
    assert match_recordings([elsewhere], rows, table) == {elsewhere / "b.wav": "b.wav"}


def test_a_recording_without_rows_is_no_negative_by_accident(tmp_path):
    rows = {"x/a.wav": [], "y/a.wav": []}
    with pytest.raises(EvaluationError, match=r"no row .* did you mean 'a\.wav'"):
        match_recordings([tmp_path / "aa.wav"], rows, tmp_path / "events.tsv")
    with pytest.raises(EvaluationError, match="could be any of"):
        match_recordings([tmp_path / "a.wav"], rows, tmp_path / "events.tsv")


@pytest.fixture
def mixed(tmp_path):
    """A folder of recordings with a table, a picture and a hidden file beside them."""
    folder = tmp_path / "mixed"
    (folder / "more").mkdir(parents=True)
    for name in ("b.wav", "A.FLAC", "c.mp3", "events.tsv", "cover.jpg", "README", "._b.wav"):
        (folder / name).touch()
    return folder


def test_of_a_folder_only_recordings_are_taken(mixed):
    assert [path.name for path in list_files([mixed])] == ["A.FLAC", "b.wav", "c.mp3"]


def test_what_is_named_by_itself_is_taken_whatever_its_name(mixed):
    assert list(list_files([mixed / "README"])) == [mixed / "README"]


def test_a_folder_without_recordings_is_an_error(mixed):
    for path in list_files([mixed]):
        path.unlink()
    with pytest.raises(
        EvaluationError, match=r"mixed: expected recordings \(.3gp, .*among 4 files"
    ):
        list(list_files([mixed]))


def test_a_table_in_the_folder_of_the_recordings_needs_no_rows(mixed, tmp_path):
    rows = {"A.FLAC": [], "b.wav": [], "c.mp3": []}
    found = match_recordings([mixed], rows, tmp_path / "events.tsv")
    assert sorted(found.values()) == sorted(rows)
