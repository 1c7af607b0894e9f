from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from analysis import correlate
from analysis.effects import effect
from tests.analysis.conftest import simulated
from topograph.errors import InsufficientDataError, UnknownNameError


def test_slope_and_jackknife_by_refitting():
    frame = simulated(0.01, clusters=25)
    found = effect(frame, "l1_normalized_gap")

    def slope(rows):
        return smf.ols("test_accuracy ~ l1_normalized_gap + C(degrees)", rows).fit().params["l1_normalized_gap"]

    deviations = frame["l1_normalized_gap"] - frame.groupby("degrees")["l1_normalized_gap"].transform("mean")
    unit = 100 * np.sqrt((deviations**2).mean())
    assert found.sd * 100 == pytest.approx(unit)
    assert found.points == pytest.approx(slope(frame) * unit)
    names = frame["topology_id"].unique()
    left_out = np.array([slope(frame[frame["topology_id"] != name]) for name in names])
    error = np.sqrt((len(names) - 1) / len(names) * ((left_out - slope(frame)) ** 2).sum())
    half = (found.high - found.low) / 2
    freedom = len(names) - 1 - found.n_cells
    from scipy import stats

    assert half == pytest.approx(stats.t.ppf(0.975, freedom) * error * unit)
    assert found.detectable == pytest.approx((stats.t.ppf(0.975, freedom) + stats.t.ppf(0.8, freedom)) * error * unit)


def test_words():
    clear = effect(simulated(0.02), "l1_normalized_gap")
    assert clear.is_clear
    gap = "the normalized gap of layer 1"
    assert str(clear).startswith(f"With degrees held fixed, one standard deviation of {gap} goes with +")
    assert "15 topologies per cell" in str(clear)
    assert str(clear).endswith("distinguishable from zero.")
    idle = effect(simulated(0.0), "l1_normalized_gap")
    assert "not distinguishable from zero; this study could have seen 0." in str(idle)


def test_power_is_as_computed():
    """Effects as large as the smallest detectable one are found about 80 times in 100, here 48 in 60."""
    first = effect(simulated(0.0, clusters=40), "l1_normalized_gap")
    size = first.detectable / 100
    found = sum(effect(simulated(size, clusters=40, seed=s), "l1_normalized_gap").p_value < 0.05 for s in range(60))
    assert 38 <= found <= 58


def test_intervals_cover():
    """The truth, 1 point, is inside about 95 of 100 intervals; `benchmarks/validity.py` counts thousands."""
    inside = 0
    for seed in range(100):
        found = effect(simulated(0.01, clusters=24, seed=seed), "l1_normalized_gap")
        truth = found.sd / 0.5  # the gap's own part has a standard deviation of 0.5 and goes with 1 point
        inside += found.low <= truth <= found.high
    assert 88 <= inside <= 100


def test_what_cannot_be_told_is_said():
    frame = simulated(0.01)
    with pytest.raises(InsufficientDataError, match="topology seeds"):
        effect(frame.assign(density_only=frame["l1_log_density"]), "density_only")
    with pytest.raises(UnknownNameError):
        effect(frame, "gap")
    with pytest.raises(UnknownNameError):
        effect(frame.drop(columns="degrees"), "l1_normalized_gap")


def test_a_setting_that_was_not_given_names_a_cell_too():
    frame = simulated(0.01)
    frame["dropout_hidden"] = np.where(frame["topology_seed"] % 2, 0.5, 0.0)
    without = frame.assign(dropout_hidden=frame["dropout_hidden"].replace(0.0, np.nan))
    found, expected = (effect(rows, "l1_normalized_gap") for rows in (without, frame))
    assert found == expected
    assert found.n == len(frame)
    tables = [
        correlate(rows, "test_accuracy", "l1_normalized_gap", methods=["within_cell"]) for rows in (without, frame)
    ]
    assert tables[0].equals(tables[1])


def test_more_settings_make_no_fewer_topologies():
    """Each topology trained with four settings, which change nothing: what is known of it is what one setting tells."""
    frame = simulated(0.01, clusters=12, runs=1)
    many = pd.concat([frame.assign(dropout_hidden=0.1 * setting) for setting in range(4)], ignore_index=True)
    one, four = effect(frame, "l1_normalized_gap"), effect(many, "l1_normalized_gap")
    assert four.n_cells == 4 * one.n_cells
    assert (four.low, four.high, four.per_cell) == pytest.approx((one.low, one.high, one.per_cell))
    tables = [correlate(rows, "test_accuracy", "l1_normalized_gap", methods=["within_cell"]) for rows in (frame, many)]
    columns = ["estimate", "low", "high", "p_value"]
    assert tables[1].loc[0, columns].tolist() == pytest.approx(tables[0].loc[0, columns].tolist(), rel=1e-6)


def test_settings_that_vary_are_held_fixed():
    """Networks with dropout are worse and, here, better connected: comparing across settings would blame the gap."""
    frame = simulated(0.0)
    frame["dropout_hidden"] = np.where(np.arange(len(frame)) // 3 % 2, 0.5, 0.0)
    worse = frame["dropout_hidden"] > 0
    frame["test_accuracy"] -= 0.1 * worse
    frame["l1_normalized_gap"] += 2.0 * worse
    assert effect(frame, "l1_normalized_gap", cells=["degrees"]).is_clear
    assert not effect(frame, "l1_normalized_gap").is_clear
    within = correlate(frame, "test_accuracy", "l1_normalized_gap", methods=["within_cell"]).iloc[0]
    assert within["low"] < 0 < within["high"]
