"""`found_masks`: of masks that pruning and rewiring find, whether the method or the graph explains the accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import t as student

from analysis.cells import cell_codes
from analysis.columns import Columns, find_columns
from analysis.comparison import ModelComparison, compare
from analysis.drifting import drift
from analysis.frame.names import column_words, is_layer, split_name
from analysis.naming import listed
from analysis.units import Unit, outcome_unit
from topograph.errors import InsufficientDataError, TopographError
from trainers.pruning.pruner import available_pruners

_CONTROLS = {
    "shuffled_layers": "their random tickets (as many edges per layer, drawn anew)",
    "null": "networks of the same degrees, edges otherwise at random",
}
_EXPANSION = ("normalized_gap", "algebraic_connectivity")
_FINAL = "final_"


@dataclass(frozen=True, eq=False)
class FoundMasks:
    """What a study says of pruners and rewiring rules.

    Parameters
    ----------
    accuracies
        One row per method and density, of plain variants: mean outcome with Student's interval over seeds.
    explained
        One row per step from one linear model to the next, within cells of equal density: the share of the variation
        that the added terms explain, and Wald's p-value, robust to topologies.
    controls
        One row per pruner, control and density, and one over all densities: how much better the masks are than their
        control, seed by seed, with Student's interval over seeds.
    rules
        Likewise one row per rewiring rule and density: how much better than the same networks with fixed edges.
    drifts
        One row per rule, and metric of expansion: see `analysis.drift`.
    sentences
        What that says, in words.
    notes
        What could not be computed, and why.
    """

    accuracies: pd.DataFrame
    explained: pd.DataFrame
    controls: pd.DataFrame
    rules: pd.DataFrame
    drifts: pd.DataFrame
    sentences: tuple[str, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def has_found_masks(frame: pd.DataFrame) -> bool:
    """Whether some networks of a frame were pruned, or rewired while they were trained.

    Examples
    --------
    >>> has_found_masks(pd.DataFrame({"construction": ["erdos_renyi", "snip"]}))
    True
    """
    return ("construction" in frame.columns and bool(_pruners(frame))) or _is_rewired(frame)


def found_masks(frame: pd.DataFrame, *, outcome: str | None = None, columns: Columns | None = None) -> FoundMasks:
    """Whether at equal density the method that finds a mask explains the accuracy, or the graph; and where it drifts.

    A method is a pruner or a construction, with the rule that rewires its networks.

    Parameters
    ----------
    frame
        From `analysis.load_frame`, of a study with pruners or rewiring rules.
    outcome
        The dependent variable; by default as `analysis.report` finds it.
    columns
        The roles of the columns, where they are known already.

    Raises
    ------
    InsufficientDataError
        When no network was pruned or rewired, or the frame does not say which have equal densities.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "test_accuracy": [0.80, 0.81, 0.84, 0.84, 0.79, 0.80], "topology_id": list("abcdef"),
    ...     "construction": ["random"] * 2 + ["snip"] * 4, "variant": ["plain"] * 4 + ["shuffled_layers"] * 2,
    ...     "dataset": "digits", "trainer": "numpy", "architecture": "64-32-10", "degrees": "3-1",
    ...     "topology_seed": [0, 1] * 3, "seed": [0, 1] * 3, "l1_log_density": -2.3, "l1_normalized_gap": 0.2,
    ... })
    >>> found = found_masks(table)
    >>> round(float(found.controls.loc[("snip", "shuffled_layers", "all"), "difference"]), 3)
    0.045
    """
    if not has_found_masks(frame):
        raise InsufficientDataError("no network of the frame was pruned or rewired")
    columns = columns or find_columns(frame, outcome=outcome)
    if columns.cells is None:
        raise InsufficientDataError("the frame does not say which networks have equal densities")
    cells = [cell for cell in columns.cells if cell != "rewiring"]
    runs = frame.assign(
        method=_methods(frame),
        cell=cell_codes(frame, cells),
        rewiring=frame["rewiring"] if "rewiring" in frame.columns else "none",
        variant=frame["variant"] if "variant" in frame.columns else "plain",
        one="all",
    )
    unit, name = outcome_unit(frame, columns.outcome), columns.outcome
    plain = runs[runs["variant"] == "plain"]
    notes: list[str] = []
    explained, words = _explained(plain, columns, notes)
    tickets, more = _prediction_by_tickets(runs, name, notes)
    controls, rules = _controls(runs, cells, name), _rules(runs, name)
    drifts = _drifts(runs)
    sizes = {str(degrees): _density(rows) for degrees, rows in plain.groupby("degrees")}
    ordered = sorted(sizes.items(), key=lambda item: item[1])
    densities = {degrees: degrees if math.isnan(size) else f"{100 * size:.3g} %" for degrees, size in ordered}
    sentences = [*words, *more]
    for (pruner, control), rows in _blocks(controls):
        start = f"{pruner} against {_CONTROLS[control]}"
        sentences.append(_difference_sentence(rows, start, densities, unit, name))
    for (method,), rows in _blocks(rules):
        start = f"{method} against the same networks with fixed edges"
        sentences.append(_difference_sentence(rows, start, densities, unit, name))
    sentences += _drift_sentences(drifts)
    return FoundMasks(
        accuracies=_accuracies(plain, name),
        explained=pd.concat([explained, tickets]),
        controls=controls,
        rules=rules,
        drifts=drifts,
        sentences=tuple(sentences),
        notes=tuple(notes),
    )


def _pruners(frame: pd.DataFrame) -> list[str]:
    """The pruners among the constructions, with their options, such as ``imp(rate=0.5)``."""
    known = set(available_pruners())
    return [name for name in sorted(set(frame["construction"].dropna())) if str(name).partition("(")[0] in known]


def _is_rewired(frame: pd.DataFrame) -> bool:
    ruled = "rewiring" in frame.columns and bool((frame["rewiring"].dropna() != "none").any())
    return ruled or any(str(column).startswith(f"{_FINAL}l") for column in frame.columns)


def _methods(frame: pd.DataFrame) -> pd.Series:
    names = frame["construction"].astype(str)
    if "rewiring" not in frame.columns:
        return names
    rule = frame["rewiring"].fillna("none").astype(str)
    return names.where(rule == "none", names + " + " + rule)


def _cluster(runs: pd.DataFrame) -> str:
    """What the errors of different runs have in common: the topology's seed, where there are several."""
    return "topology_seed" if runs["topology_seed"].nunique() > 1 else "seed"


