"""Do the intervals hold? Thousands of made-up studies with a known truth, analysed as a user would.

Accuracy rises with log density, the metric rises with log density too, every topology has an accent of its own, and
each is trained several times. For studies without and with an effect beyond density it prints how often each analysis
claims one, and how often its 95 % interval holds the truth; and whether the smallest detectable effect is detected as
often as promised: ``python benchmarks/validity.py [--studies 2000] [--scenario all]``. Studies are made in turns over
the scenarios, so ``--minutes`` can end it early: the tables say how many studies they rest on.

Scenarios: ``plain``; ``dead`` (a cell in which nothing was learnt), ``lone`` (cells with a single topology),
``unequal`` (cells whose noise differs tenfold), ``heavy`` (Student's t with 3 degrees of freedom), ``loose`` (cells
of nominal density, within which density still varies).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd

import analysis

CONFIDENCE = 0.95
SCENARIOS = ("plain", "dead", "lone", "unequal", "heavy", "loose")
DEAD = 0.117  # accuracy where nothing was learnt
EFFECT = 0.003  # in accuracy, for one unit of the metric's own part, whose standard deviation is 1


def simulate(effect: float, clusters: int, runs: int, seed: int, scenario: str = "plain") -> pd.DataFrame:
    """One study; ``effect`` is in accuracy for one unit of the metric's own part, whose standard deviation is 1."""
    rng = np.random.default_rng(seed)
    degrees = rng.choice([2, 4, 8, 16], size=clusters)
    if scenario == "lone":
        degrees[:3] = [3, 5, 7]
    log_density = np.log(degrees / 100)
    if scenario == "loose":
        log_density = log_density + 0.3 * rng.normal(size=clusters)
    own = rng.normal(size=clusters)
    noise = rng.standard_t(3, size=clusters) / np.sqrt(3) if scenario == "heavy" else rng.normal(size=clusters)
    spread = np.where(degrees == 2, 0.05, 0.005) if scenario == "unequal" else 0.01
    topology = 0.03 * log_density + effect * own + spread * noise
    rows = np.repeat(np.arange(clusters), runs)
    accuracy = 0.85 + topology[rows] + rng.normal(scale=0.005, size=rows.size)
    if scenario == "dead":
        dead = degrees[rows] == 2
        accuracy = np.where(dead, DEAD, accuracy)
    return pd.DataFrame(
        {
            "topology_id": rows,
            "dataset": "made up",
            "trainer": "none",
            "architecture": "100-100-10",
            "construction": np.array(["one", "two", "three"])[rows % 3],
            "degrees": [f"{d}-10" for d in degrees[rows]],
            "test_accuracy": accuracy,
            "log_density": log_density[rows],
            "metric": (2 * log_density + own)[rows],
            "other": (2 * log_density + rng.normal(size=clusters))[rows],
        }
    )


