import numpy as np
import pytest
from rigs.training.packs import RATE, Pack, hiss, tone
from rigs.training.soundscapes import make_composer, whistle_and_hum

from ast_edge.base.errors import ConfigError
from ast_training.soundscapes.composer import loudness
from ast_training.soundscapes.config import SoundscapeConfig


@pytest.fixture
def packs(tmp_path):
    return whistle_and_hum(tmp_path)


def compose(packs, seed=0, count=2, seconds=3.0, others=0, whole=False, **changes):
    rng = np.random.default_rng(seed)
    return make_composer(packs, **changes).compose(seconds, count, rng, others=others, whole=whole)


def energy(samples, hertz, onset, offset):
    """Energy of a frequency between two moments, by its own Fourier sum."""
    part = samples[round(onset * RATE) : round(offset * RATE)]
    time = np.arange(len(part)) / RATE
    return abs(np.sum(part * np.exp(-2j * np.pi * hertz * time))) / max(len(part), 1)


def test_the_same_seed_composes_the_same(packs):
    first, second = (compose(packs, seed=4, **SoundscapeConfig().model_dump()) for _ in range(2))
    np.testing.assert_array_equal(first.samples, second.samples)
    assert first.events == second.events


def test_another_seed_composes_something_else(packs):
    assert compose(packs, seed=1).events != compose(packs, seed=2).events


@pytest.mark.parametrize("seed", range(6))
def test_what_is_annotated_sounds_there_and_nowhere_else(packs, seed):
    scape = compose(packs, seed=seed, count=1, seconds=4.0, whole=True)
    (event,) = scape.events
    hertz = (3000, 200)[event.label]
    assert energy(scape.samples, hertz, event.onset, event.offset) > 0.02
    assert np.abs(scape.samples[: round((event.onset - 0.03) * RATE)]).max(initial=0) < 1e-6
    assert np.abs(scape.samples[round((event.offset + 0.03) * RATE) :]).max(initial=0) < 1e-6


def test_undisturbed_is_the_recording_as_it_was_taken(packs):
    disturbed = make_composer(packs, **SoundscapeConfig().model_dump() | {"filling": 0})
    rng = np.random.default_rng(5)
    scape = disturbed.undisturbed().compose(4.0, 1, rng, whole=True)

    (event,) = scape.events
    begin = round(event.onset * RATE)
    heard = scape.samples[begin + 800 : round(event.offset * RATE) - 800]  # between its fades
    (row,) = [r for r in disturbed.events.recordings if r.targets == (event.label,)]
    taken = disturbed.events.samples(disturbed.events.recordings.index(row))
    likeness = np.correlate(taken, heard, "valid").max()
    assert likeness > 0.999 * np.sqrt(np.sum(heard**2) * np.sum(taken[: len(heard)] ** 2))
    assert not np.any(scape.samples[: begin - 800])


def test_a_faster_recording_is_annotated_shorter(packs):
    lengths = [
        compose(packs, seed=3, count=1, whole=True, speed=(speed, speed)).events[0]
        for speed in (1.0, 2.0)
    ]
    slow, fast = (one.offset - one.onset for one in lengths)
    assert fast == pytest.approx(slow / 2, abs=0.001)


def test_events_may_begin_before_and_end_after_the_soundscape(packs):
    scapes = [compose(packs, seed=seed, count=1, seconds=0.5) for seed in range(40)]
    events = [event for scape in scapes for event in scape.events]
    assert any(event.onset == 0 for event in events)
    assert any(event.offset == 0.5 for event in events)
    assert all(0 <= event.onset < event.offset <= 0.5 for event in events)