def _mean(values: pd.Series) -> dict[str, float]:
    """Mean with Student's 95 % interval; NaN for one value."""
    count, mean = len(values), float(values.mean())
    half = float(student.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan
    return {"mean": mean, "low": mean - half, "high": mean + half, "seeds": count}


def _accuracies(plain: pd.DataFrame, outcome: str) -> pd.DataFrame:
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for (method, degrees), runs in plain.groupby(["method", "degrees"], sort=False):
        known = runs.dropna(subset=[outcome])
        if len(known):
            rows[method, degrees] = {
                "density": _density(known), **_mean(known.groupby(_cluster(known))[outcome].mean()), "runs": len(known)
            }  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["method", "degrees"])
    return table.sort_values(["density", "mean"], ascending=[True, False], kind="stable")


def _density(runs: pd.DataFrame) -> float:
    """Of the whole networks, on average; NaN where the sizes are not known."""
    layers = [name[: -len("_n_edges")] for name in map(str, runs.columns) if name.endswith("_n_edges")]
    layers = [layer for layer in layers if is_layer(layer) and f"{layer}_n_left" in runs.columns]
    edges = sum(runs[f"{layer}_n_edges"] for layer in layers)
    room = sum(runs[f"{layer}_n_left"] * runs[f"{layer}_n_right"] for layer in layers)
    return float((edges / room).mean()) if layers else math.nan


def _explained(plain: pd.DataFrame, columns: Columns, notes: list[str]) -> tuple[pd.DataFrame, list[str]]:
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
    final = f"{_FINAL}{name}"
    return runs[final].fillna(runs[name]) if final in runs.columns else runs[name]


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


