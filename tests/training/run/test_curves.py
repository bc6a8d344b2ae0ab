import pytest
from rigs.full_disk import files_end_at
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ast_training.base.errors import TrainingError
from ast_training.run.curves import Curves


def write(folder, points, step=0):
    curves = Curves(folder, step)
    for at, value in points.items():
        curves.add(at, {"loss": value, "lr": 0.125})
    curves.close()


def read(folder, tag="loss"):
    events = EventAccumulator(str(folder))
    events.Reload()
    return {event.step: event.value for event in events.Scalars(tag)}


def test_tensorboard_reads_back_what_was_written(tmp_path):
    write(tmp_path / "new folder", {20: 0.5, 40: 0.25})
    assert read(tmp_path / "new folder") == {20: 0.5, 40: 0.25}
    assert read(tmp_path / "new folder", "lr") == {20: 0.125, 40: 0.125}


def test_a_point_can_be_read_at_once(tmp_path):
    curves = Curves(tmp_path, 0)
    curves.add(20, {"loss": 0.5})
    assert read(tmp_path) == {20: 0.5}
    curves.close()


def test_curves_go_on_in_another_file(tmp_path):
    write(tmp_path, {20: 0.5, 40: 0.25})
    write(tmp_path, {60: 0.125}, step=50)
    assert read(tmp_path) == {20: 0.5, 40: 0.25, 60: 0.125}


def test_points_of_work_that_was_lost_do_not_stay(tmp_path):
    write(tmp_path, {20: 1.0, 40: 1.0, 60: 1.0})
    write(tmp_path, {40: 0.5}, step=30)
    assert read(tmp_path) == {20: 1.0, 40: 0.5}


def test_the_points_of_the_step_it_goes_on_from_stay(tmp_path):
    write(tmp_path, {20: 0.5, 40: 0.25})
    write(tmp_path, {60: 0.125}, step=40)
    assert read(tmp_path) == {20: 0.5, 40: 0.25, 60: 0.125}


def test_a_full_disk_is_one_line(tmp_path):
    curves = Curves(tmp_path, 0)
    with files_end_at(1), pytest.raises(TrainingError) as caught:
        curves.add(20, {"loss": 0.5})
    assert str(caught.value).endswith(": cannot be written: File too large")
    curves.close()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="cannot be written: Not a directory"):
        Curves(tmp_path / "file" / "curves", 0)
