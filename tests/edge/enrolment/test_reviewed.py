"""What a sound is learnt from, by what people said of events."""

import numpy as np
import pytest
import soundfile
from rigs.model import RATE, tone
from rigs.reviews import clip_of, said, write_reviews

from ast_edge.enrolment import reviewed
from ast_edge.enrolment.embedder import Embedded
from ast_edge.enrolment.errors import EnrolmentError
from ast_edge.enrolment.negatives import Negatives, beside
from ast_edge.enrolment.reviewed import read_reviewed
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.outputs.reviews import read_reviews


@pytest.fixture
def read(tmp_path):
    """Read reviews, with a clip of each number; return what is to be learnt of a name."""

    def read(*lines, clips=range(60), name="Hum"):
        for number in clips:
            soundfile.write(clip_of(tmp_path, number), tone("Hum", 0.5), RATE)
        lines = [line | {"clip": str(clip_of(tmp_path, int(line["id"], 16)))} for line in lines]
        book = read_reviews(write_reviews(tmp_path / "r.jsonl", *lines))
        return read_reviewed(book, name, FbankSpec())

    return read


def numbers(paths):
    return [int(str(path).rsplit("_", 1)[1].removesuffix(".flac"), 16) for path in paths]


def test_events_that_were_it_are_takes_and_what_was_wrongly_it_are_mistakes(read):
    sound = read(
        said(1),
        said(2, "wrong"),
        said(3, "other", true="Hiss"),
        said(4, "other", label="Hiss", slug="hiss", true="Hum"),
        said(5, "wrong", label="Hiss", slug="hiss"),
        said(6, label="Hiss", slug="hiss"),
    )
    assert numbers(take.name for take in sound.takes) == [1, 4]
    assert numbers(sound.mistakes) == [2, 3]
    assert sound.notes == []


def test_clips_that_are_gone_or_damaged_are_left_out_and_said(read, tmp_path):
    clip_of(tmp_path, 2).write_bytes(b"fLaC")
    sound = read(*[said(number) for number in (1, 2, 3)], clips=[1])
    assert numbers(take.name for take in sound.takes) == [1]
    gone, damaged = sound.notes
    assert "no clip of 1 of the events (Hum 1): sound is kept only where `clips:` is on" in gone
    assert damaged.startswith(f"left out: {clip_of(tmp_path, 2)}")


def test_without_any_clip_nothing_is_learnt(read):
    with pytest.raises(EnrolmentError, match=r"none of 2 events.*only where `clips:` is on"):
        read(said(1), said(2), clips=[])


def test_a_sound_that_nothing_was_reviewed_as_is_refused(read):
    with pytest.raises(EnrolmentError, match=r"reviewed as 'Bell', got Hum 1; --reviewed-as"):
        read(said(1), name="Bell")


def test_the_newest_takes_are_learnt_from(read, monkeypatch):
    monkeypatch.setattr(reviewed, "MOST_TAKES", 2)
    sound = read(said(3), said(1), said(2))
    assert numbers(take.name for take in sound.takes) == [2, 3]
    assert sound.notes == ["of 3 clips the newest 2 are learnt from"]


def test_windows_that_keep_more_steps_stand_beside_those_of_a_bank():
    def windows(count, steps):
        frame = np.arange(count * steps, dtype=np.float32).reshape(count, steps, 1)
        follows, stretch = np.zeros(count, bool), np.arange(count)
        return Negatives(Embedded(frame.max(axis=1), frame), stretch, follows, 1.0, ())

    both = beside(windows(3, 4), windows(2, 25))
    assert len(both) == 5
    assert both.embedded.frame.shape == (5, 25, 1)
    assert set(both.embedded.frame[1].ravel()) == {4, 5, 6, 7}
    assert both.stretch.tolist() == [0, 1, 2, 3, 4]
