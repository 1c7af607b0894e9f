"""`Explorer`: a chart of single networks in which the reader chooses what is shown, drawn by Vega-Lite."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pooch
import seaborn as sns

from analysis.cells import cell_codes
from analysis.frame.names import column_words
from topograph.files import whole
from topograph.packages import require

_MOST_RUNS = 2000
_MOST_NUMBERS = 50_000  # values of metrics in the page
_SHOWN = ("construction", "degrees", "architecture", "dataset", "trainer", "variant")


def has_renderer() -> bool:
    """Whether Vega-Lite is installed: it comes with the extra ``report``."""
    return find_spec("vl_convert") is not None


@lru_cache(maxsize=1)
def renderer() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that fetches nothing.

    Putting it together takes seconds, so it is kept in the user's folder of caches for the next report.

    Raises
    ------
    MissingDependencyError
        When ``vl-convert-python`` is not installed.
    """
    maker = require("vl_convert", "report")
    kept = Path(pooch.os_cache("topograph")) / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError, UnicodeDecodeError):
        return kept.read_text(encoding="utf-8")
    script = str(maker.javascript_bundle())
    with suppress(OSError):  # a folder that cannot be written to costs time only
        kept.parent.mkdir(parents=True, exist_ok=True)
        with whole(kept) as file:
            file.write(script.encode())
    return script


