"""What cannot be provoked with every broker; the rest is in test_connection.py."""

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from ast_edge.config import MqttConfig
from ast_edge.mqtt_faults import REPEATED, lost


def said(name, *, by_broker=True, short=0):
    reason = ReasonCode(PacketTypes.DISCONNECT, name)
    return lost(reason, MqttConfig(), by_broker=by_broker, accepted=True, short=short)


def test_a_broker_that_says_so_is_believed_at_once():
    assert "a second machine have the same node?" in said("Session taken over")


@pytest.mark.parametrize("short", range(REPEATED))
def test_a_short_connection_is_no_sign_of_a_second_machine(short):
    assert said("Unspecified error", by_broker=False, short=short) == "the connection was lost"


def test_many_short_connections_in_a_row_are():
    line = said("Unspecified error", by_broker=False, short=REPEATED)
    assert "a second machine have the same node?" in line
