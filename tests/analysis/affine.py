"""Random affine changes of every column of made-up tables: no statistic may notice. `test_affine.py` runs a sample.

``python -m tests.analysis.affine --changes 10000`` counts the conclusions that change; it exits with 1 if any does.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd

import analysis

NUMBERS = ("y", "x", "z", "d")
CLOSE = 1e-5  # of p-values and correlations: what offsets of a million standard deviations cost of 16 digits


def table(seed: int) -> pd.DataFrame:
    """Networks on topologies in cells, with a metric, another one, and a density that varies within cells."""
    rng = np.random.default_rng(seed)
    clusters = int(rng.integers(14, 26))
    rows = np.repeat(np.arange(clusters), rng.integers(1, 4, size=clusters))
    cell = rng.integers(0, 3, size=clusters)
    density = cell + 0.3 * rng.normal(size=clusters)
    metric = density * rng.choice([0.0, 1.0]) + rng.normal(size=clusters)
    second = rng.choice([0.0, 0.9]) * metric + rng.normal(size=clusters)
    effect = rng.choice([0.0, 0.5, 1.0])
    level = density + effect * metric + 0.5 * rng.normal(size=clusters)
    return pd.DataFrame(
        {
            "y": level[rows] + 0.3 * rng.standard_t(3, size=rows.size),
            "x": metric[rows],
            "z": second[rows],
            "d": density[rows],
            "cell": np.array(["a", "b", "c"])[cell[rows]],
            "topology_id": [f"t{row}" for row in rows],
            "construction": np.array(["one", "two", "three"])[rows % 3],
        }
    )


def changed(frame: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, dict[str, int]]:
    """The table in other units, with other origins; and the sign that each column was multiplied by."""
    rng = np.random.default_rng(seed)
    signs, columns = {}, {}
    for name in NUMBERS:
        signs[name] = int(rng.choice([-1, 1]))
        scale = signs[name] * 10.0 ** rng.uniform(-9, 9)
        origin = rng.choice([-1, 1]) * 10.0 ** rng.uniform(-3, 6) * abs(scale) * frame[name].std()
        columns[name] = origin + scale * frame[name]
    return frame.assign(**columns), signs


def conclusions(frame: pd.DataFrame, *, thorough: bool) -> Iterator[tuple[str, tuple[str, ...], float, float]]:
    """Name, the columns whose signs turn it, a number without unit, and its p-value (NaN where it has none)."""
    within = {"cells": ["cell"]}
    for groups in ("topology_id", None):
        fitted = analysis.fit(frame, "y ~ d + x", groups=groups)
        row = fitted.coefficients.loc["x"]
        yield f"fit, groups={groups}", ("y", "x"), row["estimate"] / row["std_error"], row["p_value"]
        yield f"R², groups={groups}", (), fitted.r_squared, float("nan")
        yield f"vif, groups={groups}", (), fitted.vif["x"], float("nan")
    influence = analysis.fit(frame, "y ~ d + x").influence["x"]
    yield "influence", ("y", "x"), float(influence.iloc[0] / influence.abs().max()), float("nan")
    absorbed = analysis.fit(frame, "y ~ x", absorb="cell").coefficients.loc["x"]
    yield "absorbed", ("y", "x"), absorbed["estimate"] / absorbed["std_error"], absorbed["p_value"]
    compared = analysis.compare(frame, "y ~ d", "y ~ d + x + z")
    yield "Wald", (), compared.wald_p_value, compared.wald_p_value
    yield "likelihood ratio", (), compared.likelihood_ratio, compared.likelihood_ratio_p_value
    yield "held out", (), compared.rmse("full") / compared.rmse("base"), float("nan")
    methods = ["pearson", "spearman", "kendall", "partial", "within_cell", "within_cell_partial"]
    correlated = analysis.correlate(frame, "y", "x", control=["d", "z"], methods=methods, cells=["cell"])
    for row in correlated.itertuples():
        yield row.method, ("y", "x"), row.estimate, row.p_value
    for control in ((), ("d",)):
        found = analysis.effect(frame, "x", outcome="y", control=control, **within)
        yield f"effect, control={control}", ("y", "x"), found.change / (found.high - found.low), found.p_value
        yield f"power, control={control}", (), found.detectable / (found.high - found.low), float("nan")
        cell = analysis.correlate_per_cell(frame, "y", "x", control=control, least=3, **within).means.loc["x"]
        yield f"per cell, control={control}", ("y", "x"), cell["mean"], cell["p_value"]
    first = analysis.compare_correlations(frame, "y", "x", "z", magnitudes=True)
    yield "difference", (), first.difference, first.p_value
    predicted = analysis.predict_unseen(
        frame,
        {"d": ["d"], "all": ["d", "x"]},
        outcome="y",
        held_out=["construction"],
        learners=["ridge"],
        resamples=100,
    ).table
    yield "ridge", (), predicted.loc[1, "r_squared"], float("nan")
    if thorough:
        mixed = analysis.fit(frame, "y ~ d + x", model="mixed").coefficients.loc["x"]
        yield "mixed", ("y", "x"), mixed["estimate"] / mixed["std_error"], float("nan")


def differences(seed: int, *, thorough: bool = False) -> list[str]:
    """The conclusions that a change of units and origins changes."""
    frame = table(seed)
    other, signs = changed(frame, seed + 10**6)
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pairs = zip(conclusions(frame, thorough=thorough), conclusions(other, thorough=thorough), strict=True)
        for (name, turning, value, p), (_, _, again, p_again) in pairs:
            turned = again * np.prod([signs[column] for column in turning])
            # an iterative fit stops within its own tolerance
            close = 1e-2 if name == "mixed" else CLOSE * 100 if name == "ridge" else CLOSE
            same = abs(turned - value) <= close * max(1.0, abs(value))
            same &= bool(np.isnan(p) and np.isnan(p_again)) or (p < 0.05) == (p_again < 0.05)
            if not same:
                wrong.append(f"table {seed}, {name}: {value:g} (p {p:g}) became {turned:g} (p {p_again:g})")
    return wrong


def main() -> int:
    """Count changed conclusions over many changes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first table")
    options = parser.parse_args()
    wrong = 0
    for seed in range(options.first, options.first + options.changes):
        for line in differences(seed, thorough=seed % 10 == 0):
            wrong += 1
            print(line)
    print(f"{options.changes} affine changes of tables, {wrong} changed conclusions")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