def test_a_sound_that_fills_the_soundscape_is_annotated_throughout(packs):
    scape = compose(packs, seed=2, count=1, seconds=3.0, filling=1)
    covered = np.zeros(3 * RATE)
    for event in scape.events:
        covered[round(event.onset * RATE) : round(event.offset * RATE)] = 1
    assert covered.mean() > 0.99
    assert loudness(scape.samples[-RATE // 5 :], RATE) > 0.01


def test_a_room_does_not_move_the_onset(packs):
    scape = compose(packs, seed=5, count=1, whole=True, room=1)
    (event,) = scape.events
    before = scape.samples[: round((event.onset - 0.02) * RATE)]
    assert np.abs(before).max(initial=0) < 1e-3 * np.abs(scape.samples).max()


def test_sounds_without_a_label_are_heard_but_not_annotated(packs):
    scape = compose(packs, count=0, others=1)
    assert scape.events == ()
    assert loudness(scape.samples, RATE) > 0.05


def test_what_may_sound_in_a_recording_is_told_apart(packs):
    packs["sounds"]["may"] = ["Hum"]
    scapes = [compose(packs, seed=seed, count=1, whole=True) for seed in range(8)]
    for scape in scapes:
        (event,) = scape.events
        hum = [(one.onset, one.offset) for one in scape.unsaid]
        assert hum == ([(event.onset, event.offset)] if event.label == 0 else [])
    assert {scape.events[0].label for scape in scapes} == {0, 1}


@pytest.mark.parametrize("whole", [True, False])
def test_what_may_sound_in_the_background_may_do_so_all_the_time(packs, whole):
    packs["noise"]["may"] = ["Hum"]
    scape = compose(packs, count=0, background=1, whole=whole)
    assert scape.open == {1}
    assert [(one.label, one.onset, one.offset) for one in scape.unsaid] == [(1, 0.0, 3.0)]
    assert compose(packs, count=0, whole=whole).open == set()


@pytest.mark.parametrize("level", [-40.0, -20.0])
def test_the_loudest_part_has_the_wanted_level(packs, level):
    scape = compose(packs, count=2, level_dbfs=(level, level))
    assert 20 * np.log10(loudness(scape.samples, RATE)) == pytest.approx(level, abs=0.1)


@pytest.mark.parametrize("snr", [0.0, 20.0])
def test_an_event_stands_out_of_the_background_by_its_snr(packs, snr):
    scape = compose(packs, seed=2, count=1, background=1, snr_db=(snr, snr), whole=True)
    (event,) = scape.events
    noise = np.concatenate(
        [
            scape.samples[: round((event.onset - 0.1) * RATE)],
            scape.samples[round((event.offset + 0.1) * RATE) :],
        ]
    )
    sound = scape.samples[round(event.onset * RATE) : round(event.offset * RATE)]
    found = 20 * np.log10(loudness(sound, RATE) / loudness(noise, RATE))
    # At 0 dB the noise sounds on under the event, and adds 3 dB to it.
    assert found == pytest.approx(10 * np.log10(1 + 10 ** (snr / 10)), abs=0.5)


def test_background_fills_the_whole_soundscape(packs):
    scape = compose(packs, count=0, background=1)
    parts = scape.samples[: 3 * RATE].reshape(-1, 1600)
    assert (np.square(parts).mean(axis=1) > 0).all()


def rooms(folder, pitches, seconds=0.5):
    """Packs of a whistle, and of rooms that hum at these pitches."""
    sounds, noise = Pack(folder / "sounds"), Pack(folder / "noise")
    sounds.add("whistle.wav", "whistle", tone(3000, 0.4))
    for hertz in pitches:
        noise.add(f"room-at-{hertz}-hz.wav", "room", tone(hertz, seconds))
    labels = {"whistle": "Whistle"}
    return {"sounds": sounds.config(labels=labels), "noise": noise.config(role="background")}


def test_a_background_that_is_shorter_than_a_whole_soundscape_passes_into_others(tmp_path):
    pitches = (200, 400, 800, 1600)
    scape = compose(rooms(tmp_path, pitches), count=0, seconds=1.2, whole=True, background=1)
    heard = np.array(
        [
            [energy(scape.samples, hertz, at, at + 0.1) for hertz in pitches]
            for at in np.arange(0, 1.2, 0.1)
        ]
    )
    sounding = heard > 0.3 * heard.max()
    assert sounding.any(axis=0).all()  # all four in turn
    # Each for one stretch: none comes again before all others.
    assert (np.diff(sounding, axis=0, prepend=False).sum(axis=0) <= 2).all()


def test_one_background_alone_is_heard_again(tmp_path):
    scape = compose(rooms(tmp_path, [400]), count=0, seconds=3.0, whole=True, background=1)
    assert loudness(scape.samples[-RATE // 5 :], RATE) > 0.01


def test_a_background_as_long_as_a_whole_soundscape_is_taken_as_it_is(tmp_path):
    packs = rooms(tmp_path, [400, 800], seconds=2.0)
    scape = compose(packs, count=0, seconds=1.0, whole=True, background=1)
    heard = [energy(scape.samples, hertz, 0, 1) for hertz in (400, 800)]
    assert min(heard) < 0.01 * max(heard)


def test_the_backgrounds_of_whole_soundscapes_come_from_all_sources_alike(tmp_path):
    pitches = (200, 400, 800, 1600)
    composer = make_composer(rooms(tmp_path, pitches, seconds=2.0), background=1)
    rng, first = np.random.default_rng(0), []
    for _ in range(200):
        samples = composer.compose(1.0, 0, rng, whole=True).samples
        first.append(int(np.argmax([energy(samples, hertz, 0, 1) for hertz in pitches])))
    assert np.bincount(first, minlength=4) / 200 == pytest.approx([0.25] * 4, abs=0.1)


def test_rare_labels_are_drawn_as_often_as_frequent_ones(tmp_path):
    pack = Pack(tmp_path / "uneven")
    for take in range(9):
        pack.add(f"hum-{take}.wav", "hum", tone(200, 0.1))
    pack.add("whistle.wav", "whistle", tone(3000, 0.1))
    packs = {"uneven": pack.config(labels={"hum": "Hum", "whistle": "Whistle"})}
    composer, rng = make_composer(packs), np.random.default_rng(0)
    drawn = [composer.compose(0.2, 1, rng, whole=True).events[0].label for _ in range(600)]
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("rows", [[], ["hiss"]])
def test_recordings_without_any_label_cannot_be_composed(tmp_path, rows):
    pack = Pack(tmp_path / "none")
    for row in rows:
        pack.add(f"{row}.wav", row, hiss(1))
    with pytest.raises(ConfigError, match="expected recordings with a label"):
        make_composer({"none": pack.config(labels={"hum": "Hum"})})
