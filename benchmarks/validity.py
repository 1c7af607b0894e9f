"""Do the intervals hold? Thousands of made-up studies with a known truth, analysed with what the package computes.

Accuracy rises with log density, the metric rises with log density too, every topology has an accent of its own, and
each is trained several times. For studies without and with an effect beyond density it prints how often each analysis
claims one, and how often its 95 % interval holds the truth; whether the smallest detectable effect is detected as
often as promised; and whether a study that `analysis.plan` planned finds its effect as often as planned:
``python benchmarks/validity.py [--studies 2000] [--scenario all]``.

Scenarios: ``plain``; ``dead`` (a cell in which nothing was learnt), ``lone`` (cells with a single topology),
``unequal`` (cells whose noise differs tenfold), ``heavy`` (Student's t with 3 degrees of freedom), ``loose`` (cells
of nominal density, within which density still varies).

The studies are handed as arrays to the functions behind `analysis.effect`, `correlate`, `correlate_per_cell`,
`compare_correlations` and `fit`, without tables and formulas, which take most of the time; a test holds these short
ways to the public functions. Studies are made in turns over the scenarios, so ``--minutes`` can end it early: the
tables say how many studies they rest on.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

import analysis
from analysis.cell_means import mean_of_cells
from analysis.cell_slopes import CellSlopes
from analysis.coefficients import Deviations
from analysis.leaving_out import fisher_interval, leave_each_out, plain_interval
from analysis.models import MODELS, Problem
from analysis.within import dead_cells

CONFIDENCE = 0.95
SCENARIOS = ("plain", "dead", "lone", "unequal", "heavy", "loose")
DEAD = 0.117  # accuracy where nothing was learnt
EFFECT = 0.003  # in accuracy, for one unit of the metric's own part, whose standard deviation is 1
Judgement = tuple[str, float, float, float]
"""Analysis, the ends of its interval, and its p-value."""


@dataclass(frozen=True)
class Study:
    """One row per run: cell and topology by number, and the columns."""

    cells: npt.NDArray[np.int64]
    clusters: npt.NDArray[np.int64]
    accuracy: npt.NDArray[np.float64]
    log_density: npt.NDArray[np.float64]
    metric: npt.NDArray[np.float64]
    other: npt.NDArray[np.float64]

    def some(self, rows: npt.NDArray[np.bool_]) -> Study:
        """The study with some of its rows."""
        return Study(**{name: values[rows] for name, values in vars(self).items()})

    def to_frame(self) -> pd.DataFrame:
        """The study as a user has it."""
        columns = {
            "topology_id": self.clusters,
            "dataset": "made up",
            "trainer": "none",
            "architecture": "100-100-10",
            "construction": np.array(["one", "two", "three"])[self.clusters % 3],
            "degrees": [f"{cell}-10" for cell in self.cells],
            "test_accuracy": self.accuracy,
        }
        return pd.DataFrame(columns | {name: getattr(self, name) for name in ("log_density", "metric", "other")})


def simulate(effect: float, clusters: int, runs: int, seed: int, scenario: str = "plain") -> Study:
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
    other = (2 * log_density + rng.normal(size=clusters))[rows]
    if scenario == "dead":
        accuracy = np.where(degrees[rows] == 2, DEAD, accuracy)
    return Study(degrees[rows], rows, accuracy, log_density[rows], (2 * log_density + own)[rows], other)


def analyse(study: Study, truth: float, scenario: str) -> Iterator[Judgement]:
    """Every analysis of one study.

    Correlations have no simple truth but 0, and are asked where there is no effect only.
    """
    alive = study.some(study.accuracy != DEAD) if scenario == "dead" else study
    loose = scenario == "loose"
    yield "density controlled, clusters (fit)", *_fit(alive, [alive.log_density])
    left = _compared(study)
    cells = np.unique(left.cells, return_inverse=True)[1].ravel()
    control = left.log_density[:, None] if loose else np.zeros((len(cells), 0))
    slopes = CellSlopes(left.metric, left.accuracy, control, cells, left.clusters)
    reach = stats.t.ppf(0.5 + CONFIDENCE / 2, slopes.freedom) * slopes.error
    p_value = float(2 * stats.t.sf(abs(slopes.whole) / slopes.error, slopes.freedom))
    held = ", density controlled" if loose else ""
    yield (
        f"within cells{held} (effect)",
        (slopes.whole - reach) / slopes.sd,
        (slopes.whole + reach) / slopes.sd,
        p_value,
    )
    if not loose:
        learnt = study.some(~_dead(study))
        yield "within cells (fit, absorb)", *_fit(learnt, list(np.eye(200)[learnt.cells][:, np.unique(learnt.cells)].T))
    if truth:
        return
    zeros = np.zeros(len(alive.cells), dtype=np.int64)
    partial = Deviations(alive.accuracy, alive.metric, alive.log_density[:, None], zeros)
    yield "partial (correlate)", *_correlation(partial, alive.clusters, 1)
    families = len(np.unique(cells))
    first, second = (Deviations(left.accuracy, x, control, cells) for x in (left.metric, left.other))
    name = "within_cell_partial" if loose else "within_cell"
    yield f"{name} (correlate)", *_correlation(first, left.clusters, families)
    for method in ("pearson", "spearman"):
        values = np.column_stack([left.accuracy, left.metric, control])
        mean = mean_of_cells(values, left.cells, left.clusters, method).summary
        yield f"mean of {method} over cells (correlate_per_cell)", mean["low"], mean["high"], mean["p_value"]
    without = [leave_each_out(columns.correlation, left.clusters) for columns in (first, second)]
    whole = [columns.correlation(np.ones((1, len(cells))))[0] for columns in (first, second)]
    count = len(np.unique(left.clusters))
    freedom = count - families - 1 - first.rank
    difference = plain_interval(whole[0] - whole[1], without[0] - without[1], CONFIDENCE, count, freedom)
    yield f"difference of two {name} (compare_correlations)", *difference


def analyse_slowly(study: Study, scenario: str) -> Iterator[Judgement]:
    """The mixed model, and what a naive analysis says."""
    frame = (study.some(study.accuracy != DEAD) if scenario == "dead" else study).to_frame()
    for name, formula, options in (
        ("raw regression, runs as independent (naive)", "test_accuracy ~ metric", {"groups": None}),
        ("density controlled, runs as independent (naive)", "test_accuracy ~ log_density + metric", {"groups": None}),
        ("density controlled, mixed model (fit)", "test_accuracy ~ log_density + metric", {"model": "mixed"}),
    ):
        row = analysis.fit(frame, formula, **options).coefficients.loc["metric"]
        yield name, row["low"], row["high"], row["p_value"]


def _dead(study: Study) -> npt.NDArray[np.bool_]:
    """For each row, whether nothing was learnt in its cell."""
    codes = np.unique(study.cells, return_inverse=True)[1].ravel()
    return dead_cells(study.accuracy, codes, study.clusters)[codes]


def _compared(study: Study) -> Study:
    """The rows that `analysis.effect` compares."""
    names, codes = np.unique(study.cells, return_inverse=True)
    shared = np.array([len(np.unique(study.clusters[codes == code])) > 1 for code in range(len(names))])
    left = study.some(shared[codes.ravel()] & ~_dead(study))
    return replace(left, clusters=np.unique(left.clusters, return_inverse=True)[1].ravel())


def _fit(study: Study, columns: list[npt.NDArray[np.float64]]) -> tuple[float, float, float]:
    """The interval and p-value of the metric in a linear model with these columns, as `analysis.fit` has them."""
    constant = [] if len(columns) > 1 else [np.ones(len(study.cells))]
    design = np.column_stack([*constant, *columns, study.metric])
    data = pd.DataFrame({"accuracy": study.accuracy})
    terms = tuple(f"x{number}" for number in range(design.shape[1]))
    fitted = MODELS["ols"].fit(Problem(data, study.accuracy, terms, design, pd.Series(study.clusters)))
    estimate, error = fitted.estimates[-1], math.sqrt(fitted.covariance[-1, -1])
    reach = stats.t.ppf(0.5 + CONFIDENCE / 2, fitted.degrees_of_freedom) * error
    p_value = 2 * stats.t.sf(abs(estimate) / error, fitted.degrees_of_freedom)
    return float(estimate - reach), float(estimate + reach), float(p_value)


def _correlation(columns: Deviations, clusters: npt.NDArray[np.int64], families: int) -> tuple[float, float, float]:
    estimate = float(columns.correlation(np.ones((1, len(clusters))))[0])
    count = len(np.unique(clusters))
    without = leave_each_out(columns.correlation, clusters)
    return fisher_interval(estimate, without, CONFIDENCE, count, count - families - 1 - columns.rank)


def detection(studies: int, clusters: int, runs: int) -> None:
    """Print how often an effect as large as the smallest detectable one is found."""

    def found(effect: float, seed: int) -> analysis.Effect:
        return analysis.effect(simulate(effect, clusters, runs, seed).to_frame(), "metric")

    first = [found(0.0, 10**6 + seed) for seed in range(100)]
    size = float(np.mean([one.detectable / one.unit.scale / one.sd for one in first]))
    claims = [found(size, 2 * 10**6 + seed).p_value < 0.05 for seed in range(studies)]
    print(f"\nan effect as large as the mean smallest detectable one ({size:.4f}) is found in")
    print(f"{100 * np.mean(claims):.1f} % of {studies} studies; 80 % are promised")


def planned(studies: int) -> None:
    """Print how often studies that `analysis.plan` planned from a large pilot find their effect."""
    for scenario, points, trainings in (("plain", 1.0, 1), ("plain", 0.3, 3), ("plain", 0.6, None), ("heavy", 0.5, 2)):
        pilot = simulate(0.0, 3000, 3, 10**7, scenario).to_frame()
        plan = analysis.plan(pilot, "metric", points=points, trainings=trainings)
        claims = []
        for seed in range(studies):
            rng = np.random.default_rng(3 * 10**7 + seed)
            cells = np.arange(plan.topologies) % plan.cells
            own = rng.normal(size=plan.topologies)
            noise = (
                rng.standard_t(3, plan.topologies) / np.sqrt(3) if scenario == "heavy" else rng.normal(size=own.size)
            )
            rows = np.repeat(np.arange(plan.topologies), plan.trainings)
            outcome = (points / 100 * own + 0.01 * noise + 0.02 * cells)[rows] + rng.normal(scale=0.005, size=rows.size)
            slopes = CellSlopes(own[rows], outcome, np.zeros((rows.size, 0)), cells[rows], rows)
            claims.append(abs(slopes.whole) > stats.t.ppf(0.975, slopes.freedom) * slopes.error)
        print(
            f"planned for {points} points, {scenario}: {plan.topologies} topologies in {plan.cells} cells × "
            f"{plan.trainings} trainings find it in {100 * np.mean(claims):.1f} % of {studies} studies; asked for: 80",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--clusters", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--slow-every", type=int, default=20, help="studies per mixed and naive model")
    parser.add_argument("--minutes", type=float, default=math.inf, help="end after this many, with what there is")
    parser.add_argument("--scenario", choices=[*SCENARIOS, "all"], default="all")
    parser.add_argument("--planned", action="store_true", help="only count how often planned studies find their effect")
    options = parser.parse_args()
    if options.planned:
        planned(options.studies)
        return
    end = time.monotonic() + 60 * options.minutes
    scenarios = SCENARIOS if options.scenario == "all" else (options.scenario,)
    found: dict[tuple[str, float], dict[str, list[tuple[bool, bool]]]] = {}
    for seed in range(options.studies):
        if time.monotonic() > end:
            break
        for scenario in scenarios:
            for effect in (0.0, EFFECT):
                rows = found.setdefault((scenario, effect), {})
                study = simulate(effect, options.clusters, options.runs, seed, scenario)
                judged = list(analyse(study, effect, scenario))
                if seed % options.slow_every == 0:
                    judged += analyse_slowly(study, scenario)
                for name, low, high, p_value in judged:
                    rows.setdefault(name, []).append((p_value < 1 - CONFIDENCE, low <= effect <= high))
    for (scenario, effect), rows in found.items():
        table = pd.DataFrame({name: [*(100 * np.mean(values, axis=0)), len(values)] for name, values in rows.items()})
        table.index = pd.Index(["claims an effect %", "95 % interval holds the truth %", "studies"])
        print(f"\n{scenario}: {options.clusters} topologies × {options.runs} trainings, effect {effect:g}")
        print(table.T.round(1).to_string(), flush=True)
    if options.scenario in ("plain", "all"):
        planned(options.studies)
        detection(max(1, len(next(iter(found.values()))["partial (correlate)"]) // 5), options.clusters, options.runs)


if __name__ == "__main__":
    main()
