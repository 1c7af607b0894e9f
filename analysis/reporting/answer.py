"""`Answer`: what a study says, in three sentences and the metrics whose link is clearest."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.effects import Effect
from analysis.frame.names import column_phrase, column_words
from analysis.naming import listed_columns
from analysis.words import HELD, RAW, Rows, is_clear, rows_by_metric

N_CLEAREST = 5
_WIDEST, _NARROWEST = 110, 80


@dataclass(frozen=True, eq=False)
class Answer:
    """What a study says, in short.

    Parameters
    ----------
    sentences
        At most three: how many metrics have a link, the clearest of them, and what the study is about.
    clearest
        One row per metric, the clearest first: ``metric, raw, fixed`` (numbers with their intervals, as text) and
        ``survives`` (Holm's correction, Benjamini and Hochberg's, or neither).
    order
        All metrics, the clearest first.
    held
        What is held fixed, in words.
    """

    sentences: tuple[str, ...]
    clearest: pd.DataFrame
    order: tuple[str, ...]
    held: str

    def lines(self, width: int | None = None) -> list[str]:
        """The sentences and the table as lines for a terminal, no more than 18.

        Parameters
        ----------
        width
            Columns of the terminal; by default those it has.
        """
        width = min(_WIDEST, max(_NARROWEST, width or shutil.get_terminal_size((100, 24)).columns))
        text = [line for sentence in self.sentences for line in textwrap.wrap(sentence, width)]
        return [*text, "", *_table_lines(self.clearest, width)]


def clarity(correlations: pd.DataFrame) -> pd.Series:
    r"""How clear the link of each metric is: its size over half the width of its interval.

    .. math:: 2 |\mathrm{artanh}\, r| / (\mathrm{artanh}\, h - \mathrm{artanh}\, l)

    Above 1, the interval :math:`l \ldots h` leaves zero out. Taken with density held fixed where the table has that,
    and on Fisher's scale, on which intervals are symmetric.

    Parameters
    ----------
    correlations
        From `analysis.correlate`.

    Returns
    -------
    pandas.Series
        Indexed by metric, the clearest first; NaN, without an interval, comes last.
    """
    way = held_way(correlations) or RAW
    rows = correlations[correlations["method"] == way].set_index("metric")
    low, high, middle = (np.arctanh(rows[name].clip(-1 + 1e-12, 1 - 1e-12)) for name in ("low", "high", "estimate"))
    values = 2 * middle.abs() / (high - low).clip(lower=1e-12)
    return pd.Series(values.sort_values(ascending=False, kind="stable", na_position="last"))


def held_way(correlations: pd.DataFrame) -> str | None:
    """The method that holds density fixed and on which judgements rest; None where there is none."""
    known = set(correlations.dropna(subset=["estimate"])["method"])
    return next((way for way in HELD if way in known), None)


def answer(
    correlations: pd.DataFrame, held: Sequence[str], control: Sequence[str], effects: Sequence[Effect]
) -> Answer:
    """The answer of a study.

    Parameters
    ----------
    correlations
        From `analysis.correlate`.
    held
        Columns that are equal within cells.
    control
        Columns held fixed by regression.
    effects
        The links of the metrics that the study is about, within cells.
    """
    order = clarity(correlations)
    way = held_way(correlations)
    by_metric = rows_by_metric(correlations)
    words = _held_words(way, held, control)
    outcome = column_words(str(correlations.attrs.get("outcome", "the outcome")))
    sentences = [_count(by_metric, way, words, outcome), _first(by_metric, str(order.index[0]), way)]
    sentences += [_about(effects, outcome)] if effects else []
    rows = [
        {
            "metric": column_words(name),
            "raw": _number(by_metric[name], RAW),
            "fixed": _number(by_metric[name], way) if way else "not computed",
            "survives": _survives(by_metric[name], way or RAW),
        }
        for name in map(str, order.index[:N_CLEAREST])
    ]
    return Answer(tuple(filter(None, sentences)), pd.DataFrame(rows), tuple(map(str, order.index)), words)


def _held_words(way: str | None, held: Sequence[str], control: Sequence[str]) -> str:
    if way is None:
        return "nothing"
    cells = listed_columns(held)
    plain = [name for name in control if name.removesuffix("_squared") == name or name[:-8] not in control]
    by = listed_columns(plain)
    if way == "partial":
        return f"{by} (by regression)"
    return cells if way == "within_cell" or not by else f"{cells} (and {by}, by regression)"


def _count(by_metric: dict[str, Rows], way: str | None, held: str, outcome: str) -> str:
    raw = sum(is_clear(rows, RAW) for rows in by_metric.values())
    start = f"Raw, {raw} of {len(by_metric)} metrics go with {outcome}"
    if way is None:
        return f"{start}; nothing could be held fixed, so density may be all that they show."
    clear = [rows for rows in by_metric.values() if is_clear(rows, way)]
    survive = {name: sum(rows[way][name] < 0.05 for rows in by_metric.values()) for name in ("p_bh", "p_holm")}
    known = sum(way in rows and pd.notna(rows[way]["estimate"]) for rows in by_metric.values())
    tests = "one test" if known == 1 else f"{known} tests"
    return (
        f"{start}; with {held} held fixed, {len(clear)} of {known} do. Corrected for {tests} it is "
        f"{survive['p_bh']} (Benjamini-Hochberg) and {survive['p_holm']} (Holm)."
    )


def _first(by_metric: dict[str, Rows], name: str, way: str | None) -> str:
    rows = by_metric[name]
    if way is None:
        return f"The clearest is {column_phrase(name)}: r = {_number(rows, RAW)}."
    verb = "is" if is_clear(rows, way) else "would be"
    unclear = "" if is_clear(rows, way) else " (the interval holds zero)"
    return (
        f"The clearest {verb} {column_phrase(name)}: r = {_number(rows, way)} with that held fixed{unclear}, and "
        f"{_number(rows, RAW)} raw."
    )


def _about(effects: Sequence[Effect], outcome: str) -> str:
    parts: list[str] = []
    for effect in effects[:2]:
        number = effect.unit.formatter(effect.change, effect.low, effect.high, effect.detectable)
        seen = "" if effect.is_clear else f"; {number(effect.detectable).lstrip('+')} could have been seen"
        unit = "" if parts else f" {effect.unit.of(outcome)}"
        verb = "with" if parts else "goes with"
        interval = f"({number(effect.low)} … {number(effect.high)}{seen})"
        parts.append(f"{column_phrase(effect.metric)} {verb} {number(effect.change)}{unit} {interval}")
    return f"Per standard deviation within cells, {', and '.join(parts)}; these are links, not causes."


def _number(rows: Rows, method: str) -> str:
    if method not in rows or pd.isna(rows[method]["estimate"]):
        return "not computed"
    row = rows[method]
    if pd.isna(row["low"]):
        return f"{row['estimate']:+.2f} (no interval)"
    return f"{row['estimate']:+.2f} ({row['low']:+.2f} … {row['high']:+.2f})"


def _survives(rows: Rows, way: str) -> str:
    if way not in rows:
        return "no"
    names = {"p_holm": "Holm", "p_bh": "BH"}
    return next((word for name, word in names.items() if rows[way][name] < 0.05), "no")


def _table_lines(table: pd.DataFrame, width: int) -> list[str]:
    heads = {"metric": "clearest metrics", "raw": "raw r (95 %)", "fixed": "held fixed", "survives": "survives"}
    columns = [[heads[name], *map(str, table[name])] for name in heads]
    widths = [max(map(len, column)) for column in columns]
    widths[0] = max(16, min(widths[0], width - sum(widths[1:]) - 6))
    lines = []
    for cells in zip(*columns, strict=True):
        first = cells[0] if len(cells[0]) <= widths[0] else cells[0][: widths[0] - 1] + "…"
        lines.append("  ".join(cell.ljust(w) for cell, w in zip((first, *cells[1:]), widths, strict=True)).rstrip())
    return lines
