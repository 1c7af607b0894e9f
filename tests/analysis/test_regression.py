from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from analysis import compare, effect, fit
from tests.analysis.conftest import simulated
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError

FORMULA = "test_accuracy ~ l1_log_density + l1_normalized_gap"


def design(frame):
    return np.column_stack([np.ones(len(frame)), frame["l1_log_density"], frame["l1_normalized_gap"]])


def test_ols_with_cluster_robust_errors_by_hand():
    frame = simulated(0.01)
    found = fit(frame, FORMULA)
    x, y = design(frame), frame["test_accuracy"].to_numpy()
    beta = np.linalg.inv(x.T @ x) @ x.T @ y
    rest = y - x @ beta
    clusters = frame["topology_id"].unique()
    without = np.array([np.linalg.lstsq(x[keep], y[keep])[0] for keep in (frame["topology_id"] != g for g in clusters)])
    covariance = 59 / 60 * (without - without.mean(axis=0)).T @ (without - without.mean(axis=0))
    assert found.coefficients["estimate"].to_numpy() == pytest.approx(beta)
    assert found.coefficients["std_error"].to_numpy() == pytest.approx(np.sqrt(np.diag(covariance)))
    assert found.n_clusters == 60
    reach = stats.t.ppf(0.975, 59) * np.sqrt(np.diag(covariance))
    assert found.coefficients["high"].to_numpy() == pytest.approx(beta + reach)
    assert found.r_squared == pytest.approx(1 - rest @ rest / ((y - y.mean()) ** 2).sum())
    assert found.covariance.to_numpy() == pytest.approx(covariance)
    assert found.degrees_of_freedom == 59
    gap = found.coefficients.loc["l1_normalized_gap"]
    assert gap["per_sd"] == pytest.approx(gap["estimate"] * frame["l1_normalized_gap"].std(ddof=0))
    assert gap["low"] < 0.02 < gap["high"]  # 0.01 a standard deviation of a part whose standard deviation is 0.5


def test_binomial_matches_statsmodels_arrays():
    frame = simulated(0.01)
    found = fit(frame, FORMULA, model="binomial")
    counts = np.column_stack([frame["correct"], frame["total"] - frame["correct"]])
    codes = frame["topology_id"].astype("category").cat.codes.to_numpy()
    expected = sm.GLM(counts, design(frame), family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": codes}
    )
    assert found.coefficients["estimate"].to_numpy() == pytest.approx(expected.params)
    assert found.coefficients["std_error"].to_numpy() == pytest.approx(expected.bse)
    assert 0 < found.r_squared < 1


def test_without_groups_errors_are_robust_to_unequal_variance():
    found = fit(simulated(0.01), FORMULA, groups=None)
    assert found.result.cov_type == "HC3"
    assert found.n_clusters == found.n


def test_errors_hold_where_a_cluster_alone_knows_a_cell():
    """Without the topology, its cell's constant is not determined; the slope still is."""
    frame = simulated(0.01)
    frame["cell"] = np.where(frame["topology_id"] == "t0", "lonely", frame["construction"])
    with_cell = fit(frame, FORMULA, absorb="cell").coefficients
    without = fit(frame[frame["topology_id"] != "t0"], FORMULA, absorb="cell").coefficients
    assert with_cell.loc["l1_normalized_gap", "estimate"] == pytest.approx(
        without.loc["l1_normalized_gap", "estimate"], rel=0.1
    )
    ratio = with_cell.loc["l1_normalized_gap", "std_error"] / without.loc["l1_normalized_gap", "std_error"]
    assert 0.9 < ratio < 1.1


def test_a_reader_is_warned():
    few = fit(simulated(0.01, clusters=8), FORMULA)
    assert any("only 8 clusters" in note for note in few.notes)
    frame = simulated(0.01)
    frame["twin"] = 2 * frame["l1_log_density"] + 1
    assert any("cannot be told apart" in note for note in fit(frame, f"{FORMULA} + twin").notes)
    frame["near"] = frame["l1_log_density"] + 1e-3 * np.random.default_rng(0).normal(size=len(frame))
    assert any("nearly collinear" in note for note in fit(frame, f"{FORMULA} + near").notes)


def test_a_term_with_one_cluster_has_no_interval():
    frame = simulated(0.01)
    frame.loc[frame["topology_id"] == "t0", "construction"] = "dense"
    found = fit(frame, f"{FORMULA} + C(construction, Treatment('random_edge'))")
    (term,) = [name for name in found.coefficients.index if "dense" in name]
    assert np.isnan(found.coefficients.loc[term, "std_error"])
    assert any("single cluster" in note for note in found.notes)


def test_missing_values_are_counted():
    frame = simulated(0.01)
    frame.loc[:9, "l1_normalized_gap"] = np.nan
    assert fit(frame, FORMULA).dropped == 10
    assert fit(frame, "test_accuracy ~ l1_log_density").dropped == 0


def test_categorical_terms_and_reprs():
    found = fit(simulated(0.01), f"{FORMULA} + C(construction)")
    assert "C(construction)[T.random_regular]" in found.coefficients.index
    assert "180 runs in 60 clusters" in repr(found)
    assert "<table" in found._repr_html_()


