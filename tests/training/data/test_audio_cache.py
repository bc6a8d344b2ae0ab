import logging
import os
import pickle
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from rigs import tmpfs
from rigs.training.packs import DAMAGES, RATE, Pack, damage, hiss, make_recipe, tone

from ast_edge.base.errors import AudioError
from ast_training.data import decoded_store, segment
from ast_training.data.activity import activities, loud_runs
from ast_training.data.audio_cache import AudioCache, decoded_folder
from ast_training.data.recordings import Recording, read_recordings


@pytest.fixture
def pack(tmp_path):
    return Pack(tmp_path / "pack")


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def decoded(monkeypatch):
    """The names of the recordings that have been decoded, in order."""
    found, read_audio = [], segment.read_audio

    def counting(path, sample_rate):
        found.append(path.name)
        return read_audio(path, sample_rate)

    monkeypatch.setattr(segment, "read_audio", counting)
    return found


def recordings(pack, **settings):
    config = pack.config(labels={"hum": "Hum"}, **settings)
    return read_recordings(make_recipe({"one": config}).pack_set)


def three(pack):
    for number in range(3):
        pack.add(f"{number}.wav", "hum", hiss(number, 0.5 + number / 4, level=0.5))
    return recordings(pack)


def assert_as_in_memory(cache, rows):
    memory = AudioCache(rows, RATE)
    assert cache.recordings == memory.recordings == rows
    assert cache.seconds == memory.seconds
    for index in range(len(rows)):
        np.testing.assert_array_equal(cache.samples(index), memory.samples(index))
        assert cache.active(index) == memory.active(index)


@pytest.mark.parametrize("how", DAMAGES)
def test_recordings_that_cannot_be_used_are_left_out_with_a_warning(pack, caplog, how):
    pack.add("good.wav", "hum", tone(440))
    damage(pack.add("bad.wav", "hum", tone(440)), how)
    with caplog.at_level(logging.WARNING):
        cache = AudioCache(recordings(pack), RATE)
    assert [one.path.name for one in cache.recordings] == ["good.wav"]
    assert len(cache) == 1
    assert "bad.wav" in caplog.text


def test_16_bit_recordings_are_kept_as_they_are(pack):
    pack.add("a.wav", "hum", hiss(0, level=1.0))
    (recording,) = recordings(pack)
    expected, _ = soundfile.read(recording.path, dtype="float32")
    np.testing.assert_array_equal(AudioCache([recording], RATE).samples(0), expected)


def test_samples_beyond_full_scale_are_clipped(tmp_path):
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.array([2.0, -2.0, 0.5]), 16000, subtype="FLOAT")
    cache = AudioCache([Recording(path, "one", (), "g", "train", "events", 0.3)], RATE)
    np.testing.assert_allclose(cache.samples(0), [1.0, -1.0, 0.5], atol=1e-4)


def test_what_sounds_is_found_in_the_samples_that_are_kept(pack):
    quiet = np.concatenate([tone(700, 0.3), np.zeros(3000, np.float32), tone(700, 0.3)])
    pack.add("a.wav", "hum", quiet)
    (recording,) = recordings(pack, pause=0.1)
    cache = AudioCache([recording], RATE)
    assert len(cache.active(0)) == 2
    assert cache.active(0) == activities(loud_runs(cache.samples(0), RATE), 0.1)


# Kept in a folder


def test_what_was_decoded_once_is_not_decoded_again(pack, store, decoded):
    rows = three(pack)
    AudioCache(rows, RATE, store)
    del decoded[:]
    cache = AudioCache(rows, RATE, store)
    assert not decoded
    assert_as_in_memory(cache, rows)


def test_only_what_is_new_is_decoded(pack, store, decoded):
    AudioCache(three(pack), RATE, store)
    pack.add("new.wav", "hum", tone(440))
    del decoded[:]
    cache = AudioCache(rows := recordings(pack), RATE, store)
    assert decoded == ["new.wav"]
    assert_as_in_memory(cache, rows)


def test_another_recording_of_the_same_size_and_time_is_decoded(pack, store, decoded):
    rows = three(pack)
    AudioCache(rows, RATE, store)
    path = rows[0].path
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    soundfile.write(path, tone(440), RATE)
    os.utime(path, ns=times)
    del decoded[:]
    cache = AudioCache(rows, RATE, store)
    assert decoded == [path.name]
    np.testing.assert_allclose(cache.samples(0), tone(440), atol=1e-4)


