from itertools import pairwise

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ast_edge.mqtt import faults as mqtt_faults
from ast_edge.mqtt.limits import (
    ACCIDENTS,
    SUSPICIOUS,
    WINDOW,
    BrokerLimits,
    Limits,
    read_limits,
    size,
)
from ast_edge.mqtt.message import Message

STATE = Message("ast-edge/attic/mic/dog/state", "ON", retain=True)


def stated(**values):
    properties = Properties(PacketTypes.CONNACK)
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


@pytest.mark.parametrize("properties", [None, stated()])
def test_a_broker_that_states_nothing_takes_everything(properties):
    limits = read_limits(properties)
    assert limits == Limits()
    assert limits.window == WINDOW
    assert limits.fits(Message("a", "x" * 1_000_000))
    assert limits.adapt(STATE) == STATE
    assert not list(limits.sentences())


def test_all_that_is_stated_is_read():
    assert read_limits(
        stated(
            ReceiveMaximum=10,
            MaximumPacketSize=8000,
            MaximumQoS=0,
            RetainAvailable=0,
            SessionExpiryInterval=0,
        )
    ) == Limits(10, 8000, 0, False, 0)


def test_no_more_are_sent_at_once_than_the_broker_takes():
    assert Limits(receive_maximum=10).window == 10
    assert Limits(receive_maximum=1000).window == WINDOW


def test_the_size_of_a_packet_counts_in_bytes():
    message = Message("a/b", "ü" * 50)
    assert size(message) >= 100 + 3 + 7
    assert Limits(maximum_packet_size=size(message)).fits(message)
    assert not Limits(maximum_packet_size=size(message) - 1).fits(message)


def test_a_message_goes_as_the_broker_takes_it():
    assert not Limits(retain=False).adapt(STATE).retain
    assert Limits(retain=False).adapt(STATE).qos == 1
    assert Limits(maximum_qos=0).adapt(STATE).qos == 0
    assert Limits(maximum_qos=1).adapt(STATE) == STATE


def test_what_we_go_on_without_is_said():
    assert len(list(Limits(retain=False, maximum_qos=0).sentences())) == 2


def test_a_refusal_teaches_what_was_not_stated_and_is_remembered():
    limits = BrokerLimits()
    limits.refused(mqtt_faults.RETAIN_NOT_SUPPORTED)
    limits.refused(mqtt_faults.QOS_NOT_SUPPORTED)
    limits.stated(None)
    assert (limits.present.retain, limits.present.maximum_qos) == (False, 0)


def test_too_many_at_once_become_fewer_until_it_is_one():
    limits = BrokerLimits()
    windows = [limits.window]
    for _ in range(6):
        limits.refused(mqtt_faults.RECEIVE_MAXIMUM_EXCEEDED)
        windows.append(limits.window)
    assert all(later < earlier or later == 1 for earlier, later in pairwise(windows))
    assert windows[-1] == 1


def test_the_largest_that_was_on_its_way_was_too_large():
    limits = BrokerLimits()
    small, large = Message("a", "x" * 10), Message("b", "x" * 10_000)
    limits.refused(mqtt_faults.PACKET_TOO_LARGE, [small, large])
    limits.stated(None)
    assert limits.takes(small)
    assert not limits.takes(large)


def test_a_message_that_a_broker_hangs_up_on_is_found_and_left_out():
    limits, bad = BrokerLimits(), Message("b", "bad")
    others = [Message("a", str(number)) for number in range(5)]
    assert limits.hung_up([*others, bad], short=1) is None
    assert limits.hung_up([*others, bad], short=2) is None
    assert limits.window == 1
    assert limits.hung_up([bad], short=3) is None
    assert limits.hung_up([bad], short=4) == bad
    assert not limits.takes(bad)
    assert all(limits.takes(other) for other in others)
    limits.lasted()
    assert limits.window == WINDOW


def test_a_broker_that_restarts_again_and_again_while_a_state_is_told_does_not_refuse_it():
    limits, state = BrokerLimits(), Message("dog/state", "ON", retain=True)
    for short in range(1, SUSPICIOUS + ACCIDENTS):
        assert limits.hung_up([state], short, settled=True) is None
    assert limits.takes(state)


def test_a_message_of_later_that_a_broker_hangs_up_on_is_found_as_well():
    limits, bad = BrokerLimits(), Message("homeassistant/device/attic/config", "{}")
    found = [limits.hung_up([bad], short, settled=True) for short in range(1, 20)]
    assert bad in found
    assert not limits.takes(bad)


def test_connections_that_are_lost_while_nothing_waits_make_nothing_suspicious():
    limits = BrokerLimits()
    for short in range(1, 10):
        assert limits.hung_up([], short) is None
    assert limits.window == WINDOW


def test_a_message_is_not_left_out_because_two_losses_had_another():
    limits = BrokerLimits()
    for short in range(1, 10):
        assert limits.hung_up([Message("a", str(short))], short) is None
