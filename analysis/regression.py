"""`fit`: a regression with errors that know which runs share a topology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from analysis.diagnostics import cluster_influence, condition_number, lone_terms, notes_of, variance_inflation
from analysis.formulas import read_formula
from analysis.models import MODELS, Fitted, Problem
from topograph.checks import check_choice, check_real
from topograph.display import html_table


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted regression.

    Parameters
    ----------
    formula, model
        As asked for.
    coefficients
        One row per term: ``estimate``, ``std_error``, ``low``, ``high``, ``p_value``, and ``per_sd``, the estimate
        times the standard deviation of its column (in units of the outcome for ``ols`` and ``mixed``, log odds for
        ``binomial`` and ``beta``).
    covariance
        Covariance of these estimates.
    degrees_of_freedom
        Degrees of freedom of the Student's t behind intervals and p-values: clusters − 1 (``mixed``: clusters − terms),
        infinite for the normal distribution.
    n, n_clusters
        Rows and clusters used.
    dropped
        Rows left out: for a missing or infinite value, or since a term of the formula is undefined there.
    r_squared
        Share of variance explained (``ols``), by the fixed effects (``mixed``, marginal), of deviance (``binomial``),
        of log likelihood (``beta``, McFadden); in [0, 1].
    aic, bic, log_likelihood
        In units of the outcome; NaN for ``mixed``, whose likelihood is a restricted one.
    vif
        Variance inflation factor of each term.
    condition_number
        Condition number of the standardised terms.
    influence
        Change of each least-squares coefficient when a cluster is left out, one row per cluster; empty without groups.
    notes
        Remarks that a reader must know: rows left out, few clusters, collinear terms, convergence.
    result
        The statsmodels result, for everything else. It belongs to the standardised design (columns of mean 0 and
        variance 1, for ``ols`` and ``mixed`` a standardised outcome too), on which no result depends on units.
    problem
        Rows and terms of the fit.
    rows
        Positions in the frame of the rows that were used.
    fitted_values
        The model's value of the outcome in each of these rows.
    """

    formula: str
    model: str
    coefficients: pd.DataFrame
    covariance: pd.DataFrame
    degrees_of_freedom: float
    n: int
    n_clusters: int
    dropped: int
    r_squared: float
    aic: float
    bic: float
    log_likelihood: float
    vif: pd.Series
    condition_number: float
    influence: pd.DataFrame
    notes: tuple[str, ...]
    result: Any
    problem: Problem
    rows: npt.NDArray[np.int64]
    fitted_values: npt.NDArray[np.float64]

    def __repr__(self) -> str:
        lines = [
            f"{self.model}: {self.formula}",
            f"{self.n} runs in {self.n_clusters} clusters, R² {self.r_squared:.3f}",
            self.coefficients.to_string(float_format="{:.4g}".format),
            *self.notes,
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            ("formula", self.formula),
            ("model", self.model),
            ("runs, clusters", f"{self.n}, {self.n_clusters}"),
            ("R²", f"{self.r_squared:.3f}"),
            *(("note", note) for note in self.notes),
        ]
        return html_table("Fit", rows) + str(self.coefficients.to_html(float_format="{:.4g}".format))


