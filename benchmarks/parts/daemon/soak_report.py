"""The figures of one long run."""

import statistics
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """What one run has shown."""

    machine: str
    seconds: float = 0.0
    audio_seconds: float = 0.0
    expected: int = 0
    found: int = 0
    excused: int = 0
    """Scripted events that fell into an outage of the microphone."""
    missed: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    """Of `--fast`: events that the first hour has not."""
    faults: Counter[str] = field(default_factory=Counter)
    exit_status: int | None = None
    samples: list[dict[str, float]] = field(default_factory=list)
    """Of the daemon and its children: seconds, megabytes, threads, descriptors."""
    tab: list[dict[str, float]] = field(default_factory=list)
    """Of the browser that looked on, if one did (`parts.daemon.onlooker`)."""

    def growth(self, key: str) -> tuple[float, float]:
        """Return the median of the second and of the last tenth of the samples."""
        values = [sample[key] for sample in self.samples + self.tab if key in sample]
        tenth = max(1, len(values) // 10)
        return statistics.median(values[tenth : 2 * tenth] or values), statistics.median(
            values[-tenth:]
        )

    def table(self) -> str:
        """Return the figures in Markdown."""
        lines = [
            ("machine", self.machine),
            ("duration", f"{self.seconds / 60:.1f} min"),
            ("audio", f"{self.audio_seconds / 3600:.2f} h"),
            ("scripted events", f"{self.expected}, found {self.found}, in outages {self.excused}"),
            ("missed", str(len(self.missed))),
            ("surplus", str(len(self.surplus))),
            ("faults", ", ".join(f"{k} {n}" for k, n in sorted(self.faults.items())) or "none"),
            ("exit status", str(self.exit_status)),
        ]
        keys = [("rss", " MB"), ("threads", ""), ("descriptors", "")]
        if self.tab:
            keys += [("heap", " MB"), ("tab", " MB")]
        for key, unit in keys:
            first, last = self.growth(key)
            change = 100 * (last / first - 1)
            lines.append((key, f"{first:.1f}{unit} → {last:.1f}{unit} ({change:+.1f} %)"))
        return "\n".join(["| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in lines)])
