"""What a source reports, and with which settings: the table beside the scores."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ast_edge.app.service import Service
from ast_edge.detection.groups import Group

Json = dict[str, Any]


class LabelTable:
    """The labels of one source under one configuration."""

    def __init__(self, service: Service, source: str) -> None:
        """Read it as it is now, in any thread."""
        self._service, self._source = service, source
        plan, commander = service.plan, service.commander
        self._settings = commander.settings
        self.made_of: object = (id(plan), self._changes())
        """Equal as long as the table is the same."""
        self._plan = plan  # so that its id is nobody else's
        hearing = plan.hearings.get(source)
        self.labels = list(hearing.settings) if hearing else []
        self.columns: NDArray[np.intp] = np.array([x.index for x in self.labels], np.intp)
        """Where each one's probability stands."""
        self.names = [x.name for x in hearing.bundle.labels] if hearing else []
        """Of all that the model knows."""
        self.configured = dict(hearing.settings) if hearing else {}

    def is_current(self) -> bool:
        """Tell whether a table that is made now would be the same."""
        return self.made_of == (id(self._service.plan), self._changes())

    def document(self) -> Json:
        """Return what the page shows of it."""
        live = self._settings
        knows = live is not None and live.knows(self._source, None)
        changes = live.of(self._source) if live and knows else None
        return {
            "type": "labels",
            "source": self._source,
            "enabled": changes.enabled if changes else True,
            "labels": [self._row(label) for label in self.labels],
            "names": self.names,
        }

    def _row(self, label: Any) -> Json:  # noqa: ANN401 (a label or a group)
        settings, enabled, live = self.configured[label], True, self._settings
        if live is not None and live.knows(self._source, label):
            settings = live.settings(self._source, label)
            enabled = live.of(self._source).label(label.slug).enabled
        return {
            "slug": label.slug,
            "name": label.name,
            "group": isinstance(label, Group),
            "on": round(settings.on, 4),
            "off": round(settings.off, 4),
            "min": settings.min_duration,
            "hold": settings.hold,
            "cooldown": settings.cooldown,
            "enabled": enabled,
        }

    def _changes(self) -> object:
        live = self._service.commander.settings
        if live is None or not live.knows(self._source, None):
            return None
        return live.of(self._source)
