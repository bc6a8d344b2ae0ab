import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import archive
from archive import Speed, engine_alone, hear, write_recordings
from rigs.archive import rows


def test_an_hour_of_two_cores_is_two_hours_of_a_core():
    assert Speed(sound=7200.0, wall=60.0, jobs=2, cpu=100.0).hours == 60.0


def test_cpu_time_counts_whatever_the_clock_says():
    assert Speed(sound=7200.0, wall=60.0, jobs=2, cpu=100.0).cpu_hours == 72.0


def test_a_start_is_taken_away_with_the_sound_that_it_heard():
    run, start = Speed(62.0, 10.0, 2, 18.0), Speed(2.0, 4.0, 2, 6.0)
    assert run.without(start) == Speed(60.0, 6.0, 2, 12.0)


def test_all_recordings_are_heard_from_start_to_end(framed_model, tmp_path):
    write_recordings(tmp_path / "in", jobs=2, minutes=0.2)
    speed, quiet = hear(tmp_path / "in", framed_model, 2, 0.5, tmp_path / "out")
    heard = [row["duration"] for row in rows(tmp_path / "out", "files")]
    assert heard == [3.0] * 8
    assert (speed.sound, speed.jobs) == (24.0, 2)
    assert quiet.own == speed.cpu > 0


def test_a_run_that_fails_is_no_measurement(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(archive.subprocess.CalledProcessError):
        hear(tmp_path / "in", tmp_path / "nothing", 1, 0.5, tmp_path / "out")


def test_the_engine_alone_hears_a_hop_with_each_window(framed_model):
    often, seldom = (engine_alone(framed_model, 2, hop, 0.1) for hop in (0.01, 1.0))
    assert often.jobs == seldom.jobs == 2
    assert often.hours < seldom.hours
