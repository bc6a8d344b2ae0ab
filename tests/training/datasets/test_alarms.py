import csv
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from ast_training.data.activity import activities, loud_runs
from ast_training.datasets.alarms import SAMPLE_RATE, alarm, write_alarms


def alarms_of(kind, count=5):
    rng, found = np.random.default_rng(0), []
    while len(found) < count:
        label, samples = alarm(rng)
        if label == kind:
            found.append(samples)
    return found


@pytest.mark.parametrize(
    ("kind", "tones", "tone", "pause"), [("smoke", 3, 0.5, 0.5), ("carbon_monoxide", 4, 0.1, 0.1)]
)
def test_tones_come_by_the_standards_pattern(kind, tones, tone, pause):
    for samples in alarms_of(kind):
        first = activities(loud_runs(samples, SAMPLE_RATE), 0.05)[:tones]
        lengths = [one.offset - one.onset for one in first]
        gaps = [b.onset - a.offset for a, b in pairwise(first)]
        assert lengths == pytest.approx([tone] * tones, rel=0.1, abs=0.03)
        assert gaps == pytest.approx([pause] * (tones - 1), rel=0.1, abs=0.03)


def test_alarms_sound_at_3_khz_or_520_hz():
    for samples in alarms_of("smoke", 12):
        hertz = np.abs(np.fft.rfft(samples)).argmax() * SAMPLE_RATE / len(samples)
        assert 2700 < hertz < 3600 or 500 < hertz < 540


def test_recordings_and_their_table_are_written(tmp_path):
    table = write_alarms(tmp_path / "alarms", 3, seed=1)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    for row in rows:
        assert soundfile.info(table.parent / row["filename"]).samplerate == SAMPLE_RATE


def test_the_same_seed_writes_the_same_recordings(tmp_path):
    first, second = (write_alarms(tmp_path / name, 2, seed=1).parent for name in "ab")
    for path in first.glob("*.flac"):
        assert path.read_bytes() == (second / path.name).read_bytes()
