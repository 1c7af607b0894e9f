"""`fit`: a regression with errors that know which runs share a topology."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from statsmodels.genmod.families import Binomial

from analysis.guards import check_columns, is_constant
from topograph.checks import check_choice, check_real
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError
from topograph.graph import html_table

MODELS = ("ols", "binomial")
_FEW_CLUSTERS = 30
_ILL_CONDITIONED = 30.0


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted regression.

    Parameters
    ----------
    formula, model
        What was fitted.
    coefficients
        One row a term: ``estimate``, ``std_error``, ``low``, ``high``, ``p_value``, and ``per_sd``: the estimate times
        the standard deviation of its column (for ``ols`` on an accuracy, accuracy per standard deviation; for
        ``binomial``, log odds).
    n, n_clusters
        Rows and clusters used.
    dropped
        Rows left out, for a missing value.
    r_squared
        Share of variance explained (``ols``), or of deviance (``binomial``), in [0, 1].
    aic, bic, log_likelihood
        As statsmodels gives them.
    notes
        What a reader must know: few clusters, collinear terms, convergence.
    result
        The statsmodels result, for everything else.
    """

    formula: str
    model: str
    coefficients: pd.DataFrame
    n: int
    n_clusters: int
    dropped: int
    r_squared: float
    aic: float
    bic: float
    log_likelihood: float
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
    confidence: float = 0.95,
) -> Fit:
    """Fit a regression.

    Parameters
    ----------
    frame
        One row a run, as from `analysis.load_frame`.
    formula
        Such as ``"test_accuracy ~ l1_log_density + l1_normalized_gap + C(construction)"``.
    groups
        Column whose values share their errors (cluster-robust); None for errors robust to unequal variance (HC3 for
        ``ols``, HC1 for ``binomial``).
    model
        ``"ols"``: linear. ``"binomial"``: logistic, on ``correct`` of ``total`` test samples of each run; the formula's
        left side only names the outcome.
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
    Cameron & Miller (2015), A practitioner's guide to cluster-robust inference.

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
    if groups is not None and groups not in frame.columns:
        raise UnknownNameError.among("column", groups, map(str, frame.columns))
    check_columns(frame, [outcome] if model == "ols" else ["correct", "total"])
    used = [c for c in frame.columns if re.search(rf"(?<!\w){re.escape(str(c))}(?!\w)", right)]
    needed = used + ([outcome] if model == "ols" else ["correct", "total"]) + ([groups] if groups else [])
    data = frame.dropna(subset=list(dict.fromkeys(needed))).copy()
    if len(data) < 4 or is_constant(data[outcome] if model == "ols" else data["correct"] / data["total"]):
        raise InsufficientDataError(
            f"{len(data)} complete rows of {len(frame)}: the outcome must vary over at least 4 to fit {formula!r}"
        )
    result, notes = _fitted(data, outcome, right, groups, model)
    n_clusters = data[groups].nunique() if groups else len(data)
    lone = _lone_terms(result.model, data[groups]) if groups else []
    if lone:
        notes.append(f"{', '.join(lone)}: a single cluster tells nothing about its own error, so there is no interval")
    if n_clusters < _FEW_CLUSTERS:
        notes.append(f"only {n_clusters} clusters: intervals are likely too narrow below about {_FEW_CLUSTERS}")
    return Fit(
        formula=formula,
        model=model,
        coefficients=_coefficients(result, confidence, lone),
        n=len(data),
        n_clusters=n_clusters,
        dropped=len(frame) - len(data),
        r_squared=float(result.rsquared if model == "ols" else 1 - result.deviance / result.null_deviance),
        aic=float(result.aic),
        bic=float(result.bic if model == "ols" else result.bic_llf),
        log_likelihood=float(result.llf),
        notes=tuple(notes),
        result=result,
    )


def _fitted(data: pd.DataFrame, outcome: str, right: str, groups: str | None, model: str) -> tuple[Any, list[str]]:
    if groups is None:
        errors: dict[str, Any] = {"cov_type": "HC3" if model == "ols" else "HC1"}
    else:
        codes = data[groups].astype("category").cat.codes.to_numpy()
        errors = {"cov_type": "cluster", "cov_kwds": {"groups": codes}}
    try:
        if model == "ols":
            prepared = smf.ols(f"{outcome} ~ {right}", data)
        else:
            data["incorrect_"] = data["total"] - data["correct"]
            prepared = smf.glm(f"correct + incorrect_ ~ {right}", data, family=Binomial())
    except Exception as error:  # the formula engines raise errors of many kinds
        raise InvalidParameterError(
            f"the formula {outcome} ~ {right} cannot be read: {error}. Columns: {', '.join(map(str, data.columns))}"
        ) from error
    design = np.asarray(prepared.exog, dtype=float)
    if len(data) <= design.shape[1]:
        raise InsufficientDataError(f"{len(data)} rows cannot determine {design.shape[1]} terms")
    notes = _collinearity(design)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = prepared.fit(**errors)
    notes += sorted({f"statsmodels: {str(warning.message).splitlines()[0]}" for warning in caught})
    return result, notes


def _collinearity(design: np.ndarray[Any, np.dtype[np.float64]]) -> list[str]:
    """Words for terms that cannot be told apart, from the condition number of the standardised columns."""
    varying = design[:, design.std(axis=0) > 0]
    if varying.shape[1] < 2:
        return []
    standard = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    values = np.linalg.svd(standard, compute_uv=False)
    if values[-1] <= 1e-10 * values[0]:
        return ["some terms are exact combinations of others: their coefficients cannot be told apart"]
    condition = float(values[0] / values[-1])
    if condition > _ILL_CONDITIONED:
        return [f"the terms are nearly collinear (condition number {condition:.0f}): single coefficients are unstable"]
    return []


def _lone_terms(model: Any, groups: pd.Series) -> list[str]:
    """Indicator terms that are 1 in a single cluster only: their cluster-robust error is 0 by arithmetic alone."""
    design, codes = np.asarray(model.exog), groups.to_numpy()
    return [
        name
        for name, column in zip(model.exog_names, design.T, strict=True)
        if set(np.unique(column)) == {0.0, 1.0} and len(set(codes[column == 1])) == 1
    ]


def _coefficients(result: Any, confidence: float, lone: list[str]) -> pd.DataFrame:
    with np.errstate(invalid="ignore"):  # the variance of a lone term may come out just below 0
        interval = np.asarray(result.conf_int(alpha=1 - confidence))
    table = pd.DataFrame(
        {
            "estimate": np.asarray(result.params),
            "std_error": np.asarray(result.bse),
            "low": interval[:, 0],
            "high": interval[:, 1],
            "p_value": np.asarray(result.pvalues),
            "per_sd": np.asarray(result.params) * np.asarray(result.model.exog).std(axis=0),
        },
        index=pd.Index(result.model.exog_names, name="term"),
    )
    table.loc[lone, ["std_error", "low", "high", "p_value"]] = np.nan
    return table
