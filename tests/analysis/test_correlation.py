from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import compare, correlate, effect, verdicts
from analysis.coefficients import Deviations, spearman, spearman_without
from analysis.correlation import COLUMNS
from analysis.leaving_out import leave_each_out
from tests.analysis.conftest import simulated
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError

ARGUMENTS = {"control": ["l1_log_density"]}


def by_method(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index("method")


def test_estimates_match_scipy_and_a_regression():
    frame = simulated(0.01)
    found = by_method(correlate(frame, "test_accuracy", "l1_normalized_gap", **ARGUMENTS))
    y, x, z = (frame[c].to_numpy() for c in ("test_accuracy", "l1_normalized_gap", "l1_log_density"))
    assert found.loc["pearson", "estimate"] == pytest.approx(stats.pearsonr(y, x).statistic)
    assert found.loc["spearman", "estimate"] == pytest.approx(stats.spearmanr(y, x).statistic)
    left = [v - np.polyval(np.polyfit(z, v, 1), z) for v in (y, x)]
    assert found.loc["partial", "estimate"] == pytest.approx(stats.pearsonr(*left).statistic)
    cells = frame.groupby("degrees")[["test_accuracy", "l1_normalized_gap"]].transform("mean")
    deviations = frame[["test_accuracy", "l1_normalized_gap"]] - cells
    assert found.loc["within_cell", "estimate"] == pytest.approx(deviations.corr().iloc[0, 1])
    assert tuple(correlate(frame, "test_accuracy", "l1_normalized_gap", **ARGUMENTS).columns) == COLUMNS
    assert (found["n"] == len(frame)).all()
    assert (found["n_clusters"] == 60).all()


def test_pingouin_agrees():
    pingouin = pytest.importorskip("pingouin")
    frame = simulated(0.01)
    metrics = ["l1_normalized_gap", "l1_log_density"]
    found = correlate(frame, "test_accuracy", metrics, methods=["pearson", "spearman", "kendall"])
    for row in found.itertuples():
        theirs = pingouin.corr(frame[row.metric], frame["test_accuracy"], method=row.method)
        assert row.estimate == pytest.approx(theirs["r"].item())
    partial = by_method(correlate(frame, "test_accuracy", "l1_normalized_gap", **ARGUMENTS)).loc["partial"]
    theirs = pingouin.partial_corr(frame, "l1_normalized_gap", "test_accuracy", covar="l1_log_density")
    assert partial["estimate"] == pytest.approx(theirs["r"].item())
    raw = found[found["method"] == "pearson"]
    for ours, name in (("p_holm", "holm"), ("p_bh", "fdr_bh")):
        assert raw[ours].to_numpy() == pytest.approx(pingouin.multicomp(raw["p_value"].to_list(), method=name)[1])


def test_density_alone_leaves_nothing_when_it_is_held_fixed():
    found = by_method(correlate(simulated(0.0), "test_accuracy", "l1_normalized_gap", **ARGUMENTS))
    assert found.loc["pearson", "low"] > 0.5
    for method in ("partial", "within_cell"):
        assert found.loc[method, "low"] < 0 < found.loc[method, "high"]


def test_an_effect_beyond_density_is_found():
    found = by_method(correlate(simulated(0.02), "test_accuracy", "l1_normalized_gap", **ARGUMENTS))
    for method in ("partial", "within_cell"):
        assert found.loc[method, "low"] > 0.3
        assert found.loc[method, "p_value"] < 1e-6


def test_intervals_respect_clusters():
    """Copies of a run are no new evidence: the interval must not shrink when every run is copied ten times."""
    frame = simulated(0.0, clusters=40, runs=1)
    copies = pd.concat([frame] * 10, ignore_index=True)
    one, ten = (by_method(correlate(f, "test_accuracy", "l1_normalized_gap", **ARGUMENTS)) for f in (frame, copies))
    assert ten.loc["partial", "low"] == pytest.approx(one.loc["partial", "low"], abs=1e-9)
    alone = copies.assign(row=range(len(copies)))
    naive = by_method(correlate(alone, "test_accuracy", "l1_normalized_gap", groups="row", **ARGUMENTS))
    width = {name: t.loc["partial", "high"] - t.loc["partial", "low"] for name, t in (("c", ten), ("n", naive))}
    assert width["c"] > 2 * width["n"]


def test_intervals_cover_and_do_not_cry_wolf():
    """120 studies without an effect beyond density: few may claim one (5 % expected, up to 14 would be chance)."""
    claims = naive = 0
    for seed in range(120):
        frame = simulated(0.0, clusters=40, seed=seed)
        table = by_method(
            correlate(frame, "test_accuracy", "l1_normalized_gap", methods=["pearson", "partial"],
                      control=["l1_log_density"])
        )  # fmt: skip
        claims += table.loc["partial", "p_value"] < 0.05
        naive += table.loc["pearson", "p_value"] < 0.05
    assert claims <= 14
    assert naive >= 110  # the raw correlation claims an effect nearly always


@pytest.mark.parametrize("method", ["pearson", "spearman", "kendall"])
def test_intervals_are_those_of_leaving_out_each_topology_by_hand(method):
    frame = simulated(0.01, clusters=14, seed=3)
    row = correlate(frame, "test_accuracy", "l1_normalized_gap", methods=[method]).iloc[0]
    reference = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}[method]

    def z(part):
        return np.arctanh(reference(part["test_accuracy"], part["l1_normalized_gap"])[0])

    without = np.array([z(frame[frame["topology_id"] != name]) for name in frame["topology_id"].unique()])
    count, freedom = len(without), len(without) - 2
    error = np.sqrt((count - 1) / freedom * np.square(without - z(frame)).sum())
    reach = stats.t.ppf(0.975, freedom) * error
    assert (row["low"], row["high"]) == pytest.approx((np.tanh(z(frame) - reach), np.tanh(z(frame) + reach)), rel=1e-9)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(z(frame)) / error, freedom), rel=1e-8)


