"""The door by which the page changes settings: the one that the broker's commands go through."""

import asyncio
import logging

from ast_edge.app.service import Service
from ast_edge.base.log_format import EVERY_TIME
from ast_edge.detection.event import Event
from ast_edge.mqtt.commands import CommandParser, CommandRefused
from ast_edge.mqtt.topics import Topics

log = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0
"""That the daemon's thread may take to follow."""


class Door:
    """Hands commands to the daemon's thread, and waits for what becomes of them."""

    def __init__(self, service: Service) -> None:
        """Take the service whose settings are changed."""
        self._service = service

    async def change(self, path: str, value: str, visitor: str = "") -> None:
        """Follow a command, such as "kitchen/set/dog/on" and "0.8"; the log says whose it was.

        Raises:
            CommandRefused: it cannot be followed; nothing has changed.
            asyncio.TimeoutError: the daemon's thread is busy.
        """
        plan = self._service.plan
        topics = Topics("page", plan.config.node)
        labels = {name: {x.slug: x for x in own} for name, own in plan.labels.items()}
        parser = CommandParser(topics, labels)
        command = parser.parse(f"{topics.root}/{path}", value.encode("utf-8", "replace"))
        if command.name == "restart":
            raise CommandRefused("restart: not from the page")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()

        def tell(fault: CommandRefused | None) -> None:
            if answer.done():
                return
            if fault:
                answer.set_exception(fault)
            else:
                answer.set_result(None)

        def obey() -> list[Event]:
            try:
                events = self._service.obey(command)
            except CommandRefused as exc:
                log.warning("page: command refused: %s", exc, extra=EVERY_TIME)
                loop.call_soon_threadsafe(tell, exc)
                return []
            by = f" (by {visitor})" if visitor else ""
            log.info("page: command: %s = %s%s", path, value, by, extra=EVERY_TIME)
            loop.call_soon_threadsafe(tell, None)
            return events

        self._service.daemon.submit(obey)
        await asyncio.wait_for(answer, ANSWER_SECONDS)
