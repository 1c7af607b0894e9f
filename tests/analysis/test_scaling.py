from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import compare, fit
from analysis.scaling import Standardised
from tests.analysis.conftest import simulated
from topograph.errors import InsufficientDataError, InvalidParameterError

FORMULA = "test_accuracy ~ l1_log_density + l1_normalized_gap"


def t_value(frame, **options):
    row = fit(frame, FORMULA, **options).coefficients.loc["l1_normalized_gap"]
    return row["estimate"] / row["std_error"]


@pytest.mark.parametrize("groups", ["topology_id", None])
@pytest.mark.parametrize("model", ["ols", "binomial", "beta"])
@pytest.mark.parametrize("change", [lambda x: 1e8 * x, lambda x: 1e-8 * x, lambda x: x + 2e4, lambda x: 5e7 + 1e6 * x])
def test_a_fit_does_not_know_the_unit_or_the_origin_of_a_metric(model, groups, change):
    frame = simulated(0.01, clusters=20)
    other = frame.assign(l1_normalized_gap=change(frame["l1_normalized_gap"]))
    expected = t_value(frame, model=model, groups=groups)
    assert t_value(other, model=model, groups=groups) == pytest.approx(expected, rel=1e-5)


def test_errors_by_leaving_out_each_cluster_of_a_badly_scaled_table():
    """The reference fits each time anew, on the standardised design."""
    frame = simulated(0.0, clusters=25)
    x = frame["l1_normalized_gap"]
    z = ((x - x.mean()) / x.std()).to_numpy()
    y = frame["test_accuracy"].to_numpy()
    design = np.column_stack([np.ones(len(z)), z])
    names = frame["topology_id"]
    slopes = np.array([np.linalg.lstsq(design[names != n], y[names != n], rcond=None)[0][1] for n in names.unique()])
    error = np.sqrt((len(slopes) - 1) / len(slopes) * np.square(slopes - slopes.mean()).sum())
    expected = np.linalg.lstsq(design, y, rcond=None)[0][1] / error
    row = fit(frame.assign(butterflies=1e9 + 3e4 * x), "test_accuracy ~ butterflies").coefficients.loc["butterflies"]
    assert row["estimate"] / row["std_error"] == pytest.approx(expected, rel=1e-4)


def test_a_null_effect_stays_one_with_an_offset():
    claims = sum(
        fit(
            simulated(0.0, clusters=30, seed=seed).assign(noise=lambda f: 2e4 + f["topology_seed"].map(
                dict(enumerate(np.random.default_rng(99).normal(size=30))))),
            "test_accuracy ~ l1_log_density + noise",
        ).coefficients.loc["noise", "p_value"] < 0.05
        for seed in range(20)
    )  # fmt: skip
    assert claims <= 5


def test_combinations_of_terms_are_left_open_not_shared_out():
    frame = simulated(0.01)
    frame["twin"] = 2 * frame["l1_log_density"] + 1
    frame["level"] = 1.0
    found = fit(frame, f"{FORMULA} + twin").coefficients
    assert found.loc[["l1_log_density", "twin", "Intercept"], "estimate"].isna().all()
    alone = fit(frame, FORMULA).coefficients.loc["l1_normalized_gap"]
    assert found.loc["l1_normalized_gap"].to_numpy() == pytest.approx(alone.to_numpy())
    constant = fit(frame, "test_accuracy ~ l1_normalized_gap + level")
    assert np.isnan(constant.coefficients.loc["level", "p_value"])
    assert any("cannot be told apart" in note for note in constant.notes)
    for model in ("mixed", "binomial"):
        other = fit(frame, f"{FORMULA} + twin", model=model).coefficients
        assert np.isnan(other.loc["twin", "p_value"])
        alone = fit(frame, FORMULA, model=model).coefficients.loc["l1_normalized_gap", "p_value"]
        assert other.loc["l1_normalized_gap", "p_value"] == pytest.approx(alone, rel=0.05, abs=1e-9)


def test_rows_that_a_formula_leaves_out_are_counted_and_said():
    frame = simulated(0.01)
    kept = int((frame["l1_normalized_gap"] > -2.5).sum())
    for groups in ("topology_id", None):
        found = fit(frame, "test_accuracy ~ np.log(l1_normalized_gap + 2.5)", groups=groups)
        assert (found.n, found.dropped, len(found.rows)) == (kept, len(frame) - kept, kept)
        assert any(f"{len(frame) - kept} of {len(frame)} complete rows are left out" in note for note in found.notes)
    compared = compare(frame, "test_accuracy ~ l1_log_density", f"{FORMULA} + np.log(l1_normalized_gap + 2.5)")
    assert compared.base.n == compared.full.n == kept
    with pytest.raises(InvalidParameterError, match="same rows"):
        compare(
            frame,
            "test_accuracy ~ np.sqrt(l1_normalized_gap + 1.5)",
            "test_accuracy ~ l1_log_density",
        )


def test_infinite_values_are_missing_ones_in_every_fit():
    frame = simulated(0.01)
    frame.loc[:5, "l1_normalized_gap"] = np.inf
    expected = fit(frame.iloc[6:], FORMULA)
    found = fit(frame, FORMULA)
    assert found.dropped == 6
    pd.testing.assert_frame_equal(found.coefficients, expected.coefficients)
    assert fit(frame, "test_accuracy ~ np.log(np.abs(l1_normalized_gap) * (l1_log_density < -3))").n < len(frame) - 6


def test_impossible_tables_are_refused_in_words():
    frame = simulated(0.01)
    with pytest.raises(InsufficientDataError, match="one value only"):
        fit(frame.assign(topology_id="a"), FORMULA)
    with pytest.raises(InvalidParameterError, match="101 correct of 100"):
        fit(frame.assign(total=100, correct=101), FORMULA, model="binomial")
    assert fit(frame.assign(total=frame["total"].where(frame.index > 9, 0), correct=0 * frame["correct"] + 1 * (
        frame.index > 9) * (frame.index % 7)), FORMULA, model="binomial").n == len(frame) - 10  # fmt: skip
    with pytest.raises(InvalidParameterError, match=r"write Q\('r-out'\)"):
        fit(frame.rename(columns={"l1_normalized_gap": "r-out"}), "test_accuracy ~ r-out")


def test_absorbed_columns_are_crossed():
    """Equal in both columns is what is compared, as `analysis.effect` does; constants of each column alone are not."""
    frame = simulated(0.02)
    frame["size"] = np.where(frame["topology_seed"] % 2, "small", "large")
    frame.loc[(frame["size"] == "small") & (frame["degrees"] == "16-10"), "test_accuracy"] -= 0.1
    found = fit(frame, "test_accuracy ~ l1_normalized_gap", absorb=["size", "degrees"])
    from analysis import effect

    within = effect(frame, "l1_normalized_gap", cells=["size", "degrees"])
    assert found.coefficients.loc["l1_normalized_gap", "estimate"] == pytest.approx(within.slope)


def test_the_basis_spans_the_design_and_leads_back():
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    design = np.column_stack([np.ones(40), 1e6 + x, x**2, x + 1e-6 * rng.normal(size=40)])
    standard = Standardised.of(design)
    outcome = design @ np.array([2.0, 1.0, -3.0, 5.0])
    weights = np.linalg.lstsq(standard.regressors, outcome - outcome.mean(), rcond=None)[0]
    slopes = standard.coefficients(weights)[1:]
    assert slopes == pytest.approx([1.0, -3.0, 5.0], rel=1e-3)
