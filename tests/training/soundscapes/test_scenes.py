import csv

import pytest
import soundfile
from rigs.training.soundscapes import make_composer, whistle_and_hum

from ast_training.soundscapes.composer import PlacedEvent
from ast_training.soundscapes.scenes import merged, write_scenes
from ast_training.soundscapes.sheet import write_sheet


def scenes(tmp_path, labels):
    return write_scenes(
        make_composer(whistle_and_hum(tmp_path)),
        tmp_path / "scenes",
        labels,
        minutes=3,
        events=1.5,
        others=0.5,
        seed=7,
    )


@pytest.fixture
def annotations(tmp_path):
    return scenes(tmp_path, {0: "Whistle", 1: "Hum"})


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_every_recording_of_a_minute_is_annotated(annotations):
    names = {row["filename"] for row in rows_of(annotations)}
    assert names == {"scene-0000.flac", "scene-0001.flac", "scene-0002.flac"}
    assert {soundfile.info(annotations.parent / name).duration for name in names} == {60.0}


def test_rows_say_what_sounds_when(annotations):
    events = [row for row in rows_of(annotations) if row["onset"]]
    assert {row["event_label"] for row in events} <= {"Whistle", "Hum"}
    assert events
    assert all(0 <= float(row["onset"]) < float(row["offset"]) <= 60 for row in events)


def test_what_may_sound_is_in_a_table_beside(tmp_path):
    packs = whistle_and_hum(tmp_path)
    packs["sounds"]["may"] = ["Hum"]
    folder, labels = tmp_path / "scenes", {0: "Whistle", 1: "Hum"}
    whistles = [
        row
        for row in rows_of(
            write_scenes(
                make_composer(packs), folder, labels, minutes=3, events=1.5, others=0, seed=7
            )
        )
        if row["event_label"] == "Whistle"
    ]
    unsure = rows_of(folder / "unsure.tsv")
    assert whistles
    assert [row for row in unsure if row["event_label"]] == [
        row | {"event_label": "Hum"} for row in whistles
    ]
    assert {row["filename"] for row in unsure} == {f"scene-000{n}.flac" for n in range(3)}


def test_only_labels_that_are_named_are_annotated(tmp_path):
    rows = rows_of(scenes(tmp_path, {1: "Hum"}))
    assert {row["event_label"] for row in rows} - {""} == {"Hum"}
    assert {row["filename"] for row in rows} == {f"scene-000{n}.flac" for n in range(3)}


def test_sounds_of_a_label_with_a_short_pause_are_one_event():
    barks = [PlacedEvent(0, 1.0, 1.5), PlacedEvent(0, 2.0, 2.5), PlacedEvent(0, 4.0, 4.5)]
    assert merged(barks) == [PlacedEvent(0, 1.0, 2.5), PlacedEvent(0, 4.0, 4.5)]


def test_sounds_of_different_labels_stay_apart():
    both = [PlacedEvent(0, 1.0, 3.0), PlacedEvent(1, 1.5, 2.0)]
    assert merged(both) == both


def test_a_sheet_shows_the_recordings(annotations, tmp_path):
    sheet = write_sheet(annotations, tmp_path / "sheet.png", rows=2)
    assert sheet.read_bytes().startswith(b"\x89PNG")
