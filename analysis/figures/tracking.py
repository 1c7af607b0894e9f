"""Masks over time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from analysis.figures.registry import figure
from analysis.figures.style import escaped, legend_beside
from topograph.errors import InvalidParameterError, UnknownNameError

__all__ = ["mask_history"]

_NETWORK = "network"
_MOST_NAMED = 10


@figure()
def mask_history(
    history: pd.DataFrame, ax: Axes, *, metric: str = "turnover", layers: Iterable[str] | None = None
) -> None:
    """A metric of masks over time: one line per layer, and a black one for the network.

    Parameters
    ----------
    history
        The table of a `topograph.Tracker`, or what `topograph.tracking.read_history` read.
    metric
        One of its metrics.
    layers
        Those to draw; all by default, the first ten of them with their names.
    """
    needed = {"step", "layer", "metric", "value"}
    if not needed <= set(history.columns):
        raise InvalidParameterError(
            f"history must be the table of a tracker, with columns {', '.join(sorted(needed))}, but has "
            f"{', '.join(map(str, history.columns))}"
        )
    chosen = history[history["metric"] == metric]
    if chosen.empty:
        raise UnknownNameError.among("metric", metric, set(history["metric"]))
    names = list(dict.fromkeys(chosen["layer"])) if layers is None else list(layers)
    colours = sns.color_palette("colorblind", _MOST_NAMED)
    named = 0
    for name in names:
        line = chosen[chosen["layer"] == name].sort_values("step")
        if line.empty:
            raise UnknownNameError.among("layer", name, set(chosen["layer"]))
        style: dict[str, Any] = {"color": "0.8", "zorder": 1}
        if name == _NETWORK:
            style = {"color": "black", "linewidth": 2, "zorder": 3, "label": name}
        elif named < _MOST_NAMED:
            style = {"color": colours[named], "zorder": 2, "label": escaped(name)}
            named += 1
        ax.plot(line["step"], line["value"], marker="o" if len(line) < 40 else "", markersize=3, **style)
    ax.set_xlabel("step")
    ax.set_ylabel(escaped(metric.replace("_", " ")))
    legend_beside(ax, "layer")
