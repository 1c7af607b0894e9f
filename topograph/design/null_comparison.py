"""`compare_with_null`: what of a mask's metrics is more than its degrees, or its density, would give anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import numpy.typing as npt

from topograph.checks import Seed, check_integer, check_real
from topograph.design.nulls import Draw, get_null
from topograph.graph import BipartiteGraph
from topograph.masks.layers import read_layers
from topograph.masks.loading import open_source
from topograph.masks.maskset import MaskSet
from topograph.masks.options import Reading, ReadingOptions
from topograph.metrics.chunks import Item, measure_stream
from topograph.metrics.measured import Record
from topograph.metrics.measuring import by_source, network_records
from topograph.metrics.metric import Metric
from topograph.metrics.registry import select_metrics
from topograph.topology import Topology

if TYPE_CHECKING:
    import pandas as pd

_CONSTANT = "is the same for every null graph"


def compare_with_null(
    source: Any,
    metrics: str | Iterable[str] | None = None,
    *,
    null: str | Callable[[BipartiteGraph, np.random.Generator], BipartiteGraph] = "rewired",
    draws: int = 100,
    level: float = 0.95,
    seed: Seed = 0,
    workers: int | None = None,
    **options: Unpack[ReadingOptions],
) -> pd.DataFrame:
    """Compare every metric of a mask, a network or a file with its values on random graphs that share the basics.

    A density or a sequence of degrees fixes much of what a metric can be. What is left is seen against graphs that have
    the same, and are otherwise random.

    Parameters
    ----------
    source
        Whatever `topograph.measure` takes; a mapping of several such sources is compared one by one.
    metrics
        Names of metrics or groups, as for `topograph.measure`.
    null
        What the random graphs share with each layer:

        =================  ========================================================================================
        ``"rewired"``      the degree of every neuron (double edge swaps, see `topograph.design.rewire`)
        ``"layerwise"``    the number of edges of every layer
        ``"erdos_renyi"``  the number of edges of the whole network: how many fall into a layer is random, too
        a construction     the number of edges of every layer, in a graph of that construction
        a function         ``null(graph, generator)`` gives a graph of the same sizes
        =================  ========================================================================================
    draws
        How many null graphs are drawn for each layer.
    level
        The share of the null values between ``low`` and ``high``.
    seed
        Source of the null graphs; the same seed gives the same ones.
    workers
        Processes, as for `topograph.measure`.
    **options
        How the source is read: the fields of `topograph.masks.Reading`.

    Returns
    -------
    pandas.DataFrame
        One row per layer (and ``"network"``, for a chain) and metric, with ``value``; ``null_mean``, ``null_std`` and
        the quantiles ``low`` and ``high`` of the null values; ``z`` = (value − null_mean) / null_std; ``percentile``,
        the per cent of the null values below the value, ties counted half; ``p_value``, two-sided and never 0:
        min(1, 2 (1 + k) / (1 + draws)) with k the null values on the rarer side, ties included; ``draws``, the null
        graphs on which the metric is defined; ``reason``, why there is no value or no ``z``. ``attrs`` holds ``null``
        in words and ``left_out``, what was not a mask, with the reasons.

    Raises
    ------
    InvalidMaskError, InvalidParameterError, UnknownNameError

    References
    ----------
    * Maslov & Sneppen (2002), Specificity and stability in topology of protein networks.
    * Phipson & Smyth (2010), Permutation p-values should never be zero.

    Examples
    --------
    >>> from topograph import construct
    >>> ring = construct("regular_rotating", 60, 40, degree=4)
    >>> table = compare_with_null(ring, ["algebraic_connectivity", "left_degree_mean"], draws=50)
    >>> row = table.loc[("graph", "algebraic_connectivity")]
    >>> bool(row["z"] < -5), float(row["percentile"]), table.loc[("graph", "left_degree_mean"), "reason"]
    (True, 0.0, 'is the same for every null graph')
    """
    draw, words = get_null(null)
    draws = check_integer("draws", draws, low=2)
    level = check_real("level", level, low=0, high=1, include_low=False, include_high=False)
    chosen = select_metrics(metrics)

    def compare(one: Any) -> pd.DataFrame:
        reading = Reading.of(options)
        with open_source(one) as opened:
            masks = MaskSet.from_layers(opened.label, read_layers(opened, reading), is_chain=opened.is_chain)
        observed = _records(masks, list(masks.values()), chosen, workers)
        seeds = _seed_sequence(seed).spawn(draws)
        nulls = _null_records(masks, draw, seeds, chosen, workers)
        table = _table(observed, nulls, level)
        table.attrs |= {"null": words, "left_out": dict(masks.left_out)}
        return table

    return by_source(source, compare)


def _seed_sequence(seed: Seed) -> np.random.SeedSequence:
    if isinstance(seed, np.random.SeedSequence):
        return seed
    if isinstance(seed, np.random.Generator):
        return np.random.SeedSequence(int(seed.integers(2**63)))
    return np.random.SeedSequence(check_integer("seed", seed, low=0))


def _records(
    masks: Mapping[str, BipartiteGraph], graphs: Sequence[BipartiteGraph], metrics: list[Metric], workers: int | None
) -> list[Record]:
    """The metrics of one set of graphs under the names of the layers, and of the network that they form."""
    items = [Item(name, graph) for name, graph in zip(masks, graphs, strict=True)]
    records = [r for part in measure_stream(iter(items), metrics, total=len(items), workers=workers) for r in part]
    if isinstance(masks, MaskSet) and masks.is_chain and not masks.left_out:
        records += network_records(Topology(graphs), metrics)
    return records


def _null_records(
    masks: MaskSet,
    draw: Draw,
    seeds: Sequence[np.random.SeedSequence],
    metrics: list[Metric],
    workers: int | None,
) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Value and residual of each layer and metric on each null graph on which it is defined."""
    observed = list(masks.values())
    names = list(masks)
    network: list[Record] = []
    is_chain = masks.is_chain and not masks.left_out

    def items() -> Iterator[Item]:
        for sequence in seeds:
            graphs = draw(observed, np.random.default_rng(sequence))
            yield from (Item(name, graph) for name, graph in zip(names, graphs, strict=True))
            if is_chain:
                network.extend(network_records(Topology(graphs), metrics))

    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    total = len(seeds) * len(names)
    records = [r for part in measure_stream(items(), metrics, total=total, workers=workers) for r in part]
    for layer, metric, value, residual, reason in [*records, *network]:
        if reason is None:
            found.setdefault((layer, metric), []).append((value, residual))
    return found


