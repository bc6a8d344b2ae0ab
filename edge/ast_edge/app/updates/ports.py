"""What updates need of the running daemon."""

from collections.abc import Callable
from dataclasses import dataclass

from ast_edge.app.config import Config
from ast_edge.app.plan import Plan
from ast_edge.app.updates.proof import Pulse


@dataclass(frozen=True)
class Ports:
    """The daemon, as updates see it; each may be called in any thread."""

    plan: Callable[[], Plan]
    """What is followed."""
    switch: Callable[[Callable[[], None]], str]
    """Reads configuration and record anew and follows them; returns why not, "" if it does. What it
    is given is called again and again meanwhile."""
    pulse: Callable[[], Pulse]
    tell: Callable[[], None]
    """Is called when the status is another."""

    def asked(self) -> Config:
        """Return what the configuration says, without an update."""
        plan = self.plan()
        return plan.asked or plan.config

    def installed(self) -> str:
        """Return what the bundle is called that is used where the configuration names no other."""
        plan = self.plan()
        if plan.update:
            return plan.update.title
        own = [name for name, source in plan.config.sources.items() if source.bundle is None]
        bundle = plan.hearings[own[0] if own else next(iter(plan.hearings))].bundle
        return f"{bundle.name} {bundle.scores_sha256[:8]}"
