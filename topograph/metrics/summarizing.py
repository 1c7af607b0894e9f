"""`summary`: the handful of numbers that one asks first of a mask, a model or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from topograph.masks.options import ReadingOptions
from topograph.metrics.measuring import measure

if TYPE_CHECKING:
    import pandas as pd

_COUNTS = ("n_left", "n_right", "n_edges", "isolated_left", "isolated_right", "n_components")
_COLUMNS = (*_COUNTS[:3], "density", *_COUNTS[3:], "algebraic_connectivity", "normalized_gap")


def summary(source: Any, **options: Unpack[ReadingOptions]) -> pd.DataFrame:
    """Sizes, density, isolated neurons, components and two gaps of every layer, and of the network.

    Parameters
    ----------
    source
        Whatever `topograph.measure` takes.
    **options
        How the source is read: the fields of `topograph.masks.Reading`.

    Returns
    -------
    pandas.DataFrame
        One row per layer and, for a topology, a row ``"network"``; counts are whole numbers (``<NA>`` where a network
        has none). ``attrs["left_out"]`` maps what is not a mask to the reason.

    Raises
    ------
    InvalidMaskError, InvalidParameterError

    Examples
    --------
    >>> summary([[1, 1, 0], [0, 1, 1]])[["n_left", "n_right", "n_edges", "n_components", "normalized_gap"]].round(3)
           n_left  n_right  n_edges  n_components  normalized_gap
    layer
    graph       2        3        4             1           0.293
    """
    table = measure(source, _COLUMNS, **options)
    short = table[list(_COLUMNS)].astype(dict.fromkeys(_COUNTS, "Int64"))
    short.attrs = dict(table.attrs)
    return short
