"""`fit`: a regression with errors that know which runs share a topology."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.diagnostics import cluster_influence, condition_number, lone_terms, variance_inflation, warnings_in_words
from analysis.guards import check_columns, is_constant
from analysis.models import MODELS, Fitted
from topograph.checks import check_choice, check_real
from topograph.display import html_table
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted regression.

    Parameters
    ----------
    formula, model
        What was fitted.
    coefficients
        One row a term: ``estimate``, ``std_error``, ``low``, ``high``, ``p_value``, and ``per_sd``: the estimate times
        the standard deviation of its column (accuracy per standard deviation for ``ols`` and ``mixed``, log odds for
        ``binomial`` and ``beta``).
    covariance
        Of these estimates.
    degrees_of_freedom
        Of the Student's t that intervals and p-values are read from: clusters − 1 (``mixed``: clusters − terms),
        infinite for the normal distribution.
    n, n_clusters
        Rows and clusters used.
    dropped
        Rows left out, for a missing value.
    r_squared
        Share of variance explained (``ols``), by the fixed effects (``mixed``, marginal), of deviance (``binomial``),
        of log likelihood (``beta``, McFadden); in [0, 1].
    aic, bic, log_likelihood
        As statsmodels gives them; NaN for ``mixed``, whose likelihood is a restricted one.
    vif
        Variance inflation factor of each term.
    condition_number
        Of the standardised terms.
    influence
        Change of each least-squares coefficient when a cluster is left out, one row a cluster; empty without groups.
    notes
        What a reader must know: few clusters, collinear terms, convergence.
    result
        The statsmodels result, for everything else.
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
        One row a run, as from `analysis.load_frame`.
    formula
        Such as ``"test_accuracy ~ l1_log_density + l1_normalized_gap + C(construction)"``.
    groups
        Column whose values share their errors, or their intercept (``mixed``); None for errors robust to unequal
        variance. The errors of ``ols`` come from leaving out each cluster in turn (the jackknife, CR3), those of
        ``binomial`` and ``beta`` from the clustered sandwich.
    model
        One of the above.
    absorb
        Columns each of whose values has a constant of its own (fixed effects) that is not shown: with
        ``["architecture", "degrees"]`` only networks of equal degrees are compared.
    confidence
        Coverage of the intervals, in (0, 1).

    Raises
    ------
    InvalidParameterError
        For a formula that cannot be read.
    InsufficientDataError
        When there are not more rows than terms, or the outcome does not vary.

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
    if "~" not in formula:
        raise InvalidParameterError(f"formula must look like 'outcome ~ term + term', but got {formula!r}")
    outcome, right = (side.strip() for side in formula.split("~", 1))
    absorbed = [absorb] if isinstance(absorb, str) else list(absorb)
    for column in [*absorbed, *([groups] if groups is not None else [])]:
        if column not in frame.columns:
            raise UnknownNameError.among("column", column, map(str, frame.columns))
    outcomes = MODELS[model].outcome_columns(outcome)
    check_columns(frame, outcomes)
    used = [c for c in frame.columns if re.search(rf"(?<!\w){re.escape(str(c))}(?!\w)", right)]
    needed = [*used, *outcomes, *absorbed, *([groups] if groups is not None else [])]
    data = frame.dropna(subset=list(dict.fromkeys(needed))).copy()
    observed = data["correct"] / data["total"] if outcomes == ("correct", "total") else data[outcome]
    if len(data) < 4 or is_constant(observed):
        raise InsufficientDataError(
            f"{len(data)} complete rows of {len(frame)}: the outcome must vary over at least 4 to fit {formula!r}"
        )
    constants = [f"C({column})" for column in absorbed if data[column].nunique() > 1]
    clusters = None if groups is None else data[groups]
    fitted = MODELS[model].fit(data, outcome, " + ".join([right, *constants]), clusters)
    n_clusters = len(data) if clusters is None else int(clusters.nunique())
    lone = [] if model == "mixed" else lone_terms(fitted, clusters)
    shown = [term for term in fitted.terms if not term.startswith(tuple(f"{constant}[" for constant in constants))]
    return Fit(
        formula=formula,
        model=model,
        coefficients=_coefficients(fitted, confidence, lone).loc[shown],
        covariance=pd.DataFrame(fitted.covariance, fitted.terms, fitted.terms).loc[shown, shown],
        degrees_of_freedom=fitted.degrees_of_freedom,
        n=len(data),
        n_clusters=n_clusters,
        dropped=len(frame) - len(data),
        r_squared=fitted.r_squared,
        aic=float(fitted.result.aic),
        bic=fitted.bic,
        log_likelihood=float(fitted.result.llf),
        vif=variance_inflation(fitted.design, fitted.terms).reindex([t for t in shown if t != "Intercept"]),
        condition_number=condition_number(fitted.design),
        influence=(
            pd.DataFrame(columns=shown)
            if clusters is None
            else cluster_influence(fitted, observed.to_numpy(dtype=float), clusters)[shown]
        ),
        notes=warnings_in_words(fitted, n_clusters, [term for term in lone if term in shown]),
        result=fitted.result,
    )


def _coefficients(fitted: Fitted, confidence: float, lone: list[str]) -> pd.DataFrame:
    estimates = np.asarray(fitted.result.params)[: len(fitted.terms)]
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
            "per_sd": estimates * fitted.design.std(axis=0),
        },
        index=pd.Index(fitted.terms, name="term"),
    )
    table.loc[lone, ["std_error", "low", "high", "p_value"]] = np.nan
    return table
