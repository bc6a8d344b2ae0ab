import errno
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ast_edge.base.errors import ConfigError
from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.outputs.clip_folder import GRACE, Clip, ClipFolder, clip_name

ID = "0123456789abcdef" * 2
DAY, YEARS = 86400.0, 10 * 366 * 86400.0


def name(number):
    return f"kitchen_dog_20260301T0630{number:02d}Z_{number:032x}.flac"


def clip(number=0, seconds=0.1):
    # Noise: FLAC cannot make it shorter.
    samples = np.random.default_rng(number).integers(-32768, 32768, round(seconds * 16000))
    return Clip(name(number), 16_000, samples.astype(np.int16))


class Clocks:
    """A wall clock and one that cannot be set."""

    def __init__(self):
        self.wall, self.steady = time.time(), 1000.0
        self.options = {"wall": lambda: self.wall, "steady": lambda: self.steady}

    def pass_by(self, seconds):
        self.wall += seconds
        self.steady += seconds


def names(folder):
    return sorted(path.name for path in folder.path.iterdir())


def date(folder, number, unix_time):
    os.utime(folder.path / name(number), (unix_time, unix_time))


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def open_folder(tmp_path):
    def open_folder(**options):
        limits = {"max_age": 3600, "max_bytes": 10**9, "min_free_bytes": 0}
        return ClipFolder(tmp_path / "clips", **limits | options)

    return open_folder


def test_a_clip_is_what_was_heard(open_folder):
    path = open_folder().write(clip())
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 16_000
    assert np.array_equal(samples, clip().samples)


@pytest.mark.parametrize("rate", [1000, 44_100, 65_535, 192_000])
def test_a_clip_has_the_rate_of_its_source(open_folder, rate):
    path = open_folder().write(Clip(name(0), rate, clip().samples))
    samples, found = soundfile.read(path, dtype="int16")
    assert (found, len(samples)) == (rate, 1600)


def test_a_rate_that_flac_lacks_is_converted(open_folder):
    path = open_folder().write(Clip(name(0), 96_001, clip().samples))
    samples, found = soundfile.read(path, dtype="int16")
    assert (found, len(samples)) == (48_000, 800)


def test_what_cannot_be_encoded_is_a_fault_like_a_full_disk(open_folder):
    folder = open_folder()
    with pytest.raises(OSError, match=r"libsndfile: .*sample rate"):
        folder.write(Clip(name(0), 700_000, clip().samples))
    assert list(folder.path.iterdir()) == []


def test_clips_and_their_folder_are_for_this_user_alone(open_folder):
    path = open_folder().write(clip())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_but_the_clip_is_left(open_folder):
    path = open_folder().write(clip())
    assert list(path.parent.iterdir()) == [path]


def test_the_name_has_source_label_onset_and_the_id_of_the_event():
    event = Event(
        ID, "start", "attic-1", Label(0, "Baby cry, infant cry", ""), 1e9, 1e9, 1, 1, "home"
    )
    assert clip_name(event) == f"attic-1_baby_cry_infant_cry_20010909T014640Z_{ID}.flac"


@pytest.mark.parametrize("text", ["../../etc/x", "/etc/x", "a\0b", "x" * 5000, "é/ü", "..", "~"])
def test_no_source_and_no_label_leads_out_of_the_folder(open_folder, text):
    event = Event(ID, "start", text, Label(0, text, ""), 1e9, 1e9, 1, 1, "home")
    path = open_folder().write(Clip(clip_name(event), 16_000, clip().samples))
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize("identifier", ["../" * 10, "", "x" * 32])
def test_an_id_that_is_none_makes_no_name(identifier):
    with pytest.raises(ValueError, match="expected an id"):
        clip_name(Event(identifier, "start", "s", Label(0, "Dog", ""), 1e9, 1e9, 1, 1, "home"))


def test_the_oldest_are_deleted_when_all_are_too_many_bytes(open_folder):
    folder = open_folder(max_bytes=10_000)
    for number in range(6):  # of 3.2 kB each
        path = folder.write(clip(number))
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 100 + number))
    assert sorted(p.name for p in folder.path.iterdir()) == [name(3), name(4), name(5)]


def test_a_clip_that_is_more_than_all_may_be_deletes_nothing(open_folder):
    folder = open_folder(max_bytes=5_000)
    folder.write(clip(0))
    with pytest.raises(OSError, match="more than max_bytes") as caught:
        folder.write(clip(1, seconds=1))
    assert caught.value.errno == errno.EFBIG
    assert [p.name for p in folder.path.iterdir()] == [name(0)]


def test_what_is_too_old_for_an_hour_is_deleted(open_folder, clocks):
    folder = open_folder(max_age=3600)
    for number, age in enumerate([4000, 3000]):
        path = folder.write(clip(number))
        os.utime(path, (0, path.stat().st_mtime - age))
    folder = open_folder(max_age=3600, **clocks.options)
    folder.prune()
    clocks.steady += GRACE
    folder.prune()
    assert names(folder) == [name(1)]