def test_a_copy_in_the_place_of_a_recording_is_the_same_recording(pack, store, decoded):
    rows = three(pack)
    AudioCache(rows, RATE, store)
    content = rows[0].path.read_bytes()
    rows[0].path.unlink()
    rows[0].path.write_bytes(content)
    os.utime(rows[0].path, (1, 1))
    del decoded[:]
    AudioCache(rows, RATE, store)
    assert not decoded


def test_another_pause_needs_no_decoding(pack, store, decoded):
    AudioCache(three(pack), RATE, store)
    rows = recordings(pack, pause=0.01)
    del decoded[:]
    cache = AudioCache(rows, RATE, store)
    assert not decoded
    assert_as_in_memory(cache, rows)


def test_another_rate_is_kept_beside(pack, store, decoded):
    rows = three(pack)
    for rate in (RATE, 2 * RATE):
        AudioCache(rows, rate, store)
    del decoded[:]
    assert [len(AudioCache(rows, rate, store).samples(0)) for rate in (RATE, 2 * RATE)] == [
        8000,
        16000,
    ]
    assert not decoded


def cut_short(store):
    (path,) = store.glob("*.pcm")
    os.truncate(path, path.stat().st_size - 1000)


def change_a_byte(store):
    (path,) = store.glob("*.pcm")
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"\x55\x55")


def lose_the_samples(store):
    next(store.glob("*.pcm")).unlink()


