"""`Forest`: one row per metric, the clearest first; each opens its definition and its slopes in single cells."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from analysis.frame.names import column_words, layer_words, split_name
from topograph.metrics import describe_metrics

_MOST_CELLS = 16
_OWN = "of the table"


@dataclass(frozen=True, eq=False)
class Row:
    """A metric of the forest.

    Parameters
    ----------
    metric
        The column.
    estimates
        Method → estimate, low, high, number of topologies.
    sentence
        What is found, in words.
    slopes
        From `cell_slopes`; empty where there are no cells.
    """

    metric: str
    estimates: Mapping[str, tuple[float, float, float, int]]
    sentence: str
    slopes: pd.DataFrame

    @property
    def layer(self) -> str:
        """The layer, in words."""
        layer = split_name(self.metric)[0]
        return layer_words(layer) if layer else _OWN

    @property
    def group(self) -> str:
        """The group of metrics."""
        return str(_definition(split_name(self.metric)[1]).get("group", _OWN))


@dataclass(frozen=True, eq=False)
class Forest:
    """All metrics with their correlations, raw and with density held fixed, as rows that open.

    Parameters
    ----------
    rows
        The metrics, in order.
    raw, fixed
        The method of either mark; ``fixed`` may be None.
    fixed_words
        What is held fixed.
    unit
        Unit of the slopes in cells.
    """

    rows: Sequence[Row]
    raw: str
    fixed: str | None
    fixed_words: str
    unit: str

    def html(self) -> str:
        """The forest as HTML."""
        filters = (
            _choice("layer", "Layer", (row.layer for row in self.rows))
            + _choice("group", "Group", (row.group for row in self.rows))
            + "<label><input type='checkbox' data-filter='clear'> only where zero is left out</label>"
            + "<span role='status' data-count></span>"
        )
        legend = (
            f"<span class='mark raw'>●</span> raw <span class='mark fixed'>■</span> {html.escape(self.fixed_words)}"
        )
        rows = "".join(self._row(row) for row in self.rows)
        return (
            f"<div class='filters needs-script' data-filters>{filters}</div>"
            f"<p class='legend'>{legend} held fixed; lines are 95 % intervals, from −1 to 1.</p>"
            f"<div class='forest'>{rows}</div>"
        )

    def _row(self, row: Row) -> str:
        ways = [(self.raw, "raw", 8), *([(self.fixed, "fixed", 20)] if self.fixed else [])]
        marks, numbers, is_clear = [], [], False
        for way, kind, y in ways:
            estimate, low, high, _ = row.estimates.get(way, (float("nan"),) * 3 + (0,))
            if pd.isna(estimate):
                numbers.append(f"<span class='{kind}'>–</span>")
                continue
            marks.append(_mark(kind, y, estimate, low, high))
            is_clear = low > 0 or high < 0
            numbers.append(f"<span class='{kind}'>{_signed(estimate)}</span>")
        picture = (
            "<svg viewBox='-104 0 208 28' preserveAspectRatio='none' aria-hidden='true'>"
            f"<path class='zero' d='M0 0V28'/>{''.join(marks)}</svg>"
        )
        name = column_words(split_name(row.metric)[1] if split_name(row.metric)[0] else row.metric)
        return (
            f"<details data-layer='{_safe(row.layer)}' data-group='{_safe(row.group)}' data-clear='{int(is_clear)}'>"
            f"<summary><span class='name'>{html.escape(name)} <small>{html.escape(row.layer)}</small></span>"
            f"{picture}<span class='numbers'>{' '.join(numbers)}</span></summary>{self._opened(row)}</details>"
        )

    def _opened(self, row: Row) -> str:
        known = _definition(split_name(row.metric)[1])
        parts = [f"<p>{html.escape(row.sentence)}</p>"]
        if known:
            said = f"{known['summary']}; range {known['range']}"
            said += f"; {known['direction']} is better connected" if known["direction"] in ("higher", "lower") else ""
            parts.append(
                f"<p><strong>Definition.</strong> {html.escape(said)}. Column <code>{_safe(row.metric)}</code>.</p>"
            )
        else:
            parts.append(f"<p>A column of the table: <code>{_safe(row.metric)}</code>.</p>")
        counts = {way: values[3] for way, values in row.estimates.items() if way in (self.raw, self.fixed)}
        words = [f"{counts[self.raw]} topologies raw"] if self.raw in counts else []
        words += [f"{counts[self.fixed]} with {self.fixed_words} held fixed"] if self.fixed in counts else []
        parts.append(f"<p><strong>Rests on</strong> {html.escape(', '.join(words))}.</p>")
        if len(row.slopes):
            parts.append(_slopes(row.slopes, self.unit))
        return f"<div class='opened'>{''.join(parts)}</div>"


def _slopes(slopes: pd.DataFrame, unit: str) -> str:
    """The slope of each cell as a bar and a number."""
    shown = slopes.head(_MOST_CELLS)
    largest = max(float(shown["slope"].abs().max()), 1e-300)
    lines = []
    for cell, slope, count in shown.itertuples(index=False, name=None):
        length = 40 * slope / largest
        bar = f"<svg viewBox='-42 0 84 10' aria-hidden='true'><path d='M0 5h{length:.1f}'/></svg>"
        lines.append(f"<tr><td>{html.escape(cell)}<td>{bar}<td>{slope:+.3g}<td>{count}</tr>")
    more = f" (the {_MOST_CELLS} cells with most topologies of {len(slopes)})" if len(slopes) > len(shown) else ""
    up = int((slopes["slope"] > 0).sum())
    caption = f"Slope in each cell{more}: {unit} per standard deviation within cells; above 0 in {up} of {len(slopes)}"
    return (
        f"<div class='scroll'><table class='slopes'><caption>{html.escape(caption)}</caption>"
        "<thead><tr><th scope='col'>cell<th scope='col'><span class='hidden'>bar</span><th scope='col'>slope"
        f"<th scope='col'>topologies</thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _mark(kind: str, y: int, estimate: float, low: float, high: float) -> str:
    line = "" if pd.isna(low) else f"<path class='{kind}' d='M{100 * low:.1f} {y}H{100 * high:.1f}'/>"
    return f"{line}<path class='{kind} point' d='M{100 * estimate:.1f} {y}h.01'/>"


def _choice(name: str, title: str, values: Iterable[str]) -> str:
    different = list(dict.fromkeys(values))
    options = "".join(f"<option value='{_safe(value)}'>{html.escape(value)}</option>" for value in different)
    return f"<label>{title} <select data-filter='{name}'><option value=''>all</option>{options}</select></label>"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _safe(value: object) -> str:
    return html.escape(str(value), quote=True)


@lru_cache(maxsize=1)
def _definitions() -> dict[str, dict[str, str]]:
    return {str(name): dict(row) for name, row in describe_metrics().iterrows()}


def _definition(name: str) -> dict[str, str]:
    """What the catalogue says of a metric; empty for a stranger's."""
    return _definitions().get(name, {})