def test_more_than_a_thousand_topologies_are_left_out_in_250_groups():
    rng = np.random.default_rng(7)
    x = rng.normal(size=5000)
    frame = pd.DataFrame({"x": x, "y": x + 2 * rng.normal(size=5000), "topology_id": rng.permutation(5000)})
    row = correlate(frame, "y", "x", methods=["pearson"]).iloc[0]
    exact = stats.pearsonr(frame["x"], frame["y"]).confidence_interval()
    assert row["high"] - row["low"] == pytest.approx(exact.high - exact.low, rel=0.1)
    assert row["p_value"] < 1e-50


@pytest.mark.parametrize("size", [60, 1100])
def test_leaving_clusters_out_by_sums_is_leaving_them_out_by_weights(size, monkeypatch):
    monkeypatch.setattr("analysis.coefficients._BLOCK", 5000)  # several blocks
    rng = np.random.default_rng(size)
    x = np.round(rng.normal(size=3 * size), 1)  # with ties
    y = x + rng.normal(size=3 * size)
    clusters = rng.integers(0, 3 * size, size=3 * size) if size > 1000 else np.repeat(np.arange(size), 3)
    ranks = leave_each_out(lambda weights: spearman(y, x, weights), clusters)
    assert spearman_without(y, x, clusters) == pytest.approx(ranks, abs=1e-12)
    for codes, controls in (
        (np.zeros_like(clusters), rng.normal(size=(3 * size, 2))),
        (rng.integers(0, 9, 3 * size), np.zeros((3 * size, 0))),
    ):
        deviations = Deviations(y, x, controls, codes)
        by_weights = leave_each_out(deviations.correlation, clusters)
        assert len(by_weights) == (250 if size > 1000 else size)
        assert deviations.without(clusters) == pytest.approx(by_weights, abs=1e-12)


def test_what_one_topology_decides_has_no_interval():
    frame = pd.DataFrame({"x": [0.0, 0, 0, 0, 0, 1], "y": [1.0, 2, 3, 2, 1, 5], "topology_id": range(6)})
    row = correlate(frame, "y", "x", methods=["pearson"]).iloc[0]
    assert row["estimate"] > 0.8
    assert row[["low", "high", "p_value"]].isna().all()


def test_what_cannot_be_correlated_says_why():
    frame = simulated(0.01).assign(flat=1.0, hole=np.nan)
    frame["twin"] = 3 * frame["l1_log_density"]
    frame["cellwise"] = frame["degrees"].str.split("-").str[0].astype(float)
    table = correlate(frame, "test_accuracy", ["flat", "hole", "twin", "cellwise"], **ARGUMENTS)
    reasons = table.attrs["reasons"]
    assert "same value" in reasons["flat"]
    assert "hole lacks 180" in reasons["hole"]
    assert "nothing of twin" in reasons["twin (partial)"]
    assert "does not vary" in reasons["cellwise (within_cell)"]
    assert table.set_index(["metric", "method"]).loc[("twin", "pearson"), "estimate"] > 0.5
    lines = "\n".join(verdicts(table))
    assert "flat: cannot be correlated" in lines
    assert "cellwise: raw r" in lines


