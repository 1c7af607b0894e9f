from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis import compare_correlations, correlate, correlate_per_cell
from tests.analysis.conftest import simulated
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError


@pytest.fixture
def frame():
    frame = simulated(0.01)
    rng = np.random.default_rng(3)
    return frame.assign(
        loose=frame["l1_log_density"] + 0.3 * rng.normal(size=60)[frame["topology_seed"]],
        other=rng.normal(size=60)[frame["topology_seed"]],
    )


@pytest.mark.parametrize(("method", "reference"), [("spearman", stats.spearmanr), ("pearson", stats.pearsonr)])
def test_each_cell_and_the_mean_match_scipy(frame, method, reference):
    found = correlate_per_cell(frame, "test_accuracy", "l1_normalized_gap", method=method)
    expected = {
        degrees: reference(rows["test_accuracy"], rows["l1_normalized_gap"]).statistic
        for degrees, rows in frame.groupby("degrees")
    }
    assert found.table.set_index("degrees")["estimate"].to_dict() == pytest.approx(expected)
    row = found.means.loc["l1_normalized_gap"]
    assert row["mean"] == pytest.approx(np.mean(list(expected.values())))
    assert row["mean_absolute"] == pytest.approx(np.abs(list(expected.values())).mean())
    shifts = []
    for name in frame["topology_id"].unique():
        rest = frame[frame["topology_id"] != name]
        cells = [reference(r["test_accuracy"], r["l1_normalized_gap"]).statistic for _, r in rest.groupby("degrees")]
        shifts.append(np.mean(cells) - row["mean"])
    error = np.sqrt(59 / 60 * np.square(shifts).sum())
    assert row["high"] - row["mean"] == pytest.approx(stats.t.ppf(0.975, 60 - 1 - 4) * error)
    assert (row["n_cells"], row["n"], row["n_clusters"]) == (4, 180, 60)


def test_a_control_is_held_fixed_in_each_cell(frame):
    found = correlate_per_cell(frame, "test_accuracy", "l1_normalized_gap", control="loose", method="pearson")
    for degrees, rows in frame.groupby("degrees"):
        z = rows["loose"]
        left = [rows[c] - np.polyval(np.polyfit(z, rows[c], 1), z) for c in ("test_accuracy", "l1_normalized_gap")]
        estimate = found.table.set_index("degrees").loc[degrees, "estimate"]
        assert estimate == pytest.approx(stats.pearsonr(*left).statistic)


def test_partial_correlation_within_cells_matches_a_regression(frame):
    import statsmodels.formula.api as smf

    options = {"control": ["loose"], "methods": ["within_cell_partial"]}
    row = correlate(frame, "test_accuracy", "l1_normalized_gap", **options).iloc[0]
    left = [smf.ols(f"{c} ~ loose + C(degrees)", frame).fit().resid for c in ("test_accuracy", "l1_normalized_gap")]
    assert row["estimate"] == pytest.approx(stats.pearsonr(*left).statistic)
    assert row["low"] < row["estimate"] < row["high"]


def test_an_effect_with_a_control_matches_refitting(frame):
    import statsmodels.formula.api as smf

    from analysis import effect

    found = effect(frame, "l1_normalized_gap", control=["loose", "other"])

    def slope(rows):
        return smf.ols("test_accuracy ~ l1_normalized_gap + loose + other + C(degrees)", rows).fit().params.iloc[4]

    names = frame["topology_id"].unique()
    left_out = np.array([slope(frame[frame["topology_id"] != name]) for name in names])
    error = np.sqrt(59 / 60 * np.square(left_out - slope(frame)).sum())
    assert found.slope == pytest.approx(slope(frame))
    freedom = 60 - 1 - 4 - 2
    assert (found.high - found.low) / 200 / found.sd == pytest.approx(stats.t.ppf(0.975, freedom) * error)
    rest = smf.ols("l1_normalized_gap ~ loose + other + C(degrees)", frame).fit().resid
    assert found.sd == pytest.approx(np.sqrt(np.square(rest).mean()))


@pytest.mark.parametrize("method", ["pearson", "spearman", "within_cell", "within_cell_partial"])
def test_a_difference_is_that_of_the_two_correlations(frame, method):
    options = {"control": ["loose"]} if method.endswith("partial") else {}
    found = compare_correlations(frame, "test_accuracy", "l1_normalized_gap", "other", method=method, **options)
    table = correlate(frame, "test_accuracy", ["l1_normalized_gap", "other"], methods=[method], **options)
    assert found.estimates == pytest.approx(table["estimate"].tolist())
    assert found.difference == pytest.approx(table["estimate"].iloc[0] - table["estimate"].iloc[1])
    assert found.low < found.difference < found.high
    assert found.method in str(found)


def test_a_twin_differs_in_nothing(frame):
    found = compare_correlations(
        frame.assign(twin=-3 * frame["other"]), "test_accuracy", "other", "twin", magnitudes=True
    )
    assert found.difference == pytest.approx(0, abs=1e-12)
    assert not found.is_clear


def test_what_cannot_be_told_is_refused_in_words(frame):
    with pytest.raises(InsufficientDataError, match="no cell has a correlation"):
        correlate_per_cell(frame, "test_accuracy", "l1_log_density")
    with pytest.raises(InvalidParameterError, match="spearman"):
        correlate_per_cell(frame, "test_accuracy", "other", method="gamma")
    with pytest.raises(UnknownNameError, match="degrees"):
        correlate_per_cell(frame, "test_accuracy", "other", cells=["degree"])
    with pytest.raises(InsufficientDataError, match="does not vary"):
        compare_correlations(frame, "test_accuracy", "l1_log_density", "other", method="within_cell")
    mixed = correlate_per_cell(frame, "test_accuracy", ["other", "l1_log_density"])
    assert list(mixed.means.index) == ["other"]
    assert "no cell" in mixed.reasons["l1_log_density"]
    assert "l1_log_density" in repr(mixed)
