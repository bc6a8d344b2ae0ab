"""The report of an evaluation as one HTML file that needs nothing else."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

from ast_edge.evaluation.report import Heard, Report
from ast_edge.evaluation.spectrogram import draw_png
from ast_edge.evaluation.view.strip import Bar, Strip, cut_strips
from ast_edge.evaluation.view.table import HEADINGS, NOTES, rows, silent_labels, summary

MAX_STRIPS = 240
"""More would make a file that no browser likes (40 kB each)."""
TICKS = 7


def render_page(title: str, report: Report, heard: Sequence[Heard]) -> str:
    """Make the page: summary, table and timelines."""
    labels = [one.label for one in report.labels]
    strips = [strip for one in heard for strip in cut_strips(one, labels)]
    shown, said = _choose(strips)
    template = Template(files("ast_edge.evaluation.view").joinpath("page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(title),
        summary="<ul>" + "".join(f"<li>{escape(one)}.</li>" for one in summary(report)) + "</ul>",
        table=_table(report),
        notes=_notes(report),
        shown=escape(said),
        strips="\n".join(map(_strip, shown)),
    )


def _choose(strips: list[Strip]) -> tuple[list[Strip], str]:
    """Show those with errors rather than others if there are too many."""
    if len(strips) <= MAX_STRIPS:
        return strips, "Every minute in which something was to be heard, or was, is shown."
    preferred = sorted(strips, key=lambda strip: not strip.has_errors)[:MAX_STRIPS]
    kept = {id(strip) for strip in preferred}
    said = f"{MAX_STRIPS} of {len(strips)} minutes are shown, those with errors first."
    return [strip for strip in strips if id(strip) in kept], said


def _table(report: Report) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    lines = []
    for row in rows(report):
        first, *others = map(escape, row.cells)
        cells = "".join(f"<td>{cell}</td>" for cell in others)
        lines.append(f'<tr class="{"total" * row.is_total}"><th>{first}</th>{cells}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _notes(report: Report) -> str:
    silent = ", ".join(silent_labels(report))
    more = f" Neither annotated nor detected: {silent}." if silent else ""
    return f'<p class="muted">{escape(NOTES + more)}</p>'


def _strip(strip: Strip) -> str:
    start, end = strip.span.onset, strip.span.offset
    parts = []
    if len(strip.spectrogram):
        data = b64encode(draw_png(strip.spectrogram)).decode()
        picture = f'<img alt="" src="data:image/png;base64,{data}">'
        parts.append(f'<div class="picture">{picture}</div>')
    for row in strip.rows:
        bars = _bars(row.references, strip, "") + _bars(row.detected, strip, " detected")
        name = escape(row.label)
        parts.append(f'<div class="name" title="{name}">{name}</div><div class="lane">{bars}</div>')
    ticks = (start + (end - start) * n / (TICKS - 1) for n in range(TICKS))
    marks = "".join(
        f'<span style="left:{100 * n / (TICKS - 1):.2f}%">{_clock(tick)}</span>'
        for n, tick in enumerate(ticks)
    )
    parts.append(f'<div class="ticks">{marks}</div>')
    heading = f"{escape(strip.name)} <span>{_clock(start)} to {_clock(end)}</span>"
    return f'<h3>{heading}</h3>\n<div class="strip">{"".join(parts)}</div>'


def _bars(bars: Iterable[Bar], strip: Strip, kind: str) -> str:
    seconds = strip.span.duration
    drawn = []
    for bar in bars:
        left = max(0.0, bar.span.onset - strip.span.onset) / seconds
        right = min(seconds, bar.span.offset - strip.span.onset) / seconds
        drawn.append(
            f'<i class="{bar.kind}{kind}" title="{escape(bar.title)}" '
            f'style="left:{100 * left:.2f}%;width:{100 * (right - left):.2f}%"></i>'
        )
    return "".join(drawn)


def _clock(seconds: float) -> str:
    """Write minutes and seconds, and hours if there are any."""
    whole = round(seconds)
    clock = f"{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{whole // 3600}:{clock}" if whole >= 3600 else clock