@dataclass(frozen=True, eq=False)
class Explorer:
    """The networks as points: metric, outcome, colour, and raw or at fixed density, as the reader chooses.

    Parameters
    ----------
    frame
        One row per run.
    metrics
        Columns that can be chosen to the right, the first at the start.
    outcomes
        Columns that can be chosen upwards.
    cells
        Columns that together name a cell; None where the table has none.
    cell_words
        What is equal within cells.
    """

    frame: pd.DataFrame
    metrics: Sequence[str]
    outcomes: Sequence[str]
    cells: Sequence[str] | None
    cell_words: str

    def html(self) -> str:
        """The chart's place and its data; or which extra would bring it."""
        if not has_renderer():
            return (
                "<p>The explorer is left out, since this page was made without its renderer: install "
                "<code>pip install 'topograph[report]'</code> and make the report again.</p>"
            )
        spec, shown = self.spec()
        data = json.dumps(spec, separators=(",", ":"), allow_nan=False, default=str).replace("<", "\\u003c")
        total = len(self.frame)
        sample = (
            f" Shown are {shown} of {total} networks, whole topologies drawn at random: the numbers above use all."
            if shown < total
            else ""
        )
        return (
            "<p class='needs-script'>Hover for the network behind a point; click an entry of the legend to single it "
            f"out.{html.escape(sample)}</p>"
            "<noscript><p>The explorer needs scripts; everything else on this page does without.</p></noscript>"
            "<div id='explorer-controls' class='needs-script'></div>"
            "<div id='explorer-chart' class='scroll' role='figure' aria-label='Chart of single networks'></div>"
            f"<script type='application/json' id='explorer-spec'>{data}</script>"
        )

    def spec(self) -> tuple[dict[str, Any], int]:
        """The chart in Vega-Lite, and how many networks it shows. Names are data in it, never expressions."""
        rows = self._sampled()
        rows = rows.reindex(columns=rows.columns.union([*_SHOWN, "seed"], sort=False))
        topologies, place = self._topologies(rows)
        colours = [name for name in _SHOWN if rows[name].nunique() > 1] or ["construction"]
        colours = [name for name in colours if rows[name].nunique() <= 40] or colours[:1]
        held = self.cells is not None
        codes = cell_codes(rows, self.cells or ())
        words = rows[colours].astype("string").fillna("unknown").to_numpy()
        outcomes = _rounded(rows[list(self.outcomes)])
        names = rows["topology_id"].astype("string").str[:12].fillna("").tolist()
        seeds = rows["seed"].astype("string").fillna("").tolist()
        built = rows["construction"].astype("string").fillna("unknown").tolist()
        degrees = rows["degrees"].astype("string").fillna("unknown").tolist()
        points = [
            {"t": t, "y": y, "c": list(map(str, c)), "k": int(k), "id": i, "s": s, "b": b, "d": d}
            for t, y, c, k, i, s, b, d in zip(
                place.tolist(), outcomes, words, codes, names, seeds, built, degrees, strict=True
            )
        ]
        palette = sns.color_palette("colorblind", 10).as_hex()
        view = {
            "name": "view",
            "value": "raw",
            "bind": {"input": "radio", "options": ["raw", "fixed"], "name": "Shown ",
                     "labels": ["as it is", f"deviation from the mean at equal {self.cell_words}"]},
        } if held else {"name": "view", "value": "raw"}  # fmt: skip
        return {
            "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
            "width": "container",
            "height": 380,
            "autosize": {"type": "fit", "contains": "padding"},
            "background": None,
            "datasets": {
                "runs": points,
                "topologies": [{"t": i, "x": values} for i, values in enumerate(_rounded(topologies))],
            },
            "data": {"name": "runs"},
            "params": [
                {"name": "metrics", "value": [column_words(name) for name in self.metrics]},
                {"name": "outcomes", "value": [column_words(name) for name in self.outcomes]},
                _select("metric", "Metric ", self.metrics),
                _select("outcome", "Outcome ", self.outcomes),
                _select("colour", "Colour ", colours),
                view,
                {"name": "picked", "select": {"type": "point", "fields": ["shade"]}, "bind": "legend"},
            ],
            "title": {
                "text": {"expr": "outcomes[outcome] + ' against ' + metrics[metric]"},
                "subtitle": {
                    "expr": "view == 'raw' ? 'as it is: nothing is held fixed'"
                    " : 'deviations from the mean of the cell'"
                },
                "anchor": "start",
            },
            "transform": [
                {"lookup": "t", "from": {"data": {"name": "topologies"}, "key": "t", "fields": ["x"]}},
                {"calculate": "datum.x[metric]", "as": "metric_raw"},
                {"calculate": "datum.y[outcome]", "as": "outcome_raw"},
                {"filter": "isValid(datum.metric_raw) && isValid(datum.outcome_raw)"},
                {
                    "joinaggregate": [
                        {"op": "mean", "field": "metric_raw", "as": "metric_mean"},
                        {"op": "mean", "field": "outcome_raw", "as": "outcome_mean"},
                    ],
                    "groupby": ["k"],
                },
                {"calculate": "datum.metric_raw - (view == 'raw' ? 0 : datum.metric_mean)", "as": "across"},
                {"calculate": "datum.outcome_raw - (view == 'raw' ? 0 : datum.outcome_mean)", "as": "up"},
                {"calculate": "datum.c[colour]", "as": "shade"},
            ],
            "mark": {"type": "point", "filled": True, "size": 34, "aria": False},
            "encoding": {
                "x": {"field": "across", "type": "quantitative", "scale": {"zero": False}, "title": None,
                      "axis": {"tickCount": 8}},
                "y": {"field": "up", "type": "quantitative", "scale": {"zero": False}, "title": None},
                "color": {"field": "shade", "type": "nominal", "title": None,
                          "scale": {"range": palette},
                          "legend": {"orient": "bottom", "columns": {"expr": "max(1, floor(width / 150))"},
                                     "symbolLimit": 40}},
                "opacity": {"condition": {"param": "picked", "value": 0.75}, "value": 0.06},
                "tooltip": [
                    {"field": "b", "type": "nominal", "title": "construction"},
                    {"field": "d", "type": "nominal", "title": "degrees"},
                    {"field": "id", "type": "nominal", "title": "topology"},
                    {"field": "s", "type": "nominal", "title": "training seed"},
                    {"field": "metric_raw", "type": "quantitative", "title": "metric", "format": ".4g"},
                    {"field": "outcome_raw", "type": "quantitative", "title": "outcome", "format": ".4g"},
                ],
            },
        }, len(rows)  # fmt: skip

    def _sampled(self) -> pd.DataFrame:
        """All runs, or whole topologies drawn at random where the page would grow too large."""
        topologies = self.frame["topology_id"]
        numbers, names = pd.factorize(topologies)
        per_run = self._varies_within_topologies()
        room = _MOST_NUMBERS // max(1, len(self.metrics))
        if len(self.frame) <= _MOST_RUNS and (len(self.frame) if per_run else len(names)) <= room:
            return self.frame
        order = np.random.default_rng(0).permutation(len(names))
        runs = np.cumsum(np.bincount(numbers, minlength=len(names))[order])
        used = np.cumsum(np.bincount(numbers, minlength=len(names))[order] if per_run else np.ones(len(names)))
        taken = order[(runs <= _MOST_RUNS) & (used <= room)]
        return self.frame[np.isin(numbers, taken)]

    def _varies_within_topologies(self) -> bool:
        by_topology = self.frame.groupby("topology_id", sort=False)[list(self.metrics)]
        return bool((by_topology.nunique() > 1).any().any())

    def _topologies(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
        """The metrics, one row per topology (or per run, where they differ from run to run), and each run's row."""
        if self._varies_within_topologies():
            return rows[list(self.metrics)], np.arange(len(rows))
        place, _ = pd.factorize(rows["topology_id"])
        first = np.unique(place, return_index=True)[1]
        return rows.iloc[first][list(self.metrics)], place


def _select(name: str, words: str, columns: Sequence[str]) -> dict[str, Any]:
    labels = [column_words(column) for column in columns]
    options = list(range(len(labels)))
    return {"name": name, "value": 0, "bind": {"input": "select", "options": options, "labels": labels, "name": words}}


def _rounded(table: pd.DataFrame) -> list[list[float | None]]:
    """The rows of a table with five significant digits; None where undefined."""
    values = table.to_numpy(dtype=float, na_value=np.nan)
    return [[float(f"{v:.5g}") if np.isfinite(v) else None for v in row] for row in values]
