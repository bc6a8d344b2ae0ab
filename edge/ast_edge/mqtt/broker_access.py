"""How a client reaches the broker: address, credentials, protocol, last will."""

import logging
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ast_edge.base.host_name import check_host
from ast_edge.mqtt.config import MqttConfig, TlsConfig
from ast_edge.mqtt.credentials import broker_password, tls_context
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.supervisor import ask_for_broker

log = logging.getLogger(__name__)

WILL_DELAY = 5
"""Seconds without a connection after which the broker publishes the will (MQTT 5 only)."""

WEBSOCKET_PATH = "/mqtt"
"""What most brokers take."""
PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


class BrokerClient(Client):
    """paho's client, whose own thread says what it dies of.

    What a broker sends that is no MQTT ends that thread without a word otherwise.
    """

    on_fault: Callable[[Exception], None] = staticmethod(lambda exc: None)

    def loop_forever(
        self, timeout: float = 1.0, retry_first_connection: bool = False
    ) -> MQTTErrorCode:
        """Serve the connection until it ends; called in paho's thread."""
        try:
            return super().loop_forever(timeout, retry_first_connection)
        except Exception as exc:
            log.debug("paho has failed", exc_info=exc)
            self.on_fault(exc)
            return MQTTErrorCode.MQTT_ERR_UNKNOWN


class BrokerAccess:
    """The broker of a configuration, for which it makes clients.

    Raises:
        ConfigError: the host name, the password or a certificate cannot be used.
    """

    def __init__(self, config: MqttConfig) -> None:
        check_host(config.host, "mqtt.host")
        self.config = config
        """That of the file, or with what the Supervisor has told last."""
        self._password = broker_password(config)
        self._tls = tls_context(config.tls) if config.tls else None

    @property
    def address(self) -> str:
        """The broker as `host:port`."""
        if self.config.supervisor and "host" not in self.config.model_fields_set:
            return "of Home Assistant"
        return f"{self.config.host}:{self.config.port_number}"

    def client(self, client_id: str, will: Message | None) -> BrokerClient:
        """Make a client that connects when its loop is started, and does so once only.

        Raises:
            BrokerUnknown: the Supervisor does not tell where the broker is.
        """
        if self.config.supervisor:
            self._ask()
        client = BrokerClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=PROTOCOLS[self.config.protocol],
            transport=self.config.transport,
            reconnect_on_failure=False,
        )
        client.reconnect_delay_set(0, 0)  # a failed client ends at once; the pause is ours
        if self.config.transport == "websockets":
            client.ws_set_options(self.config.path or WEBSOCKET_PATH)
        if self.config.username is not None:
            client.username_pw_set(self.config.username, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        session = {} if will is None else self._leave_will(client, will)
        client.connect_async(
            self.config.host, self.config.port_number, self.config.keepalive, **session
        )
        return client

    def publish(self, client: Client, message: Message) -> int:
        """Hand a message to a client that is connected, and return its packet id."""
        properties = None
        if message.expiry is not None and self.config.protocol == "5":
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = message.expiry
        return client.publish(
            *(message.topic, message.payload, message.qos, message.retain), properties=properties
        ).mid

    def _ask(self) -> None:
        """Learn what may have changed since the last connection: address and password."""
        broker = ask_for_broker()
        tls = TlsConfig() if broker.ssl else None
        told = {"host": broker.host, "port": broker.port, "tls": tls}
        told["username"] = broker.username or None
        self.config = self.config.model_copy(update=told)
        self._password = broker.password.get_secret_value() if broker.password else None
        self._tls = tls_context(tls) if tls else None

    def _leave_will(self, client: Client, will: Message) -> dict[str, Any]:
        """Set the will; return what `connect_async` has to know about the session.

        In MQTT 5 the broker waits with the will, so that nobody notices a short interruption. It
        waits only while there is a session, which is therefore kept so long, and taken up again.
        """
        if self.config.protocol != "5":
            client.will_set(will.topic, will.payload, will.qos, will.retain)
            return {}
        delay = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
        delay.WillDelayInterval = WILL_DELAY
        client.will_set(will.topic, will.payload, will.qos, will.retain, properties=delay)
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = WILL_DELAY
        return {"clean_start": False, "properties": session}
