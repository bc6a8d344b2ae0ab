import numpy as np
import pytest
import soundfile

from ast_edge.enrolment.errors import EnrolmentError
from ast_edge.enrolment.take import make_take, read_take
from ast_edge.frontend.fbank import FbankSpec

SPEC = FbankSpec()
RATE = SPEC.sample_rate


def room(seconds, level=0.001):
    return (level * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype("f4")


def tone(seconds, level=0.3, hertz=1000):
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(
        "f4"
    )


def spans(*parts):
    """Return where the sound is in these parts, in seconds."""
    take = make_take("take", np.concatenate(parts), SPEC)
    return take.start / RATE, take.end / RATE


def test_quiet_before_and_after_the_sound_is_left_out():
    assert spans(room(2), tone(0.5), room(3)) == pytest.approx((2.0, 2.5), abs=0.12)


def test_digital_silence_around_the_sound_is_left_out():
    assert spans(0 * room(2), tone(0.5), 0 * room(3)) == pytest.approx((2.0, 2.5), abs=0.12)


def test_the_two_notes_of_a_chime_are_one_sound():
    assert spans(room(1), tone(0.4), room(0.5), tone(0.4, 0.2), room(2)) == pytest.approx(
        (1.0, 2.3), abs=0.12
    )


def test_of_two_sounds_far_apart_the_louder_is_taken():
    assert spans(room(1), tone(0.4, 0.05), room(3), tone(0.4), room(1)) == pytest.approx(
        (4.4, 4.8), abs=0.12
    )


def test_a_steady_sound_is_taken_whole():
    assert spans(tone(3)) == (0.0, 3.0)


def test_a_quiet_recording_is_no_silent_one():
    assert spans(room(2, 1e-6), tone(0.5, 0.002), room(2, 1e-6)) == pytest.approx(
        (2.0, 2.5), abs=0.12
    )


@pytest.mark.parametrize("sound", [np.zeros(16000), np.full(16000, 0.5), 1e-5 * room(1, 1.0)])
def test_a_silent_recording_is_refused(sound):
    with pytest.raises(EnrolmentError, match="take: is silent"):
        make_take("take", sound.astype(np.float32), SPEC)


def test_any_rate_and_number_of_channels_is_read(tmp_path):
    sound = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)
    soundfile.write(tmp_path / "take.wav", np.stack([sound, sound], axis=1), 44100)
    take = read_take(tmp_path / "take.wav", SPEC)
    assert (take.rate, len(take.samples)) == (16000, 16000)
