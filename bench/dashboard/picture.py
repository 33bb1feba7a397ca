"""Widgets of a dashboard -> a page of charts -> a picture, by a browser without a window."""

import html
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.dashboard.figures import BIN_SECONDS, Figures, Metric, Points

UNIT = 56  # pixels of a dashboard's unit
WIDTH = 24 * UNIT
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")


def page(body: Mapping[str, Any], figures: Figures) -> str:
    """Return the dashboard as a page."""
    parts = [
        f'<section style="left:{one["x"] * UNIT}px;top:{one["y"] * UNIT}px;'
        f'width:{one["width"] * UNIT - 8}px;height:{one["height"] * UNIT - 8}px">'
        f"<b>{html.escape(one['properties']['title'])}</b>{_content(one, figures)}</section>"
        for one in body["widgets"]
    ]
    style = (
        "body{margin:8px;font:12px sans-serif;position:relative} table{border-collapse:collapse}"
        "section{position:absolute;border:1px solid #ccc;padding:4px;box-sizing:border-box;"
        "overflow:hidden} td,th{padding:1px 8px;text-align:left}"
    )
    return f"<!doctype html><meta charset=utf-8><style>{style}</style>{''.join(parts)}"


def draw(text: str, height: int, target: Path) -> None:
    """Let a browser draw a page."""
    source = target.with_suffix(".html")
    source.write_text(text, "utf-8")
    subprocess.run(  # noqa: S603  our own page
        ["/usr/bin/env", "chromium", "--headless", "--no-sandbox", "--disable-gpu",
         f"--screenshot={target}", f"--window-size={WIDTH + 32},{height * UNIT + 32}",
         source.as_uri()],
        check=True,
        capture_output=True,
    )  # fmt: skip


def _content(widget: Mapping[str, Any], figures: Figures) -> str:
    properties = widget["properties"]
    if widget["type"] == "log":
        rows = figures.asked(properties["query"])
        if properties.get("view") != "timeSeries":
            return _table(rows)
        names = [name for name in (rows[0] if rows else {}) if not name.startswith("bin(")]
        series = {name: [(row[_time(row)], float(row[name])) for row in rows] for name in names}
        return _chart(series, widget)
    drawn: dict[str, Points] = {}
    for metric, statistic in _metrics(properties, figures):
        drawn[_label(metric)] = _binned(figures.points.get(metric, []), statistic)
    return _chart(drawn, widget)


def _time(row: Mapping[str, Any]) -> str:
    return next(name for name in row if name.startswith("bin("))


def _metrics(properties: Mapping[str, Any], figures: Figures) -> list[tuple[Metric, str]]:
    found: list[tuple[Metric, str]] = []
    before: list[str] = []
    for entry in properties["metrics"]:
        if isinstance(entry[0], dict):
            expression = entry[0]["expression"]
            statistic = "Maximum" if "'Maximum'" in expression else "Sum"
            found += [(metric, statistic) for metric in figures.searched(expression)]
            continue
        before = [before[at] if part == "." else part for at, part in enumerate(entry)]
        found += [(metric, properties["stat"]) for metric in figures.found(before)]
    return found


def _label(metric: Metric) -> str:
    return " ".join((metric.name, *(value for _, value in metric.dimensions)))


def _binned(points: Points, statistic: str) -> Points:
    bins: defaultdict[float, list[float]] = defaultdict(list)
    for at, value in points:
        bins[at // BIN_SECONDS * BIN_SECONDS].append(value)
    end = sum if statistic == "Sum" else max
    return [(at, float(end(values))) for at, values in sorted(bins.items())]


def _chart(series: Mapping[str, Points], widget: Mapping[str, Any]) -> str:
    wide, high = widget["width"] * UNIT - 60, widget["height"] * UNIT - 60 - 14 * len(series) // 2
    everything = [point for points in series.values() for point in points]
    if not everything:
        return "<p>no data</p>" + _legend(series)
    first, last = (end(at for at, _ in everything) for end in (min, max))
    top = max(value for _, value in everything) or 1
    lines = []
    for colour, points in zip(_colours(series), series.values(), strict=True):
        spots = [
            (40 + (at - first) / max(last - first, 1) * wide, 8 + (1 - value / top) * high)
            for at, value in points
        ]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in spots)
        dots = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="2"/>' for x, y in spots)
        line = f'<polyline points="{path}" fill="none"/>'
        lines.append(f'<g fill="{colour}" stroke="{colour}">{line}{dots}</g>')
    axis = f'<text x="0" y="14">{top:g}</text><text x="0" y="{high + 8}">0</text>'
    drawn = "".join(lines)
    return f'<svg width="{wide + 50}" height="{high + 16}">{axis}{drawn}</svg>{_legend(series)}'


def _colours(series: Mapping[str, Points]) -> list[str]:
    return [COLOURS[at % len(COLOURS)] for at in range(len(series))]


def _legend(series: Mapping[str, Points]) -> str:
    parts = zip(_colours(series), series, strict=True)
    return "".join(
        f'<span style="color:{colour}">&#9632; {html.escape(name)}</span> '
        for colour, name in parts
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "<p>no data</p>"
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    lines = ("".join(f"<td>{html.escape(str(cell))}</td>" for cell in row.values()) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