def _table(
    observed: list[Record], nulls: dict[tuple[str, str], list[tuple[float, float]]], level: float
) -> pd.DataFrame:
    import pandas as pd

    rows = {}
    for layer, metric, value, residual, reason in observed:
        pairs = np.array(nulls.get((layer, metric), []), dtype=float).reshape(-1, 2)
        rows[layer, metric] = _row(value, residual, reason, pairs[:, 0], pairs[:, 1], level)
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["layer", "metric"])
    return table


def _row(
    value: float,
    residual: float,
    reason: str | None,
    nulls: npt.NDArray[np.float64],
    residuals: npt.NDArray[np.float64],
    level: float,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "value": value,
        **dict.fromkeys(("null_mean", "null_std", "low", "high", "z", "percentile", "p_value"), np.nan),
        "draws": nulls.size,
        "reason": reason or "",
    }
    if nulls.size:
        row["null_mean"] = float(nulls.mean())
        row["null_std"] = float(nulls.std(ddof=1)) if nulls.size > 1 else np.nan
        row["low"], row["high"] = (float(q) for q in np.quantile(nulls, [(1 - level) / 2, (1 + level) / 2]))
    if reason is not None:
        return row
    if nulls.size < 2:
        row["reason"] = "undefined on all null graphs but one" if nulls.size else "undefined on all null graphs"
        return row
    # two numbers are told apart when they differ by more than both can be wrong
    doubt = np.nan_to_num(residual) + np.nan_to_num(residuals) + 1e-12 * np.maximum(abs(value), np.abs(nulls))
    below, above = value - nulls > doubt, nulls - value > doubt
    ties = ~below & ~above
    row["percentile"] = 100 * float(np.mean(below + ties / 2))
    rarer = min(np.count_nonzero(below | ties), np.count_nonzero(above | ties))
    row["p_value"] = min(1.0, 2 * (1 + rarer) / (1 + nulls.size))
    if row["null_std"] <= 1e-12 * abs(row["null_mean"]) + float(np.nan_to_num(residuals).max()):
        row["reason"] = _CONSTANT
        return row
    row["z"] = (value - row["null_mean"]) / row["null_std"]
    return row
