"""How far a build has come; it takes minutes where the library tries its kernels on the GPU."""

from typing import Protocol

from ast_edge.engines.trt.library import Handle, Library


class BuildProgress(Protocol):
    """Follows a build: a bar on a terminal, a sign of life for a service manager."""

    def step(self, phase: str, done: int, total: int) -> None:
        """Take what the builder is at, in its words; called twice a second, news or not.

        Raises:
            Exception: of any kind, which cancels the build.
        """
        ...


class Monitor:
    """The builder's side: what it said last, and whether it shall stop."""

    def __init__(self, library: Library) -> None:
        """Make what the builder calls, in its thread; `callbacks` is None where it cannot."""
        self.latest: tuple[str, int, int] = ("Building engine", 0, 1)
        self.cancelled = False
        self._totals: dict[str, int] = {}
        has = hasattr(library.module, "IProgressMonitor")
        self.callbacks: Handle = _make_callbacks(library.module, self) if has else None

    def start(self, phase: str, steps: int) -> None:
        """Begin a phase; it may be part of a step of another."""
        self._totals[phase] = steps
        self.latest = (phase, 0, steps)

    def finish_step(self, phase: str, step: int) -> bool:
        """Count a step; return whether to go on."""
        self.latest = (phase, step + 1, self._totals.get(phase, step + 1))
        return not self.cancelled


def _make_callbacks(trt: Handle, monitor: Monitor) -> Handle:
    class Callbacks(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)  # super().__init__() is not enough for pybind11

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            monitor.start(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return monitor.finish_step(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            pass

    return Callbacks()
