"""What a plan promises, held to simulated studies, closed forms and the components of variance that it is told."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import analysis
from analysis.cell_slopes import CellSlopes
from analysis.cli import main
from analysis.pilots import PILOT, small_part
from analysis.planned_power import simulated_power, sufficient_clusters, topologies_needed
from tests.analysis.conftest import simulated
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError
from trainers.study import StudySpec

GAP = "l1_normalized_gap"


def pilot(between=0.01, within=0.005, clusters=1500, runs=3, seed=0):
    """Four cells; the metric has standard deviation 2 within them."""
    rng = np.random.default_rng(seed)
    cells = np.arange(clusters) % 4
    x, u = 2 * rng.normal(size=clusters) + 5 * cells, between * rng.normal(size=clusters) + 0.02 * cells
    rows = np.repeat(np.arange(clusters), runs)
    return pd.DataFrame(
        {
            "topology_id": rows,
            "degrees": cells[rows],
            "gap": x[rows],
            "test_accuracy": 0.8 + u[rows] + within * rng.normal(size=rows.size),
            "seconds": 36.0,
        }
    )


def test_a_pilot_tells_topologies_from_trainings():
    found = analysis.plan(pilot(), "gap", points=0.5, cells=["degrees"])
    assert found.between == pytest.approx(1.0, rel=0.06)
    assert found.within == pytest.approx(0.5, rel=0.06)
    assert found.sd == pytest.approx(2.0, rel=0.06)
    assert (found.cells, found.n, found.n_clusters) == (4, 4500, 1500)
    assert found.hours == pytest.approx(found.runs / 100)
    assert sum(found.per_cell) == found.topologies
    assert max(found.per_cell) - min(found.per_cell) <= 1


@pytest.mark.parametrize(("points", "trainings"), [(0.9, 1), (0.45, 3)])
def test_the_planned_study_finds_the_effect_about_as_often_as_asked_for(points, trainings):
    """400 studies say it to 4 points; `benchmarks/validity.py --planned` counts thousands."""
    planned = analysis.plan(pilot(), "gap", points=points, trainings=trainings, cells=["degrees"])
    assert planned.found == pytest.approx(0.8, abs=0.03)
    cells = np.arange(planned.topologies) % planned.cells
    rows = np.repeat(np.arange(planned.topologies), trainings)
    hits = 0
    for seed in range(400):
        rng = np.random.default_rng(10**6 + seed)
        x = rng.normal(size=planned.topologies)
        y = (points / 100 * x + 0.01 * rng.normal(size=x.size))[rows] + 0.005 * rng.normal(size=rows.size)
        slopes = CellSlopes(x[rows], y, np.zeros((rows.size, 0)), cells[rows], rows)
        hits += abs(slopes.whole) > stats.t.ppf(0.975, slopes.freedom) * slopes.error
    assert hits / 400 == pytest.approx(0.8, abs=0.065)


def test_power_of_a_large_study_is_that_of_the_noncentral_t():
    shape = np.random.default_rng(1).normal(size=5000)
    size, ratio = 300, 0.15
    t, freedom = stats.t.ppf(0.975, size - 4), size - 4
    exact = stats.nct.sf(t, freedom, ratio * math.sqrt(size - 3)) + stats.nct.cdf(
        -t, freedom, ratio * math.sqrt(size - 3)
    )
    assert simulated_power(ratio, size, 3, 0, 0.95, shape, seed=0) == pytest.approx(exact, abs=0.025)
    needed = topologies_needed(0.2, 1, 0, 0.8, 0.95)
    assert needed == pytest.approx(((1.96 + 0.8416) / 0.2) ** 2, rel=0.03)


def test_the_number_of_topologies_is_the_smallest_that_suffices():
    shape = np.random.default_rng(1).normal(size=500)
    size = sufficient_clusters(0.6, 2, 0, 0.8, 0.95, shape, seed=3)
    assert simulated_power(0.6, size, 2, 0, 0.95, shape, seed=3) >= 0.8
    assert simulated_power(0.6, size - 1, 2, 0, 0.95, shape, seed=3) < 0.8


def test_trainings_are_worth_it_only_where_topologies_cost():
    free = analysis.plan(pilot(0.005, 0.01), "gap", points=0.5, cells=["degrees"])
    assert free.trainings == 1
    costly = analysis.plan(pilot(0.005, 0.01), "gap", points=0.5, cells=["degrees"], topology_hours=0.05)
    # √(topology / training × within² / between²) = √(5 × 4) = 4.5
    assert costly.trainings in (3, 5)
    assert costly.topologies < free.topologies
    assert (free.alternatives["runs"].diff().dropna() > 0).all()


def test_a_small_pilot_leaves_a_wide_interval():
    small = analysis.plan(pilot(clusters=16), "gap", points=0.5, cells=["degrees"])
    large = analysis.plan(pilot(clusters=400), "gap", points=0.5, cells=["degrees"])
    assert small.high / small.low > 3
    assert large.high / large.low < 1.5
    assert large.low <= large.topologies <= large.high


def test_a_plan_in_words_says_what_it_does_not_know():
    frame = pilot(clusters=60, runs=1).drop(columns="seconds")
    found = analysis.plan(frame, "gap", points=0.5, cells=["degrees"])
    assert found.trainings == 1
    assert math.isnan(found.within)
    assert "the hours are unknown" in str(found)
    assert "No topology was trained twice" in str(found)
    assert "To see 0.50 points of test accuracy per standard deviation of gap" in str(found)
    assert f"{found.topologies} topologies in 4 cells of equal degrees" in str(found)
    bleu = pilot(clusters=60).rename(columns={"test_accuracy": "bleu"})
    assert "of bleu, in its own unit" in str(
        analysis.plan(bleu, "gap", outcome="bleu", points=0.005, cells=["degrees"])
    )


def test_cells_without_learning_take_no_part_in_a_plan():
    frame = pilot(clusters=80)
    frame.loc[frame["degrees"] == 0, "test_accuracy"] = 0.1
    found = analysis.plan(frame, "gap", points=0.5, cells=["degrees"])
    assert found.cells == 3
    assert "1 cell (60 runs) in which the outcome has one value left out" in str(found)


def test_a_topology_that_decides_alone_is_said():
    frame = pilot(clusters=40)
    frame.loc[frame["topology_id"] == 3, "gap"] = 500.0
    assert "One topology alone holds" in str(analysis.plan(frame, "gap", points=0.5, cells=["degrees"]))


def test_what_cannot_be_planned_is_refused_with_the_reason():
    with pytest.raises(InsufficientDataError, match="leave 0 degrees of freedom"):
        analysis.plan(pilot(clusters=5), "gap", cells=["degrees"])
    with pytest.raises(InsufficientDataError, match="does not vary"):
        analysis.plan(pilot(clusters=40).assign(gap=lambda rows: rows["degrees"]), "gap", cells=["degrees"])
    with pytest.raises(UnknownNameError, match="did you mean 'gap'"):
        analysis.plan(pilot(clusters=40), "gaps", cells=["degrees"])
    with pytest.raises(InvalidParameterError, match="more than 10,000,000 topologies"):
        analysis.plan(pilot(clusters=40), "gap", points=1e-5, cells=["degrees"])
    with pytest.raises(InvalidParameterError, match="points"):
        analysis.plan(pilot(clusters=40), "gap", points=0, cells=["degrees"])


def test_a_specification_is_run_in_small(tmp_path):
    content = dict(PILOT) | {
        "grid": dict(PILOT["grid"]) | {"degrees": [2, 3, 4, 5, 6], "architectures": [64, 12, 10], "topology_seeds": 7},
        "training": {"epochs": 1, "learning_rate": 0.05},
    }
    part = small_part(StudySpec.from_mapping(content)).grids[0].axes
    assert part["topology_seeds"] == (7, 0, 1, 2)
    assert part["training_seeds"] == (0, 1)
    assert len(part["degrees"]) == 3
    found = analysis.plan(content, GAP, points=2.0)
    assert found.cells == 3
    assert found.n == 3 * (2 * 4 + 1) * 2
    assert found.hours > 0


def test_planning_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "pilot.csv"
    simulated(0.0).to_csv(path, index=False)
    assert main(["plan", str(path), "--metric", GAP, "--points", "0.4"]) == 0
    said = capsys.readouterr().out
    assert "To see 0.40 points of test accuracy" in said
    assert "trainings" in said
    command = ["plan", str(path), "--metric", GAP, "--points", "0.4", "--trainings", "2", "--format", "json"]
    assert main(command) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["runs"] == 2 * record["topologies"]
    assert record["low"] < record["topologies"] < record["high"]
