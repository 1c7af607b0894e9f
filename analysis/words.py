"""The answer in words: what a table of correlations says, and what it does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.effects import effect
from analysis.frame.names import column_phrase, column_words
from analysis.naming import listed_columns
from topograph.errors import InsufficientDataError

RAW = "pearson"
HELD = ("within_cell_partial", "within_cell", "partial")
Rows = dict[str, dict[str, Any]]
"""What a table of correlations says of one metric: method → column → value."""


def verdicts(table: pd.DataFrame, held: str | None = None, confidence: float = 0.95) -> list[str]:
    """One sentence per metric, after a sentence about all of them.

    Held fixed is judged within cells where the table has that method, for it needs no assumption about how the outcome
    depends on density; else by regression. Where the ways disagree, that is said. The headline counts the metrics
    whose interval leaves zero out, and how many of them survive the correction for the number of metrics tried. No
    sentence speaks of causes: a correlation does not earn that.

    Parameters
    ----------
    table
        From `analysis.correlate`, with the methods ``pearson`` and ``within_cell`` or ``partial``.
    held
        Word for what is held fixed; by default ``density`` where the cells or the controls of the table hold a
        density, a sparsity or degrees fixed, else their names.
    confidence
        The coverage that the table was made with.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"metric": ["gap"] * 2, "method": ["pearson", "within_cell"], "estimate": [0.8, 0.05],
    ...      "low": [0.7, -0.1], "high": [0.9, 0.2], "p_value": [0.0, 0.5], "n": [90] * 2, "n_clusters": [30] * 2}
    ... )
    >>> for line in verdicts(table): print(line)
    Raw, 1 of 1 metrics have a correlation with the outcome whose 95 % interval leaves zero out; with density held fixed
    (within cells), 0 of 1.
    gap: raw r = +0.80 (95 % CI +0.70 … +0.90); with density held fixed +0.05 (-0.10 … +0.20) within cells: not
    distinguishable from zero.
    """
    by_metric = rows_by_metric(table)
    ways = [method for method in HELD if method in set(table["method"])]
    words = _Words(table, ways, held, confidence)
    sentences = (_sentence(name, rows, ways, words) for name, rows in by_metric.items())
    return [_headline(by_metric, ways, words), *sentences]


def rows_by_metric(table: pd.DataFrame) -> dict[str, Rows]:
    """A table of correlations by metric and method, to be read row by row: pandas is slow at that.

    Examples
    --------
    >>> rows_by_metric(pd.DataFrame({"metric": ["gap"], "method": ["pearson"], "estimate": [0.8]}))
    {'gap': {'pearson': {'estimate': 0.8}}}
    """
    by_metric: dict[str, Rows] = {}
    for row in table.to_dict("records"):
        by_metric.setdefault(str(row.pop("metric")), {})[str(row.pop("method"))] = row
    return by_metric


class _Words:
    """What a table's attributes say about how it was made."""

    def __init__(self, table: pd.DataFrame, ways: Sequence[str], held: str | None, confidence: float) -> None:
        self.confidence = confidence
        self.level = f"{100 * confidence:g} %"
        self.outcome = column_phrase(table.attrs.get("outcome", "the outcome"))
        self.reasons: dict[str, str] = table.attrs.get("reasons", {})
        self.not_computed: dict[str, str] = table.attrs.get("not_computed", {})
        cells = table.attrs.get("cells", [])
        control = table.attrs.get("control", [])
        holds = table.attrs.get("holds_density", {"within_cell": True, "partial": True})
        used = [way for way in ("within_cell", "partial") if any(name.startswith(way) for name in ways)]
        density = not used or all(holds[way] for way in used)
        self.held = held or ("density" if density else listed_columns([*cells, *control]) or "nothing")
        columns = {"within_cell": [*cells], "partial": [*control], "within_cell_partial": [*cells, *control]}
        holds = {**holds, "within_cell_partial": any(holds.values())}
        self.held_by = {
            way: held or ("density" if holds[way] or not names else listed_columns(names))
            for way, names in columns.items()
        }
        within = f"within cells of equal {listed_columns(cells)}" if cells else "within cells"
        regression = f"by regression on {listed_columns(control)}" if 0 < len(control) < 3 else "by regression"
        self.way = {"within_cell": within, "partial": regression, "within_cell_partial": f"{within}, and {regression}"}

        self.short = {
            "within_cell": "within cells",
            "partial": "by regression alone",
            "within_cell_partial": "within cells with controls",
        }

    def why_nothing(self) -> str:
        """Why nothing is held fixed in the table."""
        reasons = [self.not_computed[way] for way in ("within_cell", "partial") if way in self.not_computed]
        return "; ".join(reasons) or "no method that holds it fixed was asked for"


