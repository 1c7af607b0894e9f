"""The answer in words: what a table of correlations says, and what it does not."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from analysis.effects import effect
from topograph.errors import InsufficientDataError

_RAW = "pearson"
_HELD = {"within_cell": "within cells of equal degrees", "partial": "by regression"}


def verdicts(table: pd.DataFrame, held: str = "density", confidence: float = 0.95) -> list[str]:
    """One sentence a metric, after a sentence about all of them.

    Held fixed is judged within cells where the table has that method, for it needs no assumption about how accuracy
    depends on density; else by regression. No sentence speaks of causes: a correlation does not earn that.

    Parameters
    ----------
    table
        From `analysis.correlate`, with the methods ``pearson`` and ``within_cell`` or ``partial``.
    held
        What is held fixed, in a word.
    confidence
        The coverage that the table was made with.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"metric": ["gap"] * 2, "method": ["pearson", "within_cell"], "estimate": [0.8, 0.05],
    ...      "low": [0.7, -0.1], "high": [0.9, 0.2], "p_value": [0.0, 0.5], "n": [90] * 2, "n_clusters": [30] * 2}
    ... )
    >>> for line in verdicts(table): print(line)
    Raw, 1 of 1 metrics have a correlation with accuracy whose 95 % interval leaves zero out; with density held fixed
    (within cells of equal degrees), 0 of 1.
    gap: raw r = +0.80 (95 % CI +0.70 … +0.90); with density held fixed +0.05 (-0.10 … +0.20) within cells of equal
    degrees: not distinguishable from zero.
    """
    by_metric = {name: rows.set_index("method") for name, rows in table.groupby("metric", sort=False)}
    ways = [method for method in _HELD if method in set(table["method"])]
    known = [rows for rows in by_metric.values() if not math.isnan(rows["estimate"].get(_RAW, math.nan))]
    total = len(known)
    raw = sum(_is_clear(rows, _RAW) for rows in known)
    level = f"{100 * confidence:g} %"
    headline = f"Raw, {raw} of {total} metrics have a correlation with accuracy whose {level} interval leaves zero out"
    if ways:
        fixed = sum(_is_clear(rows, ways[0]) for rows in known)
        headline += f"; with {held} held fixed ({_HELD[ways[0]]}), {fixed} of {total}"
    headline += "."
    if total > 1:
        headline += f" ({total} were tried, so about {total * (1 - confidence):.1f} would seem to by chance alone.)"
    return [headline, *(_sentence(name, rows, ways, held, confidence) for name, rows in by_metric.items())]


def _sentence(name: str, rows: pd.DataFrame, ways: list[str], held: str, confidence: float) -> str:
    if math.isnan(rows["estimate"].get(_RAW, math.nan)):
        return f"{name}: cannot be correlated; it does not vary, or is mostly undefined."
    text = f"{name}: raw r = {_number(rows, _RAW, f'{100 * confidence:g} % CI ')}"
    defined = [way for way in ways if not math.isnan(rows["estimate"].get(way, math.nan))]
    if not ways:
        return f"{text}."
    if not defined:
        return f"{text}; with {held} held fixed nothing of it is left to vary."
    numbers = ", ".join(f"{_number(rows, way)} {_HELD[way]}" for way in defined)
    return f"{text}; with {held} held fixed {numbers}: {_judgement(rows, defined[0])}."


def _judgement(rows: pd.DataFrame, way: str) -> str:
    if not _is_clear(rows, way):
        return "not distinguishable from zero"
    same = (rows.loc[way, "estimate"] > 0) == (rows.loc[_RAW, "estimate"] > 0)
    return "a link remains" if same else "a link of the opposite sign remains"


def _number(rows: pd.DataFrame, method: str, level: str = "") -> str:
    row = rows.loc[method]
    if math.isnan(row["low"]):
        return f"{row['estimate']:+.2f} (too few topologies for an interval)"
    return f"{row['estimate']:+.2f} ({level}{row['low']:+.2f} … {row['high']:+.2f})"


def _is_clear(rows: pd.DataFrame, method: str) -> bool:
    """Whether the interval leaves zero out."""
    if method not in rows.index or math.isnan(rows.loc[method, "low"]):
        return False
    return bool(rows.loc[method, "low"] > 0 or rows.loc[method, "high"] < 0)


def verdict(frame: pd.DataFrame, metric: str, **options: Any) -> str:
    """What a metric goes with when degrees are held fixed, and what the study could have seen, in words.

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
        return f"{metric}: nothing can be said: {error}."
