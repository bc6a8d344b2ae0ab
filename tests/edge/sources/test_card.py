import numpy as np
import pytest
from rigs.broker.mosquitto import wait_until
from rigs.processes import children
from rigs.sound import alsa_microphone
from rigs.sound.listener import Listener

from ast_edge.audio.stream import Block, Monitored, Stream
from ast_edge.audio.timeline import Anchor
from ast_edge.sources.card import CardChannel, CardSettings

EIGHT = CardSettings("fourth")  # eight channels, of which the fourth has sound


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alsa")
    if reason := alsa_microphone.build(folder):
        pytest.skip(reason)
    return folder / "asoundrc"


@pytest.fixture
def alsa(built, monkeypatch):
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(built))


def enough(listener):
    return len(listener.blocks) >= 5


def test_sources_with_channels_of_one_card_share_one_capture(alsa):
    silent, loud = CardChannel("a", EIGHT, 1), CardChannel("b", EIGHT, 4)
    with Listener(silent) as first, Listener(loud) as second:
        first.wait(enough)
        second.wait(enough)
        assert len(children("ast_edge.sources.capture")) == 1
    assert {stream.source for stream in first.streams} == {"a"}
    assert {stream.source for stream in second.streams} == {"b"}
    assert not first.blocks[0].samples[:, 0].any()
    assert second.blocks[0].samples[:, 3].any()


def test_a_card_stays_open_until_its_last_listener_leaves(alsa):
    with Listener(CardChannel("b", EIGHT, 4)) as staying:
        with Listener(CardChannel("a", EIGHT, 1)) as leaving:
            leaving.wait(enough)
        heard = len(staying.blocks)
        staying.wait(lambda it: len(it.blocks) >= heard + 5)
    assert len(staying.streams) == 1
    assert children("ast_edge.sources.capture") == []


def test_a_source_that_comes_later_begins_when_it_came(alsa):
    with Listener(CardChannel("a", EIGHT, 1)) as first:
        first.wait(enough)
        with Listener(CardChannel("b", EIGHT, 4)) as second:
            second.wait(enough)
    (early,), (late,) = first.streams, second.streams
    assert second.blocks[0].start == 0
    assert late.started_at > early.started_at + 0.4


def test_each_channel_is_judged_for_itself(alsa):
    silent, loud = CardChannel("a", EIGHT, 1, 0.5), CardChannel("b", EIGHT, 4, 0.5)
    with Listener(silent), Listener(loud) as listener:
        wait_until(lambda: silent.health.condition == "muted")
        listener.wait(enough)
        assert loud.health.condition == "ok"
    assert isinstance(loud, Monitored)


def test_a_channel_that_the_card_does_not_have_is_waited_for(alsa):
    missing = CardChannel("c", CardSettings("stereo"), 3)
    with Listener(missing):
        wait_until(lambda: missing.health.reason == "it has no channel 3, only 2")
    assert missing.health.condition == "waiting"


def test_a_card_that_cannot_be_opened_is_said_of_all_its_sources(alsa):
    absent = CardSettings("no such card")
    one, two = CardChannel("a", absent, 1), CardChannel("b", absent, 2)
    with Listener(one), Listener(two):
        for source in (one, two):
            wait_until(lambda it=source: it.health.reason.startswith("no input device is named"))
        assert one.failures


def test_a_source_that_needs_more_channels_has_the_card_opened_with_them(microphone):
    server = CardSettings("vmic")
    with Listener(CardChannel("a", server, 1)) as first:
        first.wait(lambda it: it.blocks and it.blocks[-1].samples.shape[1] == 1)
        with Listener(CardChannel("b", server, 2)) as second:
            second.wait(lambda it: it.blocks and it.blocks[-1].samples.shape[1] == 2)
        first.wait_for_streams(2)


def test_the_times_of_a_channel_are_those_of_its_card():
    source = CardChannel("a", CardSettings("no such card"), 1)
    upstream, anchor = Stream("card", 1000, 1, 50.0, live=True), Anchor(0.1, 50.1, 1.5)
    for number in (1, 2, 5):
        source.take(Block(upstream, number * 100, np.zeros((100, 1), np.float32), anchor))
    with Listener(source) as listener:
        listener.wait(lambda it: len(it.blocks) == 3)
    times = [block.when.time_at(block.start / 1000) for block in listener.blocks]
    assert times == pytest.approx([50.1, 50.25, 50.7], abs=1e-6)
    assert [stream.started_at for stream in listener.streams] == pytest.approx([50.1, 50.7])


def test_what_a_busy_source_has_missed_is_a_gap_at_the_right_time():
    source = CardChannel("a", CardSettings("no such card"), 1)
    upstream = Stream("card", 1000, 1, 50.0, live=True)
    for number in (0, 1, 5, 6):
        source.take(Block(upstream, number * 100, np.zeros((100, 1), np.float32)))
    with Listener(source) as listener:
        listener.wait(lambda it: len(it.blocks) == 4)
    assert [block.start for block in listener.blocks] == [0, 100, 0, 100]
    assert [stream.started_at for stream in listener.streams] == [50.0, 50.5]