def analyse(
    frame: pd.DataFrame, truth: float, scenario: str, resamples: int, all_models: bool = True
) -> Iterator[tuple[str, bool, bool]]:
    """Analysis, whether it claims an effect, and whether its interval holds the truth.

    The mixed model and the naive ones are slow or beside the point, and skipped unless ``all_models``.
    Correlations have no simple truth but 0, and are asked where there is no effect only.
    """
    alive = frame[frame["test_accuracy"] != DEAD] if scenario == "dead" else frame
    if all_models:
        naive = analysis.fit(alive, "test_accuracy ~ metric", groups=None).coefficients.loc["metric"]
        yield "raw regression, runs as independent (naive)", *_judge(naive, truth)
        alone = analysis.fit(alive, "test_accuracy ~ log_density + metric", groups=None).coefficients.loc["metric"]
        yield "density controlled, runs as independent (naive)", *_judge(alone, truth)
        mixed = analysis.fit(alive, "test_accuracy ~ log_density + metric", model="mixed").coefficients.loc["metric"]
        yield "density controlled, mixed model (fit)", *_judge(mixed, truth)
    controlled = analysis.fit(alive, "test_accuracy ~ log_density + metric").coefficients.loc["metric"]
    yield "density controlled, clusters (fit)", *_judge(controlled, truth)
    if scenario != "loose":
        yield "within cells (effect)", *_judge(_per_unit(analysis.effect(frame, "metric")), truth)
        absorbed = analysis.fit(frame, "test_accuracy ~ metric", absorb="degrees").coefficients.loc["metric"]
        yield "within cells (fit, absorb)", *_judge(absorbed, truth)
    held = analysis.effect(frame, "metric", control="log_density") if scenario == "loose" else None
    if held is not None:
        yield "within cells, density controlled (effect)", *_judge(_per_unit(held), truth)
    if truth:
        return
    methods = ["partial", *(["within_cell"] if scenario != "loose" else ["within_cell_partial"])]
    table = analysis.correlate(
        alive if scenario == "dead" else frame,
        "test_accuracy",
        "metric",
        control=["log_density"],
        methods=methods,
        resamples=resamples,
    ).set_index("method")
    for method in methods:
        yield f"{method} (correlate)", *_judge(table.loc[method], 0)
    control = "log_density" if scenario == "loose" else ()
    for method in ("pearson", "spearman"):
        cells = analysis.correlate_per_cell(frame, "test_accuracy", "metric", control=control, method=method)
        yield f"mean of {method} over cells (correlate_per_cell)", *_judge(cells.means.loc["metric"], 0)
    method = methods[-1]
    difference = analysis.compare_correlations(
        frame, "test_accuracy", "metric", "other", control=control, method=method, resamples=resamples
    )
    row = pd.Series({"low": difference.low, "high": difference.high, "p_value": difference.p_value})
    yield f"difference of two {method} (compare_correlations)", *_judge(row, 0)


def _per_unit(found: analysis.Effect) -> pd.Series:
    unit = found.unit.scale * found.sd
    return pd.Series({"low": found.low / unit, "high": found.high / unit, "p_value": found.p_value})


def _judge(row: pd.Series, truth: float) -> tuple[bool, bool]:
    return bool(row["p_value"] < 1 - CONFIDENCE), bool(row["low"] <= truth <= row["high"])


def detection(studies: int, clusters: int, runs: int) -> None:
    """Print how often an effect as large as the smallest detectable one is found."""
    first = [analysis.effect(simulate(0.0, clusters, runs, 10**6 + seed), "metric") for seed in range(100)]
    size = float(np.mean([found.detectable / found.unit.scale / found.sd for found in first]))
    claims = [
        analysis.effect(simulate(size, clusters, runs, 2 * 10**6 + seed), "metric").p_value < 0.05
        for seed in range(studies)
    ]
    print(f"\nan effect as large as the mean smallest detectable one ({size:.4f}) is found in")
    print(f"{100 * np.mean(claims):.1f} % of studies; 80 % are promised")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--clusters", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--resamples", type=int, default=500, help="bootstrap draws per correlation")
    parser.add_argument("--models-every", type=int, default=10, help="studies per mixed or naive model, which are slow")
    parser.add_argument("--minutes", type=float, default=math.inf, help="end after this many, with what there is")
    parser.add_argument("--scenario", choices=[*SCENARIOS, "all"], default="all")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    scenarios = SCENARIOS if options.scenario == "all" else (options.scenario,)
    found: dict[tuple[str, float], dict[str, list[tuple[bool, bool]]]] = {}
    for seed in range(options.studies):
        if time.monotonic() > end:
            break
        for scenario in scenarios:
            for effect in (0.0, EFFECT):
                rows = found.setdefault((scenario, effect), {})
                frame = simulate(effect, options.clusters, options.runs, seed, scenario)
                judged = analyse(frame, effect, scenario, options.resamples, seed % options.models_every == 0)
                for name, claims, holds in judged:
                    rows.setdefault(name, []).append((claims, holds))
    for (scenario, effect), rows in found.items():
        table = pd.DataFrame({name: [*(100 * np.mean(values, axis=0)), len(values)] for name, values in rows.items()})
        table.index = pd.Index(["claims an effect %", "95 % interval holds the truth %", "studies"])
        print(f"\n{scenario}: {options.clusters} topologies × {options.runs} trainings, effect {effect:g}")
        print(table.T.round(1).to_string(), flush=True)
    if options.scenario in ("plain", "all"):
        detection(options.studies, options.clusters, options.runs)


if __name__ == "__main__":
    main()