def fit(
    frame: pd.DataFrame,
    formula: str,
    *,
    groups: str | None = "topology_id",
    model: str = "ols",
    absorb: str | Sequence[str] = (),
    confidence: float = 0.95,
) -> Fit:
    """Fit a regression.

    ==============  ==========================================================================================
    ``"ols"``       linear
    ``"binomial"``  logistic, on ``correct`` of ``total`` test samples of each run; the formula's left side only
                    names the outcome
    ``"mixed"``     linear, with a random intercept for each topology and, where there are several, each architecture
    ``"beta"``      beta regression of a share, a check of the others where accuracies crowd near 1
    ==============  ==========================================================================================

    Parameters
    ----------
    frame
        One row per run, as from `analysis.load_frame`.
    formula
        Such as ``"test_accuracy ~ l1_log_density + l1_normalized_gap + C(construction)"``.
    groups
        Column whose values share their errors, or their intercept (``mixed``); None for errors robust to unequal
        variance. The errors of ``ols`` come from leaving out each cluster in turn (the jackknife, CR3), those of
        ``binomial`` and ``beta`` from the clustered sandwich.
    model
        One of the above.
    absorb
        Columns of which each combination of values has a constant of its own (fixed effects) that is not shown: with
        ``["architecture", "degrees"]`` only networks of equal architecture and degrees are compared. Cells in which the
        outcome has one value, as where nothing was learnt, are left out, and said in the notes.
    confidence
        Coverage of the intervals, in (0, 1).

    Raises
    ------
    InvalidParameterError
        For a formula that cannot be read, or for more correct samples than there are.
    InsufficientDataError
        When there are not more rows than terms, one cluster only, or the outcome does not vary.

    References
    ----------
    Cameron & Miller (2015), A practitioner's guide to cluster-robust inference. MacKinnon, Nielsen & Webb (2023),
    Cluster-robust inference: a guide to empirical practice.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"x": rng.normal(size=80), "topology_id": np.repeat(np.arange(40), 2)})
    >>> frame["test_accuracy"] = 0.9 + 0.01 * frame["x"] + rng.normal(scale=1e-3, size=80)
    >>> print(fit(frame, "test_accuracy ~ x").coefficients.loc["x", "estimate"].round(3))
    0.01
    """
    check_choice("model", model, MODELS)
    check_real("confidence", confidence, low=0, high=1, include_low=False, include_high=False)
    absorbed = [absorb] if isinstance(absorb, str) else list(absorb)
    reading = read_formula(frame, formula, groups=groups, absorb=absorbed, counts=MODELS[model].counts)
    problem, shown = reading.problem, list(reading.shown)
    fitted = MODELS[model].fit(problem)
    lone = [] if model == "mixed" else lone_terms(problem)
    return Fit(
        formula=formula,
        model=model,
        coefficients=_coefficients(problem, fitted, confidence, lone).loc[shown],
        covariance=pd.DataFrame(fitted.covariance, problem.terms, problem.terms).loc[shown, shown],
        degrees_of_freedom=fitted.degrees_of_freedom,
        n=len(reading.rows),
        n_clusters=problem.n_clusters,
        dropped=len(frame) - len(reading.rows),
        r_squared=fitted.r_squared,
        aic=fitted.aic,
        bic=fitted.bic,
        log_likelihood=fitted.log_likelihood,
        vif=variance_inflation(problem.design, problem.terms).reindex([t for t in shown if t != "Intercept"]),
        condition_number=condition_number(problem.design),
        influence=pd.DataFrame(columns=shown) if groups is None else cluster_influence(problem)[shown],
        notes=(*reading.notes, *fitted.notes, *notes_of(problem, [term for term in lone if term in shown])),
        result=fitted.result,
        problem=problem,
        rows=reading.rows,
        fitted_values=fitted.fitted_values,
    )


def _coefficients(problem: Problem, fitted: Fitted, confidence: float, lone: list[str]) -> pd.DataFrame:
    estimates = fitted.estimates
    with np.errstate(invalid="ignore"):  # the variance of a lone term may come out just below 0
        errors = np.sqrt(np.diag(fitted.covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        p_values = 2 * stats.t.sf(np.abs(estimates / errors), fitted.degrees_of_freedom)
    reach = stats.t.ppf((1 + confidence) / 2, fitted.degrees_of_freedom) * errors
    table = pd.DataFrame(
        {
            "estimate": estimates,
            "std_error": errors,
            "low": estimates - reach,
            "high": estimates + reach,
            "p_value": p_values,
            "per_sd": estimates * problem.design.std(axis=0),
        },
        index=pd.Index(problem.terms, name="term"),
    )
    table.loc[lone, ["std_error", "low", "high", "p_value"]] = np.nan
    return table