def test_bad_formulas_are_refused_in_words():
    frame = simulated(0.01)
    with pytest.raises(InvalidParameterError, match="outcome ~ term"):
        fit(frame, "test_accuracy")
    with pytest.raises(InvalidParameterError, match="cannot be read"):
        fit(frame, "test_accuracy ~ nothing_like_this")
    with pytest.raises(InvalidParameterError, match="cannot be read"):
        fit(frame, "test_accuracy ~ l1_log_density +")
    with pytest.raises(UnknownNameError, match="column"):
        fit(frame, "accuracy ~ l1_log_density")
    with pytest.raises(UnknownNameError, match="column"):
        fit(frame, FORMULA, groups="topology")
    with pytest.raises(InvalidParameterError, match="ols, binomial, mixed, beta"):
        fit(frame, FORMULA, model="probit")
    with pytest.raises(InsufficientDataError):
        fit(frame.head(3), FORMULA)
    with pytest.raises(InsufficientDataError, match="cannot determine"):
        fit(frame.iloc[::40], f"{FORMULA} + C(topology_id)")


def test_comparison_sees_what_connectivity_adds_and_what_it_does_not():
    base = "test_accuracy ~ l1_log_density"
    useful = compare(simulated(0.03), base, FORMULA)
    assert useful.added == ("l1_normalized_gap",)
    assert useful.wald_p_value < 1e-6
    assert useful.rmse("full") < 0.8 * useful.rmse("base")
    assert useful.aic_gain > 0
    idle = compare(simulated(0.0, seed=1), base, FORMULA)
    assert idle.wald_p_value > 0.01
    assert idle.rmse("full") > 0.97 * idle.rmse("base")
    assert list(useful.folds.index) == ["random_edge", "random_regular", "regular_rotating"]
    assert useful.folds["n"].sum() == 180
    assert "Wald" in repr(useful)
    assert "<table" in useful._repr_html_()


def test_held_out_errors_by_hand():
    frame = simulated(0.01)
    found = compare(frame, "test_accuracy ~ l1_log_density", FORMULA)
    seen = frame["construction"] != "random_edge"
    weights, *_ = np.linalg.lstsq(design(frame[seen]), frame.loc[seen, "test_accuracy"], rcond=None)
    rest = frame.loc[~seen, "test_accuracy"] - design(frame[~seen]) @ weights
    assert found.folds.loc["random_edge", "full_rmse"] == pytest.approx(np.sqrt(np.mean(rest**2)))


def test_models_that_are_not_nested_are_refused():
    frame = simulated(0.01)
    with pytest.raises(InvalidParameterError, match="all terms"):
        compare(frame, "test_accuracy ~ l1_log_density", "test_accuracy ~ l1_normalized_gap")
    one = compare(frame.assign(construction="dense"), "test_accuracy ~ l1_log_density", FORMULA)
    assert one.folds.empty
    assert np.isnan(one.rmse("full"))
    assert "RMSE" not in repr(one)
    assert one.wald_p_value == compare(frame, "test_accuracy ~ l1_log_density", FORMULA).wald_p_value
    with pytest.raises(UnknownNameError, match="column"):
        compare(frame, "test_accuracy ~ l1_log_density", FORMULA, held_out="family")


def test_absorbing_leaves_out_cells_in_which_nothing_was_learnt():
    """They would shrink the slope of the others: nothing can vary with a metric where the outcome has one value."""
    frame = simulated(0.01)
    dead = frame["degrees"] == "2-10"
    frame.loc[dead, "test_accuracy"] = 0.117
    found = fit(frame, "test_accuracy ~ l1_normalized_gap", absorb=["degrees"])
    alive = fit(frame[~dead], "test_accuracy ~ l1_normalized_gap", absorb=["degrees"])
    assert found.notes == (f"1 cell ({dead.sum()} runs) in which the outcome has one value left out",)
    pd.testing.assert_frame_equal(found.coefficients, alive.coefficients)


def test_absorbed_constants_compare_equal_degrees_only():
    frame = simulated(0.02)
    found = fit(frame, "test_accuracy ~ l1_normalized_gap", absorb=["architecture", "degrees"])
    assert list(found.coefficients.index) == ["Intercept", "l1_normalized_gap"]
    from analysis.effects import effect

    within = effect(frame, "l1_normalized_gap")
    slope = found.coefficients.loc["l1_normalized_gap", "estimate"]
    assert slope * within.sd * 100 == pytest.approx(within.points)


def test_mixed_model_recovers_a_known_design():
    frame = simulated(0.01, clusters=200)
    found = fit(frame, FORMULA, model="mixed")
    gap = found.coefficients.loc["l1_normalized_gap"]
    assert gap["low"] < 0.02 < gap["high"]
    assert list(found.coefficients.index) == ["Intercept", "l1_log_density", "l1_normalized_gap"]
    (spread,) = [note for note in found.notes if "random intercepts" in note]
    assert "topology 0.0" in spread
    assert 0.5 < found.r_squared < 1
    two = frame.assign(architecture=np.where(frame["topology_id"].str[-1].isin(list("01234")), "a", "b"))
    assert any("architecture" in note for note in fit(two.head(150), FORMULA, model="mixed").notes)
    with pytest.raises(InvalidParameterError, match="needs groups"):
        fit(frame, FORMULA, model="mixed", groups=None)


