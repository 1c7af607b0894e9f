"""benchmarks/validity.py hands arrays to what is behind the public functions; here is that they say the same."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

import analysis


@pytest.fixture(scope="module")
def validity():
    path = Path(__file__).parents[2] / "benchmarks" / "validity.py"
    spec = importlib.util.spec_from_file_location("validity", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["validity"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["validity"]


@pytest.mark.parametrize("scenario", ["plain", "dead", "lone", "loose"])
def test_the_short_ways_of_the_benchmark_are_the_public_functions(validity, scenario):
    study = validity.simulate(0.0, 40, 2, seed=5, scenario=scenario)
    short = {name: numbers for name, *numbers in validity.analyse(study, 0.0, scenario)}
    frame = study.to_frame()
    alive = frame[frame["test_accuracy"] != validity.DEAD]
    loose = scenario == "loose"
    control = ["log_density"] if loose else []
    found = analysis.effect(frame, "metric", control=control)
    unit = found.unit.scale * found.sd
    kind = "within cells, density controlled (effect)" if loose else "within cells (effect)"
    long = {kind: [found.low / unit, found.high / unit, found.p_value]}
    row = analysis.fit(alive, "test_accuracy ~ log_density + metric").coefficients.loc["metric"]
    long["density controlled, clusters (fit)"] = row[["low", "high", "p_value"]].tolist()
    if not loose:
        row = analysis.fit(frame, "test_accuracy ~ metric", absorb="degrees").coefficients.loc["metric"]
        long["within cells (fit, absorb)"] = row[["low", "high", "p_value"]].tolist()
    method = "within_cell_partial" if loose else "within_cell"
    for name, rows in (("partial", alive), (method, frame)):
        table = analysis.correlate(rows, "test_accuracy", "metric", control="log_density", methods=[name])
        long[f"{name} (correlate)"] = table.loc[0, ["low", "high", "p_value"]].tolist()
    for name in ("pearson", "spearman"):
        cells = analysis.correlate_per_cell(frame, "test_accuracy", "metric", control=control, method=name)
        row = cells.means.loc["metric", ["low", "high", "p_value"]]
        long[f"mean of {name} over cells (correlate_per_cell)"] = row.tolist()
    apart = analysis.compare_correlations(frame, "test_accuracy", "metric", "other", control=control, method=method)
    long[f"difference of two {method} (compare_correlations)"] = [apart.low, apart.high, apart.p_value]
    assert set(short) == set(long)
    for name, numbers in long.items():
        assert short[name] == pytest.approx(numbers, rel=1e-6, abs=1e-12), name
