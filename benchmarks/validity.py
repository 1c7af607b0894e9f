"""Do the intervals hold? Thousands of made-up studies with a known truth, analysed as a user would.

Accuracy rises with log density, the metric rises with log density too, every topology has an accent of its own, and
each is trained several times. For studies without and with an effect beyond density it prints how often each analysis
claims one, how often its 95 % interval holds the truth, and whether the smallest detectable effect is detected as often
as promised: ``python benchmarks/validity.py [--studies 1000]``.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

import analysis

CONFIDENCE = 0.95


def simulate(effect: float, clusters: int, runs: int, seed: int) -> pd.DataFrame:
    """One study; ``effect`` is in accuracy for one unit of the metric's own part, whose standard deviation is 1."""
    rng = np.random.default_rng(seed)
    degrees = rng.choice([2, 4, 8, 16], size=clusters)
    log_density = np.log(degrees / 100)
    own = rng.normal(size=clusters)
    topology = 0.03 * log_density + effect * own + rng.normal(scale=0.01, size=clusters)
    rows = np.repeat(np.arange(clusters), runs)
    accuracy = 0.85 + topology[rows] + rng.normal(scale=0.005, size=rows.size)
    return pd.DataFrame(
        {
            "topology_id": rows,
            "dataset": "made up",
            "trainer": "none",
            "architecture": "100-100-10",
            "construction": "made up",
            "degrees": [f"{d}-10" for d in degrees[rows]],
            "test_accuracy": accuracy,
            "log_density": log_density[rows],
            "metric": (2 * log_density + own)[rows],
        }
    )


def analyse(frame: pd.DataFrame, truth: float) -> dict[str, tuple[bool, bool]]:
    """Analysis → (claims an effect, interval holds the truth)."""
    rows = {}
    naive = analysis.fit(frame, "test_accuracy ~ metric", groups=None).coefficients.loc["metric"]
    rows["raw regression, runs as independent (naive)"] = _judge(naive, truth)
    alone = analysis.fit(frame, "test_accuracy ~ log_density + metric", groups=None).coefficients.loc["metric"]
    rows["density controlled, runs as independent"] = _judge(alone, truth)
    controlled = analysis.fit(frame, "test_accuracy ~ log_density + metric").coefficients.loc["metric"]
    rows["density controlled, clusters (analysis.fit)"] = _judge(controlled, truth)
    mixed = analysis.fit(frame, "test_accuracy ~ log_density + metric", model="mixed").coefficients.loc["metric"]
    rows["density controlled, mixed model"] = _judge(mixed, truth)
    found = analysis.effect(frame, "metric")
    unit = 100 * found.sd
    within = pd.Series({"low": found.low / unit, "high": found.high / unit, "p_value": found.p_value})
    rows["within cells (analysis.effect)"] = _judge(within, truth)
    if truth == 0:
        table = analysis.correlate(
            frame, "test_accuracy", "metric", control=["log_density"], methods=["partial", "within_cell"], resamples=500
        ).set_index("method")
        rows["partial correlation (analysis.correlate)"] = _judge(table.loc["partial"], 0)
        rows["within-cell correlation (analysis.correlate)"] = _judge(table.loc["within_cell"], 0)
    return rows


def _judge(row: pd.Series, truth: float) -> tuple[bool, bool]:
    return bool(row["p_value"] < 1 - CONFIDENCE), bool(row["low"] <= truth <= row["high"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--clusters", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    columns = ["claims an effect %", "95 % interval holds the truth %"]
    for effect in (0.0, 0.003):
        rows = [
            pd.DataFrame(analyse(simulate(effect, options.clusters, options.runs, seed), effect), index=columns)
            for seed in range(options.studies)
        ]
        table = 100 * pd.concat(rows).astype(float).groupby(level=0).mean().T[columns].round(3)
        print(
            f"\n{options.studies} studies, {options.clusters} topologies × {options.runs} trainings, effect {effect:g}"
        )
        print(table.round(1))
    detectable = [
        analysis.effect(simulate(0.0, options.clusters, options.runs, 10**6 + seed), "metric") for seed in range(100)
    ]
    size = float(np.mean([found.detectable / 100 / found.sd for found in detectable]))
    claims = [
        analysis.effect(simulate(size, options.clusters, options.runs, 2 * 10**6 + seed), "metric").p_value < 0.05
        for seed in range(options.studies)
    ]
    print(f"\nan effect as large as the mean smallest detectable one ({size:.4f}) is found in")
    print(f"{100 * np.mean(claims):.1f} % of studies; 80 % are promised")


if __name__ == "__main__":
    main()