def test_bad_arguments_are_refused_in_words():
    frame = simulated(0.01)
    with pytest.raises(UnknownNameError, match="did you mean 'l1_normalized_gap'"):
        correlate(frame, "test_accuracy", "l1_normalised_gap")
    with pytest.raises(InvalidParameterError, match="must hold numbers"):
        correlate(frame, "construction", "l1_normalized_gap")
    with pytest.raises(InvalidParameterError, match="needs control"):
        correlate(frame, "test_accuracy", "l1_normalized_gap", methods=["partial"])
    with pytest.raises(InvalidParameterError, match="pearson, spearman"):
        correlate(frame, "test_accuracy", "l1_normalized_gap", methods=["gamma"])
    with pytest.raises(InvalidParameterError, match="within_cell"):
        correlate(frame.drop(columns="degrees"), "test_accuracy", "l1_normalized_gap", methods=["within_cell"])
    with pytest.raises(InsufficientDataError, match="at least 4 rows"):
        correlate(frame.head(3), "test_accuracy", "l1_normalized_gap")
    with pytest.raises(InsufficientDataError, match="same value"):
        correlate(frame.assign(test_accuracy=0.5), "test_accuracy", "l1_normalized_gap")


def test_a_control_that_is_never_known_leaves_nothing():
    frame = simulated(0.01).assign(hole=np.nan)
    table = correlate(frame, "test_accuracy", "l1_normalized_gap", control="hole")
    assert table["estimate"].isna().all()
    assert "0 complete rows" in table.attrs["reasons"]["l1_normalized_gap"]


def test_studies_that_were_put_together_keep_their_rows():
    """`pandas.concat` repeats the row labels; each row counts once all the same, and what is unknown stays out."""
    first, second = simulated(0.02, seed=1), simulated(-0.01, seed=2, clusters=20)
    second["topology_id"] += "'"
    second.loc[3:9, "l1_normalized_gap"] = np.nan
    both, numbered = pd.concat([first, second]), pd.concat([first, second], ignore_index=True)
    tables = [correlate(frame, "test_accuracy", "l1_normalized_gap", **ARGUMENTS) for frame in (both, numbered)]
    pd.testing.assert_frame_equal(*tables)
    assert (tables[0]["n"] == 60 * 3 + 20 * 3 - 7).all()
    assert effect(both, "l1_normalized_gap") == effect(numbered, "l1_normalized_gap")
    formulas = "test_accuracy ~ l1_log_density", "test_accuracy ~ l1_log_density + l1_normalized_gap"
    pd.testing.assert_frame_equal(compare(both, *formulas).folds, compare(numbered, *formulas).folds)


def test_verdicts_use_no_causal_word():
    table = correlate(simulated(0.02), "test_accuracy", "l1_normalized_gap", **ARGUMENTS)
    lines = verdicts(table)
    assert "a link remains" in lines[1]
    assert not any(word in "".join(lines) for word in ("cause", "effect", "because", "improve"))
    raw_only = verdicts(correlate(simulated(0.02), "test_accuracy", "l1_normalized_gap", methods=["pearson"]))
    assert raw_only[1].startswith("normalized gap, layer 1: raw r = +")


def test_kendall_and_adjusted_p_values():
    frame = simulated(0.01, clusters=30)
    frame["noise"] = np.random.default_rng(1).normal(size=len(frame)).round(1)  # with ties
    table = correlate(frame, "test_accuracy", ["l1_normalized_gap", "noise"], methods=["kendall", "pearson"]).set_index(
        ["metric", "method"]
    )
    for name in ("l1_normalized_gap", "noise"):
        expected = stats.kendalltau(frame["test_accuracy"], frame[name]).statistic
        assert table.loc[(name, "kendall"), "estimate"] == pytest.approx(expected)
    p = table.xs("pearson", level="method")["p_value"].sort_values()
    holm = table.xs("pearson", level="method")["p_holm"]
    assert holm[p.index[0]] == pytest.approx(min(1, 2 * p.iloc[0]))
    assert holm[p.index[1]] == pytest.approx(min(1, max(p.iloc[1], 2 * p.iloc[0])))
    assert (table["p_bh"] <= table["p_holm"] + 1e-12).all()


def test_holm_matches_statsmodels():
    from statsmodels.stats.multitest import multipletests

    from analysis.leaving_out import holm

    p = np.random.default_rng(0).random(20) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