def test_beta_regression_agrees_in_sign_and_size():
    frame = simulated(0.01)
    found = fit(frame, FORMULA, model="beta").coefficients.loc["l1_normalized_gap"]
    logit = fit(frame, FORMULA, model="binomial").coefficients.loc["l1_normalized_gap"]
    assert found["low"] > 0
    assert found["estimate"] == pytest.approx(logit["estimate"], rel=0.3)
    with pytest.raises(InvalidParameterError, match=r"\[0, 1\]"):
        fit(frame.assign(percent=100 * frame["test_accuracy"]), "percent ~ l1_log_density", model="beta")


def test_variance_inflation_and_influence_by_refitting():
    frame = simulated(0.01, clusters=20)
    found = fit(frame, FORMULA)
    r_squared = fit(frame, "l1_normalized_gap ~ l1_log_density").r_squared
    assert found.vif["l1_normalized_gap"] == pytest.approx(1 / (1 - r_squared))
    without = fit(frame[frame["topology_id"] != "t3"], FORMULA).coefficients["estimate"]
    assert found.influence.loc["t3"].to_numpy() == pytest.approx((without - found.coefficients["estimate"]).to_numpy())


@pytest.mark.parametrize(
    ("name", "term"),
    [("my gap", "Q('my gap')"), ("C", "C"), ("bs", "bs"), ("λ2", "λ2"), ("outcome_", "outcome_"), ("a-1", 'Q("a-1")')],
)
def test_a_column_of_any_name_has_the_coefficient_of_a_plain_one(name, term):
    frame = simulated(0.01)
    renamed = frame.rename(columns={"l1_normalized_gap": name})
    found = fit(renamed, f"test_accuracy ~ l1_log_density + {term}").coefficients
    assert found["estimate"].tolist() == pytest.approx(fit(frame, FORMULA).coefficients["estimate"].tolist())


def test_columns_that_a_formula_does_not_use_neither_hide_its_functions_nor_cost_rows():
    frame = simulated(0.01).assign(method=lambda rows: np.where(rows.index % 2, "er", "erk"))
    expected = fit(frame, "test_accuracy ~ np.log(seed + 1) + C(method)", absorb="degrees")
    holes = np.where(np.arange(len(frame)) < 90, np.nan, 1.0)  # the names occur in the formula, the columns do not
    named = frame.assign(C=holes, np=holes, log=holes, **{"absorbed_": holes, "gap": holes, "my gap": frame["seed"]})
    found = fit(named, "test_accuracy ~ np.log(Q('my gap') + 1) + C(method)", absorb="degrees")
    assert found.n == len(frame)
    assert found.coefficients["estimate"].tolist() == pytest.approx(expected.coefficients["estimate"].tolist())


@pytest.mark.parametrize("name", ["data", "right", "l1_normalised_gap"])
def test_a_name_that_is_no_column_is_refused(name):
    with pytest.raises(InvalidParameterError, match=f"{name}' is not a column"):
        fit(simulated(0.01, clusters=6), f"test_accuracy ~ {name}")


def test_a_column_that_hides_a_function_in_use_is_named():
    frame = simulated(0.01, clusters=6).assign(Q=lambda rows: rows["total"], **{"my gap": 1.0})
    with pytest.raises(InvalidParameterError, match="the column Q hides the function of this name"):
        fit(frame, "test_accuracy ~ Q + Q('my gap')")


@pytest.mark.parametrize("dtype", ["boolean", "bool[pyarrow]"])
def test_truth_values_of_any_kind_are_terms(dtype):
    frame = simulated(0.01).assign(wide=lambda rows: rows["l1_normalized_gap"] > 0.5)
    found = fit(frame.astype({"wide": dtype}), "test_accuracy ~ l1_log_density + wide")
    expected = fit(frame, "test_accuracy ~ l1_log_density + wide")
    pd.testing.assert_frame_equal(found.coefficients, expected.coefficients)


def test_cells_are_found_where_the_index_has_the_same_names():
    frame = simulated(0.01)
    grouped = frame.set_index(["degrees", "topology_id"], drop=False)
    assert effect(grouped, "l1_normalized_gap", cells=["degrees"]) == effect(
        frame, "l1_normalized_gap", cells=["degrees"]
    )
    with pytest.raises(InvalidParameterError, match="named by text or numbers"):
        effect(frame.assign(sizes=[[64, 10]] * len(frame)), "l1_normalized_gap", cells=["sizes"])


def test_a_table_without_topologies_says_how_to_do_without():
    frame = pd.DataFrame({"x": range(8), "y": [1, 3, 2, 5, 4, 6, 8, 7]})
    with pytest.raises(UnknownNameError, match=r"'topology_id'.*groups=None takes each row for one"):
        fit(frame, "y ~ x")
    assert fit(frame, "y ~ x", groups=None).n_clusters == 8
