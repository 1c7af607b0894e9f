"""How well each method does, and how much better than its control: means over seeds, and what to say of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from scipy.stats import t as student

from analysis.frame.names import column_words, is_layer
from analysis.naming import listed
from analysis.units import Unit
from trainers.pruning.pruner import available_pruners

CONTROLS = {
    "shuffled_layers": "their random tickets (as many edges per layer, drawn anew)",
    "null": "networks of the same degrees, edges otherwise at random",
}
"""Variant that a pruner's masks are compared with → what it is, in words."""


def accuracies(plain: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Mean outcome of each method at each density, with Student's interval over seeds."""
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for (method, degrees), runs in plain.groupby(["method", "degrees"], sort=False):
        known = runs.dropna(subset=[outcome])
        if len(known):
            rows[method, degrees] = {
                "density": network_density(known),
                **_mean(known.groupby(_cluster(known))[outcome].mean()),
                "runs": len(known),
            }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["method", "degrees"])
    return table.sort_values(["density", "mean"], ascending=[True, False], kind="stable")


def differences_from_controls(runs: pd.DataFrame, cells: Sequence[str], outcome: str) -> pd.DataFrame:
    """How much better the masks of each pruner are than each of their controls, seed by seed."""
    keys = list(dict.fromkeys([*cells, "degrees", "method", "topology_seed", "seed"]))
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for pruner in pruners_in(runs):
        part = runs[(runs["construction"] == pruner) & (runs["rewiring"].fillna("none") == "none")]
        for control in CONTROLS:
            differences = _differences(
                part[part["variant"] == "plain"], part[part["variant"] == control], keys, outcome
            )
            if len(differences):
                rows |= {(pruner, control, degrees): row for degrees, row in _table_of(differences)}
    return _frame_of(rows, ["method", "control", "degrees"])


def differences_by_rule(runs: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """How much better the networks of each rewiring rule are than the same ones with fixed edges, seed by seed."""
    keys = ["topology_id", "degrees", "topology_seed", "seed", "dataset", "trainer", "variant"]
    fixed = runs[runs["rewiring"].fillna("none") == "none"]
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for method, part in runs[runs["rewiring"].fillna("none") != "none"].groupby("method", sort=True):
        differences = _differences(part, fixed, keys, outcome)
        if len(differences):
            rows |= {(method, degrees): row for degrees, row in _table_of(differences)}
    return _frame_of(rows, ["method", "degrees"])


def pruners_in(frame: pd.DataFrame) -> list[str]:
    """The pruners among the constructions, with their options, such as ``imp(rate=0.5)``."""
    known = set(available_pruners())
    return [name for name in sorted(set(frame["construction"].dropna())) if str(name).partition("(")[0] in known]


def network_density(runs: pd.DataFrame) -> float:
    """Of the whole networks, on average; NaN where the sizes are not known."""
    if "model" in runs.columns and "network_density" in runs.columns:
        return float(runs["network_density"].mean())
    layers = [name[: -len("_n_edges")] for name in map(str, runs.columns) if name.endswith("_n_edges")]
    layers = [layer for layer in layers if is_layer(layer) and f"{layer}_n_left" in runs.columns]
    edges = sum(runs[f"{layer}_n_edges"] for layer in layers)
    room = sum(runs[f"{layer}_n_left"] * runs[f"{layer}_n_right"] for layer in layers)
    return float((edges / room).mean()) if layers else math.nan


def blocks(table: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """The blocks of a table that differ in degrees only, each indexed by those."""
    if len(table):
        levels = list(table.index.names[:-1])
        for key, rows in table.groupby(level=levels, sort=False):
            yield (key if isinstance(key, tuple) else (str(key),)), rows.droplevel(levels)


def difference_sentence(rows: pd.DataFrame, start: str, densities: Mapping[str, str], unit: Unit, outcome: str) -> str:
    """Over all densities, and at which of them the difference is clear."""
    row, each = rows.loc["all"], rows.drop(index="all")
    values = [row[key] * unit.scale for key in ("difference", "low", "high")]
    write = unit.formatter(*values)
    if math.isnan(row["low"]):
        return f"{start}: {write(values[0])} {unit.of(column_words(outcome))}; with one seed, nothing more can be said."
    said = (
        f"{start}: {write(values[0])} {unit.of(column_words(outcome))} ({write(values[1])} … {write(values[2])}; "
        f"{int(row['seeds'])} seeds)"
    )
    if len(each) == 1:
        return f"{said}, {_told(row)}."
    told: dict[str, list[str]] = {}
    for degrees in (name for name in densities if name in each.index):
        told.setdefault(_told(each.loc[degrees]), []).append(densities[degrees])
    where = [f"{words} at {listed(names)}" for words, names in told.items()]
    return f"{said} on average over {len(each)} densities; {', '.join(where)}."


def _cluster(runs: pd.DataFrame) -> str:
    """What the errors of different runs have in common: the topology's seed, where there are several."""
    return "topology_seed" if runs["topology_seed"].nunique() > 1 else "seed"


def _mean(values: pd.Series) -> dict[str, float]:
    """Mean with Student's 95 % interval; NaN for one value."""
    count, mean = len(values), float(values.mean())
    half = float(student.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan
    return {"mean": mean, "low": mean - half, "high": mean + half, "seeds": count}


def _differences(runs: pd.DataFrame, other: pd.DataFrame, keys: Sequence[str], outcome: str) -> pd.DataFrame:
    """Runs minus those of equal keys, with the columns ``difference``, ``degrees`` and the cluster."""
    first, second = (part.groupby(list(keys), dropna=False)[outcome].mean() for part in (runs, other))
    return (first - second).dropna().rename("difference").reset_index()


def _table_of(differences: pd.DataFrame) -> Iterator[tuple[str, dict[str, float]]]:
    """Per degrees, and over all; runs of one seed count as one."""
    cluster = _cluster(differences)
    for degrees, rows in differences.groupby("degrees", sort=False):
        yield str(degrees), {**_mean(rows.groupby(cluster)["difference"].mean()), "pairs": len(rows)}
    yield "all", {**_mean(differences.groupby(cluster)["difference"].mean()), "pairs": len(differences)}


def _frame_of(rows: dict[tuple[str, ...], dict[str, float]], names: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(rows, orient="index").rename(columns={"mean": "difference"})
    if rows:
        table.index = pd.MultiIndex.from_tuples(table.index, names=names)
    return table


def _told(row: pd.Series) -> str:
    if math.isnan(row["low"]):
        return "nothing can be said"
    return "better" if row["low"] > 0 else "worse" if row["high"] < 0 else "no difference is seen"
