"""A picture of thresholds and what they cost, as SVG that needs nothing else."""

import math
from collections.abc import Iterable, Sequence
from html import escape

from ast_edge.tuning.tuning import TunedLabel, Tuning
from ast_edge.tuning.wish import write_rate

COLUMNS = 3
WIDTH, HEIGHT = 300, 170
"""Of one label's picture, with its margins."""
LEFT, TOP, RIGHT, BOTTOM = 46, 26, 14, 30
STYLE = """
:root { --paper: #ffffff; --ink: #1c2126; --muted: #5a636e; --line: #d5dae0; --rate: #c8322b;
  --found: #1f8a4c; --chosen: #0b65c2; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e4e7ea; --muted: #9aa4af;
  --line: #3a424b; --rate: #f0736a; --found: #4cc47f; --chosen: #62acf4; } }
text { fill: var(--muted); font: 11px system-ui, sans-serif; }
.name { fill: var(--ink); font-weight: 600; font-size: 12px; }
.title { fill: var(--ink); font-size: 14px; }
path, line { fill: none; stroke-width: 1.5; }
.frame { stroke: var(--line); stroke-width: 1; }
.rate { stroke: var(--rate); }
.expected { stroke: var(--rate); stroke-dasharray: 3 3; }
.found { stroke: var(--found); }
.chosen { stroke: var(--chosen); }
.before { stroke: var(--muted); stroke-dasharray: 2 3; }
.share { stroke: var(--line); stroke-dasharray: 6 3; }
.k-rate { fill: var(--rate); } .k-found { fill: var(--found); } .k-chosen { fill: var(--chosen); }
"""


def draw_plot(tuning: Tuning) -> str:
    """Draw for each label its false alarms, and what is found, against `on`."""
    rows = math.ceil(len(tuning.labels) / COLUMNS)
    width, height = COLUMNS * WIDTH, 64 + rows * HEIGHT
    pictures = "\n".join(
        f'<g transform="translate({number % COLUMNS * WIDTH} {64 + number // COLUMNS * HEIGHT})">'
        f"{_picture(one, tuning.hours)}</g>"
        for number, one in enumerate(tuning.labels)
    )
    title = f"False alarms in {tuning.hours:.3g} h, wished for: {write_rate(tuning.wish)}"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" \
width="{width}" height="{height}">
<style>{STYLE}</style>
<rect width="{width}" height="{height}" style="fill: var(--paper)"/>
<text class="title" x="16" y="24">{escape(title)}</text>
<text x="16" y="44"><tspan class="k-rate">false alarms per hour (left; dashed: expected)</tspan>, \
<tspan class="k-found">found (right)</tspan>, <tspan class="k-chosen">chosen</tspan>, \
dotted: before, long dashes: the label's share of the wish; below: on</text>
{pictures}
</svg>
"""


def _picture(one: TunedLabel, hours: float) -> str:
    share = max(one.share, 0.01 / hours)  # the axis is logarithmic
    bottom = min(0.3 / hours, share / 3)
    top = max(one.counts.max() / hours, share, 3 / hours) * 1.5
    measured = [(on, count / hours) for on, count in zip(one.ons, one.counts, strict=True)]
    parts = [
        f'<text class="name" x="{LEFT}" y="16">{escape(one.label.name)}</text>',
        f'<path class="frame" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>',
        *(_tick(on) for on in (0.1, 0.5, 0.9, 0.99, 0.999)),
        *(_rate_tick(rate, bottom, top) for rate in (bottom, top)),
        _level("share", share, bottom, top),
        _line("expected", zip(one.ons, one.expected, strict=True), bottom, top),
        _line("rate", measured, bottom, top),
    ]
    if one.references:
        recalls = zip(one.ons, one.found / one.references, strict=True)
        parts.append(_path("found", [(_x(on), _linear(recall)) for on, recall in recalls]))
    for kind, on in (("before", one.before.on), ("chosen", one.after.on)):
        x = _x(on)
        parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{_base()}"/>')
    return "".join(parts)


def _x(on: float) -> float:
    """Place a threshold by its logit, so that 0.99 and 0.999 are apart."""
    low, high = math.log(0.04 / 0.96), math.log(0.9993 / 0.0007)
    clipped = min(max(on, 0.04), 0.9993)
    return LEFT + (math.log(clipped / (1 - clipped)) - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _base() -> int:
    return HEIGHT - BOTTOM


def _linear(share: float) -> float:
    return _base() - share * (_base() - TOP)


def _y(rate: float, bottom: float, top: float) -> float:
    """Place a rate by its logarithm; none at all is at the bottom."""
    return _linear(math.log(max(rate, bottom) / bottom) / math.log(top / bottom))


def _line(kind: str, points: Iterable[tuple[float, float]], bottom: float, top: float) -> str:
    return _path(kind, [(_x(on), _y(rate, bottom, top)) for on, rate in points])


def _path(kind: str, points: Sequence[tuple[float, float]]) -> str:
    return f'<path class="{kind}" d="M{" ".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>'


def _level(kind: str, rate: float, bottom: float, top: float) -> str:
    y = _y(rate, bottom, top)
    return f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _tick(on: float) -> str:
    return f'<text x="{_x(on):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{on:g}</text>'


def _rate_tick(rate: float, bottom: float, top: float) -> str:
    y = _y(rate, bottom, top) + 4
    text = "0" if rate == bottom else f"{rate:.2g}"
    return f'<text x="{LEFT - 6}" y="{y:.1f}" text-anchor="end">{text}</text>'