def _controls(runs: pd.DataFrame, cells: Sequence[str], outcome: str) -> pd.DataFrame:
    keys = list(dict.fromkeys([*cells, "degrees", "method", "topology_seed", "seed"]))
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for pruner in _pruners(runs):
        part = runs[(runs["construction"] == pruner) & (runs["rewiring"].fillna("none") == "none")]
        for control in _CONTROLS:
            differences = _differences(
                part[part["variant"] == "plain"], part[part["variant"] == control], keys, outcome
            )
            if len(differences):
                rows |= {(pruner, control, degrees): row for degrees, row in _table_of(differences)}
    return _frame_of(rows, ["method", "control", "degrees"])


def _rules(runs: pd.DataFrame, outcome: str) -> pd.DataFrame:
    keys = ["topology_id", "degrees", "topology_seed", "seed", "dataset", "trainer", "variant"]
    fixed = runs[runs["rewiring"].fillna("none") == "none"]
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for method, part in runs[runs["rewiring"].fillna("none") != "none"].groupby("method", sort=True):
        differences = _differences(part, fixed, keys, outcome)
        if len(differences):
            rows |= {(method, degrees): row for degrees, row in _table_of(differences)}
    return _frame_of(rows, ["method", "degrees"])


def _frame_of(rows: dict[tuple[str, ...], dict[str, float]], names: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(rows, orient="index").rename(columns={"mean": "difference"})
    if rows:
        table.index = pd.MultiIndex.from_tuples(table.index, names=names)
    return table


def _blocks(table: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """The blocks of a table that differ in degrees only, each indexed by those."""
    if len(table):
        levels = list(table.index.names[:-1])
        for key, rows in table.groupby(level=levels, sort=False):
            yield (key if isinstance(key, tuple) else (str(key),)), rows.droplevel(levels)


def _prediction_by_tickets(runs: pd.DataFrame, outcome: str, notes: list[str]) -> tuple[pd.DataFrame, list[str]]:
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


def _difference_sentence(rows: pd.DataFrame, start: str, densities: Mapping[str, str], unit: Unit, outcome: str) -> str:
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


def _told(row: pd.Series) -> str:
    if math.isnan(row["low"]):
        return "nothing can be said"
    return "better" if row["low"] > 0 else "worse" if row["high"] < 0 else "no difference is seen"


def _drifts(runs: pd.DataFrame) -> pd.DataFrame:
    rewired = runs[runs["variant"] == "plain"]
    names = [
        name for name in map(str, runs.columns)
        if is_layer(split_name(name)[0]) and split_name(name)[1] in _EXPANSION and f"{_FINAL}{name}" in runs.columns
    ]  # fmt: skip
    tables = {}
    for name in names:
        try:
            tables[name] = drift(rewired, name, by="method")
        except InsufficientDataError:
            continue
    if not tables:
        return pd.DataFrame()
    return pd.concat(tables, names=["metric"]).swaplevel().sort_index(level=0, sort_remaining=False)


def _drift_sentences(drifts: pd.DataFrame) -> Iterator[str]:
    if drifts.empty:
        return
    for method, block in drifts.groupby(level=0, sort=False):
        rows = block.droplevel(0)
        said = {
            frozenset({"up"}): "drifts towards better expanders",
            frozenset({"down"}): "drifts away from better expanders",
            frozenset(): "is not seen to drift",
        }.get(frozenset(set(rows["direction"]) - {"cannot be told"}), "drifts both ways")
        by_metric = rows.groupby([split_name(name)[1] for name in rows.index], sort=False)
        parts = [_metric_drift(str(metric), one) for metric, one in by_metric]
        yield f"{method} {said}, over {int(rows['n_topologies'].max())} first topologies: {'; '.join(parts)}."


def _metric_drift(metric: str, rows: pd.DataFrame) -> str:
    """One metric's directions by layer, and the first layer's means."""
    told = []
    for word, said in (("up", "up"), ("down", "down"), ("cannot be told", "unclear")):
        layers = [split_name(name)[0].removeprefix("l") for name in rows.index[rows["direction"] == word]]
        if layers:
            told.append(f"{said} in layer{'s' * (len(layers) > 1)} {listed(layers)}")
    first = rows.iloc[0]
    layer = split_name(rows.index[0])[0].removeprefix("l")
    return f"{metric.replace('_', ' ')} {', '.join(told)} (layer {layer}: {first['first']:.3g} → {first['last']:.3g})"