def cut_the_list(store):
    (path,) = store.glob("*.json")
    os.truncate(path, path.stat().st_size // 2)


def empty_the_list(store):
    next(store.glob("*.json")).write_text("[]")


def of_another_format(store):
    (path,) = store.glob("*.json")
    path.write_text(path.read_text().replace('"format": 1', '"format": 0'))


HARMS = [cut_short, change_a_byte, lose_the_samples, cut_the_list, empty_the_list]


@pytest.mark.parametrize("harm", [*HARMS, of_another_format])
def test_a_damaged_store_is_made_anew(pack, store, decoded, harm):
    rows = three(pack)
    AudioCache(rows, RATE, store)
    harm(store)
    assert_as_in_memory(AudioCache(rows, RATE, store), rows)
    del decoded[:]
    AudioCache(rows, RATE, store)
    assert not decoded


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_store_is_said_once(pack, store, caplog, harm):
    rows = three(pack)
    AudioCache(rows, RATE, store)
    harm(store)
    for _ in range(2):
        AudioCache(rows, RATE, store)
    assert [record.message.split(": ")[1][:7] for record in caplog.records] == ["damaged"]


def test_a_store_that_is_cut_short_while_it_is_read_ends_no_process(pack, store):
    cache = AudioCache(three(pack), RATE, store)
    cut_short(store)
    with pytest.raises(AudioError, match="was cut short; start again"):
        cache.samples(2)


def test_a_store_that_is_deleted_is_read_on(pack, store):
    cache = AudioCache(three(pack), RATE, store)
    before = cache.samples(1)
    for path in store.iterdir():
        path.unlink()
    np.testing.assert_array_equal(cache.samples(1), before)


def test_another_process_gets_no_copy_of_the_samples(pack, store):
    rows = three(pack)
    sent = pickle.dumps(AudioCache(rows, RATE, store))
    assert len(sent) < 8000
    assert_as_in_memory(pickle.loads(sent), rows)  # noqa: S301


def test_of_many_at_once_one_decodes(pack, store, decoded):
    rows = three(pack)
    with ThreadPoolExecutor(3) as pool:
        caches = list(pool.map(lambda _: AudioCache(rows, RATE, store), range(3)))
    assert decoded == ["0.wav", "1.wav", "2.wav"]
    for cache in caches:
        np.testing.assert_array_equal(cache.samples(2), caches[0].samples(2))


@pytest.mark.parametrize("how", DAMAGES)
def test_what_cannot_be_used_is_said_once_and_the_rest_is_kept(pack, store, caplog, decoded, how):
    rows = three(pack)
    damage(rows[1].path, how)
    cache = AudioCache(rows, RATE, store)
    assert [one.path.name for one in cache.recordings] == ["0.wav", "2.wav"]
    assert len(caplog.records) == 1
    del decoded[:]
    AudioCache(rows, RATE, store)
    assert decoded == ["1.wav"]


# Where it cannot be kept


def assert_in_memory(cache, rows, caplog):
    assert_as_in_memory(cache, rows)
    (record,) = caplog.records
    assert "cannot keep decoded recordings, each process keeps them in its memory" in record.message


@pytest.mark.skipif(bool(tmpfs.available()), reason=tmpfs.available())
def test_a_full_disk_costs_memory_and_one_line(pack, store, caplog):
    rows = three(pack)
    with tmpfs.mounted(store, "32k"):
        assert_in_memory(AudioCache(rows, RATE, store), rows, caplog)
        assert not [*store.glob("*.pcm"), *store.glob("*.partial")]


@pytest.mark.skipif(bool(tmpfs.available()), reason=tmpfs.available())
def test_of_a_read_only_disk_what_is_there_is_used(pack, store, caplog, decoded):
    rows = three(pack)
    with tmpfs.mounted(store, "1m"):
        AudioCache(rows[:2], RATE, store)
        subprocess.run(["mount", "-o", "remount,ro", str(store)], check=True)
        del decoded[:]
        cache = AudioCache(rows, RATE, store)
        assert decoded == ["2.wav"]
        assert_in_memory(cache, rows, caplog)


def test_a_file_in_the_place_of_the_folder_costs_memory_and_one_line(pack, store, caplog):
    store.write_text("in the way")
    assert_in_memory(AudioCache(rows := three(pack), RATE, store), rows, caplog)


def test_some_of_the_disk_is_left_free(pack, store, caplog, monkeypatch):
    monkeypatch.setattr(decoded_store, "SPARE_SHARE", 1.0)
    monkeypatch.setattr(decoded_store, "SPARE_BYTES", 1 << 60)
    assert_in_memory(AudioCache(rows := three(pack), RATE, store), rows, caplog)
    assert "of the disk are free" in caplog.text


# What goes by itself


def age(store, seconds):
    for path in store.glob("*.json"):
        os.utime(path, (path.stat().st_mtime - seconds,) * 2)


def kept(store):
    return len([*store.glob("*.pcm")])


def test_what_nobody_uses_goes(pack, store):
    rows = three(pack)
    AudioCache(rows[:1], RATE, store)
    age(store, decoded_store.UNUSED_SECONDS + 60)
    AudioCache(rows[1:], RATE, store)
    assert kept(store) == 1


def test_what_is_used_stays(pack, store):
    rows = three(pack)
    AudioCache(rows[:1], RATE, store)
    age(store, decoded_store.UNUSED_SECONDS + 60)
    AudioCache(rows[:1], RATE, store)
    AudioCache(rows[1:], RATE, store)
    assert kept(store) == 2


def test_what_is_of_recordings_that_are_gone_goes(pack, store):
    rows = three(pack)
    AudioCache(rows[:1], RATE, store)
    age(store, decoded_store.GONE_SECONDS + 60)
    rows[0].path.unlink()
    AudioCache(rows[1:], RATE, store)
    assert kept(store) == 1


def test_what_a_killed_process_left_goes(pack, store):
    store.mkdir()
    for name in ("a.pcm.partial", "b.pcm", "c.json.partial"):
        (store / name).write_bytes(b"left")
    AudioCache(three(pack), RATE, store)
    assert sorted(path.suffix for path in store.iterdir()) == ["", ".json", ".pcm", ".txt"]


def test_a_large_store_has_several_segments(pack, store, monkeypatch, decoded):
    monkeypatch.setattr(segment, "SEGMENT_BYTES", 20_000)
    rows = three(pack)
    AudioCache(rows, RATE, store)
    assert kept(store) == 2
    assert_as_in_memory(AudioCache(rows, RATE, store), rows)


# Where


@pytest.mark.parametrize(
    ("setting", "folder"),
    [
        (None, "/x/ast-train/decoded"),
        ("/data/decoded", "/data/decoded"),
        ("memory", "None"),
    ],
)
def test_the_folder_is_in_the_users_cache_unless_a_recipe_says_otherwise(
    monkeypatch, setting, folder
):
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert str(decoded_folder(setting)) == folder


def test_a_cache_folder_that_is_not_absolute_is_ignored(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "x")
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(decoded_folder(None)) == "/home/someone/.cache/ast-train/decoded"
