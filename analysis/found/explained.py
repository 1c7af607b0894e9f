"""What of the variation at equal density the method explains, the graph, and the edges per layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from analysis.columns import Columns
from analysis.comparison import ModelComparison, compare
from analysis.frame.names import column_words, is_layer, split_name
from analysis.naming import listed
from topograph.errors import TopographError


def explained_variation(plain: pd.DataFrame, columns: Columns, notes: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Linear models within cells: the edges per layer, connectivity, the method, and what each adds to another."""
    several = plain.groupby("cell")["method"].transform("nunique") > 1
    runs = plain[several & plain[columns.outcome].notna()]
    if runs.empty:
        return pd.DataFrame(), ["No two methods have networks of equal density, so none can be compared."]
    graph = {name: _last(runs, name) for name in columns.connectivity}
    layers = {
        name: runs[name]
        for name in runs.columns
        if split_name(name)[1] == "log_density" and is_layer(split_name(name)[0])
    }
    graph = {name: values for name, values in graph.items() if _varies(values, runs["cell"])}
    layers = {name: values for name, values in layers.items() if _varies(values, runs["cell"])}
    numbers = {f"graph_{i}": values for i, values in enumerate(graph.values())}
    numbers |= {f"layers_{i}": values for i, values in enumerate(layers.values())}
    table = runs.assign(**numbers).dropna(subset=list(numbers))
    parts = {
        "method": ["C(method)"],
        "connectivity": [name for name in numbers if name.startswith("graph")],
        "edges per layer": [name for name in numbers if name.startswith("layers")],
    }
    base = ["C(cell)"] if table["cell"].nunique() > 1 else ["1"]
    alone = [((), added) for added in parts]
    rivals = [("connectivity", "method"), ("method", "connectivity")]
    rivals += [("edges per layer", added) for added in ("connectivity", "method")]
    steps = [*alone, *(((known,), added) for known, added in rivals)]
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for known, added in steps:
        if not parts[added] or any(not parts[name] for name in known):
            continue
        formula = " + ".join([*base, *(term for name in known for term in parts[name])])
        step = _step(table, f"Q({columns.outcome!r}) ~ {formula}", parts[added], base, columns.outcome, notes)
        if step is not None:
            rows[added, listed(known) or "density"] = step
    result = pd.DataFrame.from_dict(rows, orient="index")
    if rows:
        result.index = pd.MultiIndex.from_tuples(result.index, names=["added", "held fixed"])
    return result, list(_explained_sentences(result, table, list(graph), columns.outcome))


def prediction_by_tickets(runs: pd.DataFrame, outcome: str, notes: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """How much of the differences between pruners their random tickets show."""
    still = runs[runs["rewiring"].fillna("none") == "none"]
    means = still.groupby(["cell", "method", "variant"])[outcome].mean().unstack("variant")
    if not {"plain", "shuffled_layers"} <= set(means.columns):
        return pd.DataFrame(), []
    table = means[["plain", "shuffled_layers"]].dropna().reset_index()
    table = table[table.groupby("cell")["method"].transform("nunique") > 1]
    if len(table) < table["cell"].nunique() + 3:
        return pd.DataFrame(), []
    table = table.assign(topology_id=[str(number) for number in range(len(table))], one="all")
    cells = ["C(cell)"] if table["cell"].nunique() > 1 else ["1"]
    step = _step(table, f"plain ~ {cells[0]}", ["shuffled_layers"], cells, "plain", notes)
    if step is None:
        return pd.DataFrame(), []
    result = pd.DataFrame.from_dict({("mean of the random tickets", "density"): step}, orient="index")
    result.index = pd.MultiIndex.from_tuples(result.index, names=["added", "held fixed"])
    return result, [
        f"What the edges per layer predict alone: of the differences between the means of pruners at equal density "
        f"({len(table)} means), those of their random tickets explain {step['share']:.0%} (p = {step['p']:.2g})."
    ]


def _step(
    table: pd.DataFrame, base: str, added: Sequence[str], cells: Sequence[str], outcome: str, notes: list[str]
) -> dict[str, float] | None:
    try:
        models: ModelComparison = compare(table, base, " + ".join([base, *added]), held_out="one")
    except TopographError as error:
        notes.append(f"{base} and {' + '.join(added)} could not be compared: {error}")
        return None
    rest = table[outcome] - table.groupby("cell")[outcome].transform("mean")
    whole = table[outcome] - table[outcome].mean()
    share = float(rest @ rest) / float(whole @ whole) if float(whole @ whole) else math.nan
    gain = (models.full.r_squared - models.base.r_squared) / share if share else math.nan
    return {"share": gain, "p": models.wald_p_value, "terms": len(models.added), "networks": models.full.n}


def _explained_sentences(
    explained: pd.DataFrame, table: pd.DataFrame, graph: Sequence[str], outcome: str
) -> Iterator[str]:
    if explained.empty:
        return
    alone = {added: row for (added, held), row in explained.iterrows() if held == "density"}
    words = {"connectivity": f"connectivity ({'; '.join(map(column_words, graph))})"}
    shares = [f"{words.get(name, name)} {row['share']:.0%}" for name, row in alone.items()]
    yield (
        f"At equal density ({len(table)} networks of {table['method'].nunique()} methods), of the variation of "
        f"{column_words(outcome)} the following explain, each by itself: {listed(shares)}. The method has a mean for "
        "each of its values, the others a slope for each number, so the shares are not of equal freedom."
    )
    pair = [("connectivity", "method"), ("method", "connectivity")]
    if not all(key in explained.index for key in pair):
        yield "Connectivity does not vary at equal density, so it cannot be told from the method."
        return
    graph_row, method_row = (explained.loc[key] for key in pair)
    said = (
        f"With the method known, connectivity adds {graph_row['share']:.1%} (p = {graph_row['p']:.2g}); with "
        f"connectivity known, the method adds {method_row['share']:.1%} (p = {method_row['p']:.2g}). "
    )
    clear = graph_row["p"] < 0.05, method_row["p"] < 0.05
    yield (
        said
        + {
            (True, True): "Both are clear at 5 %: each goes with something that the other does not show.",
            (True, False): "Only connectivity is clear at 5 % beyond the other.",
            (False, True): "Only the method is clear at 5 %: it goes with more than this connectivity shows.",
            (False, False): "Neither is clear at 5 % beyond the other, so this study cannot tell them apart.",
        }[clear]
    )


def _varies(values: pd.Series, cells: pd.Series) -> bool:
    rest = values - values.groupby(cells).transform("mean")
    return bool(rest.abs().max() > 1e-9 * max(float(values.abs().max()), 1e-300))


def _last(runs: pd.DataFrame, name: str) -> pd.Series:
    """A metric of the edges that networks ended with."""
    final = f"final_{name}"
    return runs[final].fillna(runs[name]) if final in runs.columns else runs[name]
