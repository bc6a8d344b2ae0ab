"""How well sound arrives from a source."""

from dataclasses import dataclass
from typing import Literal

Condition = Literal["ok", "waiting", "stalled", "muted", "clipping", "drifting"]
"""What can be said of a live source:

- waiting: it cannot be opened; it is tried again for ever
- stalled: it was open and delivers nothing; it is opened again
- muted: it delivers the same sample over and over, digital silence as a rule
- clipping: it is too loud for its own range all the time
- drifting: it delivers another number of samples a second than it should
"""


@dataclass(frozen=True)
class Health:
    """The condition of a source, and why."""

    condition: Condition = "ok"
    reason: str = ""
    """For people; of sound that is ok, what it lacks. Holds no passwords."""


OK = Health()