def _headline(by_metric: dict[str, Rows], ways: Sequence[str], words: _Words) -> str:
    known = {name: rows for name, rows in by_metric.items() if _defined(rows, RAW)}
    total, raw = len(known), sum(is_clear(rows, RAW) for rows in known.values())
    headline = (
        f"Raw, {raw} of {total} metrics have a correlation with {words.outcome} whose "
        f"{words.level} interval leaves zero out"
    )
    ways = [way for way in ways if any(_defined(rows, way) for rows in known.values())]
    if not ways:
        return f"{headline}; with {words.held} held fixed: not computed, because {words.why_nothing()}."
    way = ways[0]
    computed = {name: rows for name, rows in known.items() if _defined(rows, way)}
    clear = [rows for rows in computed.values() if is_clear(rows, way)]
    headline += f"; with {words.held_by[way]} held fixed ({words.way[way]}), {len(clear)} of {len(computed)}"
    if len(computed) > 1 and clear and all("p_bh" in rows[way] for rows in clear):
        level = 1 - words.confidence
        survive = {name: sum(rows[way][p] < level for rows in clear) for name, p in _CORRECTIONS.items()}
        headline += (
            f", of which {' and '.join(f'{count} by {name}' for name, count in survive.items())} survive the "
            f"correction for {len(computed)} tries"
        )
    headline += "."
    if len(computed) < total:
        headline += f" (For {total - len(computed)} of {total} it could not be computed.)"
    for pair, reason in (
        (("within_cell", "within_cell_partial"), "the controls still vary within cells"),
        (
            (way, "partial"),
            "regression compares different cells too, and may take their levels, or the bend of "
            f"{words.outcome}, for a link",
        ),
    ):
        apart = [name for name, rows in computed.items() if set(pair) <= set(ways) and _disagree(rows, pair)]
        if apart:
            shown = "; ".join(map(column_words, apart[:3])) + ("; …" if len(apart) > 3 else "")
            headline += (
                f" For {len(apart)} of {len(computed)} metrics ({shown}) the results {words.short[pair[0]]} and "
                f"{words.short[pair[1]]} disagree; a reason may be that {reason}."
            )
    return headline


_CORRECTIONS = {"Benjamini-Hochberg": "p_bh", "Holm": "p_holm"}


def _sentence(name: str, rows: Rows, ways: Sequence[str], words: _Words) -> str:
    label = column_words(name)
    if not _defined(rows, RAW):
        reason = words.reasons.get(name) or words.reasons.get(f"{name} ({RAW})")
        return f"{label}: cannot be correlated: {reason or 'it does not vary, or is mostly undefined'}."
    text = f"{label}: raw r = {_number(rows, RAW, f'{words.level} CI ')}"
    if not ways:
        return f"{text}; with {words.held} held fixed: not computed, because {words.why_nothing()}."
    defined = [way for way in ways if _defined(rows, way)]
    if not defined:
        reason = words.reasons.get(f"{name} ({ways[0]})") or "nothing of it is left to vary"
        return f"{text}; with {words.held} held fixed: not computed, because {reason}."
    numbers = ", ".join(f"{_number(rows, way)} {words.way[way]}" for way in defined)
    apart = "; the ways disagree" if _disagree(rows, defined) else ""
    held = {words.held_by[way] for way in defined}
    fixed = f"with {held.pop()} held fixed " if len(held) == 1 else ""  # else each way says what it holds fixed
    return f"{text}; {fixed}{numbers}: {_judgement(rows, defined[0])}{apart}."


def _judgement(rows: Rows, way: str) -> str:
    if math.isnan(rows[way]["low"]):
        return "no judgement without an interval"
    if not is_clear(rows, way):
        return "not distinguishable from zero"
    if not is_clear(rows, RAW):
        return "a link appears, which is not distinguishable from zero raw"
    same = (rows[way]["estimate"] > 0) == (rows[RAW]["estimate"] > 0)
    return "a link remains" if same else "a link of the opposite sign remains"


def _disagree(rows: Rows, ways: Sequence[str]) -> bool:
    """Whether one way leaves zero out and another does not, or both do on opposite sides."""
    signs = [
        math.copysign(1, rows[way]["estimate"]) if is_clear(rows, way) else 0.0
        for way in ways
        if _defined(rows, way) and not math.isnan(rows[way]["low"])
    ]
    return len(set(signs)) > 1


def _defined(rows: Rows, method: str) -> bool:
    return method in rows and not math.isnan(rows[method]["estimate"])


def _number(rows: Rows, method: str, level: str = "") -> str:
    row = rows[method]
    if math.isnan(row["low"]):
        return f"{row['estimate']:+.2f} (too few topologies for an interval)"
    return f"{row['estimate']:+.2f} ({level}{row['low']:+.2f} … {row['high']:+.2f})"


def is_clear(rows: Rows, method: str) -> bool:
    """Whether the interval of a method leaves zero out."""
    if method not in rows or math.isnan(rows[method]["low"]):
        return False
    return bool(rows[method]["low"] > 0 or rows[method]["high"] < 0)


def verdict(frame: pd.DataFrame, metric: str, **options: Any) -> str:
    """The link of a metric with an outcome within cells, and what the study could have seen, in words.

    A sentence from `analysis.effect`, whose options it takes; where the data cannot tell, the reason in its place.

    Examples
    --------
    >>> frame = pd.DataFrame({"gap": [0.1, 0.2], "test_accuracy": [0.9, 0.8], "topology_id": ["a", "b"]})
    >>> print(verdict(frame, "gap", cells=[]))
    gap: nothing can be said: 2 complete rows in 2 values of topology_id: at least 4 rows and 3 are needed.
    """
    try:
        return str(effect(frame, metric, **options))
    except InsufficientDataError as error:
        return f"{column_words(metric)}: nothing can be said: {error}."
