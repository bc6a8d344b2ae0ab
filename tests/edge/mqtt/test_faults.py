"""What cannot be provoked with every broker; the rest is in test_connection.py."""

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.faults import ADVICE, REPEATED, lost, refused
from ast_edge.mqtt.message import Message

STATE = Message("ast-edge/attic/mic/dog/state", "OFF", retain=True)


def said(name, *, by_broker=True, short=0, unanswered=()):
    reason = ReasonCode(PacketTypes.DISCONNECT, name)
    return lost(
        *(reason, MqttConfig()),
        by_broker=by_broker,
        accepted=True,
        short=short,
        unanswered=unanswered,
    )


def test_a_broker_that_says_so_is_believed_at_once():
    assert "a second machine have the same node?" in said("Session taken over")


@pytest.mark.parametrize("short", range(REPEATED))
def test_a_short_connection_is_no_sign_of_a_second_machine(short):
    assert said("Unspecified error", by_broker=False, short=short) == "the connection was lost"


def test_many_short_connections_in_a_row_are():
    line = said("Unspecified error", by_broker=False, short=REPEATED)
    assert "a second machine have the same node?" in line


def test_many_short_connections_that_end_while_we_speak_are_no_sign_of_a_second_machine():
    line = said("Unspecified error", by_broker=False, short=REPEATED, unanswered=[STATE])
    assert "may this user write to ast-edge/attic/mic/dog/state (3 bytes)" in line
    assert "second machine" not in line


def test_nonsense_of_a_broker_is_not_blamed_on_our_messages():
    line = said("Protocol error", by_broker=False, short=REPEATED, unanswered=[STATE])
    assert line == "the broker has sent something that is no MQTT"


def test_a_broker_that_ends_the_connection_for_a_message_says_what_is_not_allowed():
    line = said("Not authorized", unanswered=[STATE])
    assert "may this user write to ast-edge/attic/mic/dog/state" in line


@pytest.mark.parametrize("code", sorted(ADVICE.keys() - {0x88, 0x8A}))
def test_an_ending_comes_with_what_to_do_about_it_and_no_other_guess(code):
    reason = ReasonCode(PacketTypes.DISCONNECT, identifier=code)
    line = lost(reason, MqttConfig(), by_broker=True, accepted=True, short=REPEATED)
    assert line == f"the broker ended the connection: {reason}; {ADVICE[code]}"
    assert "second machine" not in line


@pytest.mark.parametrize("code", [0x88, 0x89, 0x8A, 0x97, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F])
def test_a_refusal_comes_with_what_to_do_about_it(code):
    reason = ReasonCode(PacketTypes.CONNACK, identifier=code)
    line = refused(reason, MqttConfig())
    assert line == f"the broker refused the connection: {reason}; {ADVICE[code]}"
    assert "second machine" not in line


def test_a_client_id_that_is_refused_is_named():
    reason = ReasonCode(PacketTypes.CONNACK, "Client identifier not valid")
    assert "ids that begin with ast-edge-" in refused(reason, MqttConfig())
