"""How a daemon begins with a bundle that it was pointed to, or without it."""

import logging
from collections.abc import Callable

from ast_edge.app.plan import Plan
from ast_edge.base.errors import EngineError
from ast_edge.engines.open_engines import Engines
from ast_edge.fleet.record import Record, Settled, Shelf

log = logging.getLogger(__name__)


def open_plan(load: Callable[[], Plan]) -> tuple[Plan, Engines]:
    """Load the plan to begin with, and open its engines.

    A bundle of an update goes if the process before has ended while it was new, or if no engine
    runs it (any more).

    Raises:
        AstError: the configuration cannot be used, or no engine runs its bundles.
    """
    plan = load()
    shelf = Shelf(plan.config.node)
    if plan.update and (record := shelf.read()).probation == "running":
        why = "ast-edge has ended while it was new"
        log.error("update %s: is taken back: %s", plan.update.title, why)
        _write(shelf, record.after_death())
        plan = load()
    while True:
        engines = Engines(plan.config.engine)
        try:
            engines.open(plan.bundles)
            return plan, engines
        except EngineError as exc:
            if plan.update is None:
                raise
            log.error("update %s: is taken back: %s", plan.update.title, exc)
            record = shelf.read()
            settled = record.back().settle(plan.update, Settled("rolled_back", str(exc)))
            _write(shelf, settled)
            plan = load()


def _write(shelf: Shelf, record: Record) -> None:
    """Keep a record, or where that cannot be written let the configuration's own bundle be used."""
    try:
        shelf.write(record)
    except OSError as exc:
        log.warning("%s: cannot be written: %s", shelf.folder, exc.strerror)
        shelf.forget()