def test_a_clock_that_is_years_ahead_for_a_while_deletes_nothing(open_folder, clocks):
    open_folder().write(clip())
    clocks.wall += YEARS
    folder = open_folder(max_age=7 * DAY, **clocks.options)
    for _ in range(5):
        folder.prune()
        clocks.pass_by(600.0)
    clocks.wall -= YEARS
    for _ in range(10):
        folder.prune()
        clocks.pass_by(600.0)
    assert names(folder) == [name(0)]


@pytest.mark.parametrize("behind", [YEARS, 21 * DAY, None], ids=["years", "weeks", "1970"])
def test_what_is_written_before_the_clock_is_set_has_its_true_age_afterwards(
    open_folder, clocks, behind
):
    right = clocks.wall
    clocks.wall = 60.0 if behind is None else right - behind
    folder = open_folder(max_age=7 * DAY, **clocks.options)
    folder.write(clip())
    date(folder, 0, clocks.wall)
    clocks.pass_by(300.0)
    clocks.wall = right
    folder.prune()
    assert (folder.path / name(0)).stat().st_mtime == pytest.approx(right - 300.0, abs=1.0)
    clocks.pass_by(6 * DAY)
    folder.prune()
    clocks.pass_by(GRACE)
    folder.prune()
    assert names(folder) == [name(0)]
    clocks.pass_by(DAY)
    folder.prune()
    clocks.pass_by(GRACE)
    folder.prune()
    assert names(folder) == []


@pytest.mark.parametrize("wrong", [60.0, 5e9], ids=["1970", "2128"])
def test_what_another_run_has_written_by_a_wrong_clock_ages_from_now_on(open_folder, clocks, wrong):
    folder = open_folder(max_age=7 * DAY, **clocks.options)
    open_folder().write(clip())
    date(folder, 0, wrong)
    folder.prune()
    clocks.pass_by(GRACE)
    folder.prune()
    assert (folder.path / name(0)).stat().st_mtime == pytest.approx(clocks.wall, abs=1.0)
    clocks.pass_by(7 * DAY + 1)
    folder.prune()
    clocks.pass_by(GRACE)
    folder.prune()
    assert names(folder) == []


def test_by_a_clock_that_was_never_set_nothing_is_old_or_of_the_future(open_folder, clocks):
    open_folder().write(clip())
    before = clocks.wall
    clocks.wall = 60.0
    folder = open_folder(max_age=60, **clocks.options)
    for _ in range(100):
        folder.prune()
        clocks.pass_by(600.0)
    assert (folder.path / name(0)).stat().st_mtime == pytest.approx(before, abs=60.0)


def test_the_clips_of_this_run_are_the_newest_whatever_the_clock_says(open_folder, clocks):
    open_folder().write(clip(0))
    folder = open_folder(max_bytes=7_000, **clocks.options)
    for number in (1, 2):
        folder.write(clip(number))
        date(folder, number, 60.0 + number)
    folder.prune()
    assert names(folder) == [name(1), name(2)]


def test_files_of_others_are_never_touched(open_folder):
    folder = open_folder(max_age=60, max_bytes=10_000)
    for other in ("song.flac", "notes.txt", "x_y_20260301T063000Z_1.flac.partial"):
        (folder.path / other).write_bytes(bytes(20_000))
        os.utime(folder.path / other, (0, 0))
    folder.write(clip())
    open_folder()
    assert len(list(folder.path.iterdir())) == 4


def test_what_a_killed_run_has_left_half_written_is_deleted(open_folder):
    folder = open_folder()
    (folder.path / (name(1) + ".partial")).write_bytes(b"fLaC")
    open_folder()
    assert list(folder.path.iterdir()) == []


def test_nothing_is_written_through_a_link(open_folder, tmp_path):
    folder = open_folder()
    (tmp_path / "victim").write_text("precious")
    (folder.path / (name(0) + ".partial")).symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        folder.write(clip())
    assert (tmp_path / "victim").read_text() == "precious"


def test_so_many_bytes_stay_free(open_folder):
    folder = open_folder(min_free_bytes=1 << 60)
    with pytest.raises(OSError, match="min_free_bytes") as caught:
        folder.write(clip())
    assert caught.value.errno == errno.ENOSPC
    assert list(folder.path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_configuration_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"clips\.folder: .*cannot be made: Not a directory"):
        ClipFolder(tmp_path / "file" / "clips", max_age=1, max_bytes=1, min_free_bytes=0)


@pytest.fixture
def tiny_disk(tmp_path):
    """A real file system of 64 KiB."""
    if os.geteuid():
        pytest.skip("only root may mount a tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.root
def test_a_full_disk_leaves_no_half_clip_and_the_next_one_fits(tiny_disk: Path):
    folder = ClipFolder(tiny_disk, max_age=3600, max_bytes=10**9, min_free_bytes=0)
    (tiny_disk / "other").write_bytes(bytes(40_000))
    with pytest.raises(OSError, match="No space left"):
        folder.write(clip(seconds=1))  # 32 kB
    assert [p.name for p in tiny_disk.iterdir()] == ["other"]
    (tiny_disk / "other").unlink()
    assert folder.write(clip(seconds=1)).exists()
