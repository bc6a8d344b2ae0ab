import csv

import pytest
from rigs.full_disk import files_end_at
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ast_training.base.errors import TrainingError
from ast_training.run.folder import RunFolder
from ast_training.run.log import RunLog, read_rows


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def row(epoch, score=0.5, accuracy=None):
    return {
        "epoch": epoch,
        "loss": 0.25,
        "map": score,
        "accuracy": accuracy,
        "clips_per_second": 8.0,
    }


def write(run, rows, *, epoch=0, step=0):
    log = RunLog(run, epoch=epoch, step=step)
    for number, values in enumerate(rows, 1):
        log.epoch(step + number, values)
    log.close()
    return log


def epochs_in(run):
    with run.metrics.open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def curve(run, tag):
    events = EventAccumulator(str(run.curves))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


# The table


def test_every_epoch_is_a_row(run):
    write(run, [row(1), row(2)])
    assert epochs_in(run) == [1, 2]


def test_what_is_not_defined_is_left_empty(run):
    write(run, [row(1, accuracy=None)])
    assert read_rows(run.metrics)[0]["accuracy"] == ""


def test_epochs_are_counted_since_the_first_of_the_best(run):
    log = write(run, [row(1, 0.25), row(2, 0.75), row(3, 0.5), row(4, 0.75)])
    assert log.epochs_since_best("map") == 2
    assert log.epochs_since_best("accuracy") == 0  # no epoch has one


def test_a_run_that_goes_on_knows_its_best_epoch(run):
    write(run, [row(1, 0.75), row(2, 0.5)])
    log = RunLog(run, epoch=2, step=2, active=False)
    assert log.epochs_since_best("map") == 1


def test_the_rows_stay_when_the_run_goes_on(run):
    write(run, [row(1), row(2)])
    write(run, [row(3)], epoch=2, step=2)
    assert epochs_in(run) == [1, 2, 3]


def test_an_epoch_that_is_done_again_replaces_its_row(run):
    write(run, [row(1), row(2, 0.25)])
    write(run, [row(2, 0.75)], epoch=1, step=1)
    assert [float(row["map"]) for row in read_rows(run.metrics)] == [0.5, 0.75]


def test_a_table_with_other_columns_is_gone_on_with(run):
    run.metrics.write_text("epoch,loss,old\n1,0.5,7\n")
    write(run, [row(2)], epoch=1)
    assert [r["map"] for r in read_rows(run.metrics)] == ["", "0.5"]


def test_there_are_no_rows_before_the_first_epoch(run):
    assert read_rows(run.metrics) == []


def test_the_best_is_the_highest_of_all_rows(run):
    write(run, [row(1, 0.75), row(2, 0.25)])
    assert write(run, [row(3, 0.5)], epoch=2).best("map") == 0.75


def test_the_best_is_nothing_at_the_start_and_where_nothing_is_defined(run):
    log = write(run, [])
    assert log.best("map") == 0
    assert write(run, [row(1, accuracy=None)]).best("accuracy") == 0


def test_a_line_says_how_the_epoch_went(run):
    log = write(run, [row(1, 0.75), row(12, 0.5, accuracy=0.9)])
    assert log.line("map") == (
        "epoch  12  loss 0.2500  map 0.500  accuracy 0.900  best 0.750  8 clips/s"
    )


def test_a_line_says_how_events_were_found_where_they_were(run):
    figures = {"events": 0.25, "events_macro": 0.125, "psds1": 0.5, "false_alarms": None}
    line = write(run, [row(1, 0.75) | figures]).line("events")
    assert "map 0.750  events 0.250  events_macro 0.125  psds1 0.500  best 0.250" in line


def test_a_figure_of_zero_is_said(run):
    assert "map 0.000" in write(run, [row(1, 0.0)]).line("map")


def test_a_table_that_cannot_be_written_is_one_line_and_leaves_the_one_before(run):
    log = write(run, [row(1)])
    before = run.metrics.read_bytes()
    log = RunLog(run, epoch=1, step=1)
    with files_end_at(1), pytest.raises(TrainingError, match=r"metrics.csv: cannot be written: "):
        log.epoch(2, row(2))
    log.close()
    assert run.metrics.read_bytes() == before


# The curves


def test_the_curves_of_training_and_of_epochs_can_be_read_back(run):
    log = RunLog(run, epoch=0, step=0)
    log.step(20, {"loss": 0.5})
    log.step(40, {"loss": 0.25})
    log.epoch(40, row(1, 0.75))
    log.close()
    assert curve(run, "train/loss") == [(20, 0.5), (40, 0.25)]
    assert curve(run, "epoch/map") == [(40, 0.75)]


def test_a_log_that_is_not_active_writes_nothing_but_knows_the_rows(run):
    log = RunLog(run, epoch=0, step=0, active=False)
    log.step(20, {"loss": 0.5})
    log.epoch(20, row(1))
    log.close()
    assert list(run.path.iterdir()) == []
    assert log.best("map") == 0.5
