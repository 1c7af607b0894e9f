"""The regression models that `analysis.fit` offers, each from a table to statsmodels and back."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.formula.api as smf
from statsmodels.genmod.families import Binomial
from statsmodels.othermod.betareg import BetaModel

from topograph.errors import InsufficientDataError, InvalidParameterError


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a model leaves behind: the statsmodels result, and what is read off it.

    Parameters
    ----------
    result
        The statsmodels result.
    terms
        Names of the terms whose coefficients are of interest, in the order of the design's columns.
    design
        Their columns.
    covariance
        Of the coefficients of the terms.
    degrees_of_freedom
        Of the Student's t that the intervals are read from; infinite for the normal distribution.
    r_squared
        Share of the variation explained, in the model's own sense.
    bic
        NaN where the likelihood is a restricted one.
    notes
        What a reader must know.
    """

    result: Any
    terms: tuple[str, ...]
    design: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]
    degrees_of_freedom: float
    r_squared: float
    bic: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RegressionModel:
    """A regression model.

    Parameters
    ----------
    words
        What it is.
    outcome_columns
        From the formula's left side to the columns that hold the outcome.
    fit
        ``fit(data, outcome, right, groups) -> Fitted``; ``groups`` is None for independent rows.
    """

    words: str
    outcome_columns: Callable[[str], tuple[str, ...]]
    fit: Callable[[pd.DataFrame, str, str, pd.Series | None], Fitted]


def _named(outcome: str) -> tuple[str, ...]:
    return (outcome,)


def _counts(outcome: str) -> tuple[str, ...]:
    return ("correct", "total")


def _ols(data: pd.DataFrame, outcome: str, right: str, groups: pd.Series | None) -> Fitted:
    model = _prepared(lambda: smf.ols(f"{outcome} ~ {right}", data), data)
    result, notes = _quiet(model, {**_errors(groups, "HC3"), "use_t": True})
    fitted = _fitted(result, float(result.rsquared), float(result.bic), notes, groups)
    if groups is None:
        return replace(fitted, degrees_of_freedom=float(result.df_resid))
    # the sandwich's errors are too small when clusters are few or unequal; those from leaving each out are not
    shifts = left_out(fitted.design, np.asarray(model.endog), groups)
    spread = shifts - shifts.mean(axis=0)
    return replace(fitted, covariance=(len(shifts) - 1) / len(shifts) * spread.T @ spread)


def _binomial(data: pd.DataFrame, outcome: str, right: str, groups: pd.Series | None) -> Fitted:
    data = data.assign(incorrect_=data["total"] - data["correct"])
    model = _prepared(lambda: smf.glm(f"correct + incorrect_ ~ {right}", data, family=Binomial()), data)
    result, notes = _quiet(model, _errors(groups, "HC1"))
    return _fitted(result, float(1 - result.deviance / result.null_deviance), float(result.bic_llf), notes, groups)


def _beta(data: pd.DataFrame, outcome: str, right: str, groups: pd.Series | None) -> Fitted:
    values = data[outcome].to_numpy(dtype=float)
    if values.min() < 0 or values.max() > 1:
        raise InvalidParameterError(
            f"model 'beta' needs shares in [0, 1], but {outcome} has {values.min()}…{values.max()}"
        )
    # 0 and 1 have no beta density: the usual squeeze (Smithson & Verkuilen 2006)
    squeezed = data.assign(**{outcome: (values * (len(values) - 1) + 0.5) / len(values)})
    model = _prepared(lambda: BetaModel.from_formula(f"{outcome} ~ {right}", squeezed), squeezed)
    result, notes = _quiet(model, {**_errors(groups, "HC0"), "disp": 0})
    return _fitted(result, float(result.prsquared), float(result.bic), notes, groups)


def _mixed(data: pd.DataFrame, outcome: str, right: str, groups: pd.Series | None) -> Fitted:
    if groups is None:
        raise InvalidParameterError("model 'mixed' needs groups=, the column of the random intercepts")
    options: dict[str, Any] = {"groups": groups}
    architectures = data["architecture"].nunique() if "architecture" in data.columns else 1
    if architectures > 1:
        # crossed intercepts: one group that holds all rows, and a variance for each factor
        data = data.assign(cluster_=groups.to_numpy())
        options = {
            "groups": np.ones(len(data)),
            "re_formula": "0",
            "vc_formula": {"architecture": "0 + C(architecture)", "topology": "0 + C(cluster_)"},
        }
    model = _prepared(lambda: smf.mixedlm(f"{outcome} ~ {right}", data, **options), data)
    result, notes = _quiet(model, {})
    fixed = np.asarray(model.exog) @ np.asarray(result.fe_params)
    between = np.concatenate([np.ravel(np.asarray(result.cov_re)), np.ravel(result.vcomp)])
    names = ("topology",) if architectures == 1 else tuple(model.exog_vc.names)
    spread = ", ".join(f"{name} {math.sqrt(max(v, 0)):.3g}" for name, v in zip(names, between, strict=True))
    notes += (f"standard deviation of the random intercepts: {spread}; of single runs {math.sqrt(result.scale):.3g}",)
    if not result.converged:
        notes += ("the fit did not converge: do not rest anything on it",)
    explained = fixed.var()
    share = float(explained / (explained + between.sum() + result.scale))
    fitted = _fitted(result, share, math.nan, notes, groups)
    # what varies between topologies only is known from as many numbers as there are topologies
    return replace(fitted, degrees_of_freedom=max(1.0, groups.nunique() - len(fitted.terms)))


MODELS: Mapping[str, RegressionModel] = {
    "ols": RegressionModel("linear", _named, _ols),
    "binomial": RegressionModel("logistic, on correct of total", _counts, _binomial),
    "mixed": RegressionModel(
        "linear, with a random intercept for each topology and, of several, each architecture", _named, _mixed
    ),
    "beta": RegressionModel("beta regression of a share", _named, _beta),
}
"""The models by name."""


def _prepared(make: Callable[[], Any], data: pd.DataFrame) -> Any:
    try:
        model = make()
    except Exception as error:  # the formula engines raise errors of many kinds
        raise InvalidParameterError(
            f"the formula cannot be read: {error}. Columns: {', '.join(map(str, data.columns))}"
        ) from error
    if len(data) <= model.exog.shape[1]:
        raise InsufficientDataError(f"{len(data)} rows cannot determine {model.exog.shape[1]} terms")
    return model


def _errors(groups: pd.Series | None, independent: str) -> dict[str, Any]:
    if groups is None:
        return {"cov_type": independent}
    codes = groups.astype("category").cat.codes.to_numpy()
    return {"cov_type": "cluster", "cov_kwds": {"groups": codes}}


def _quiet(model: Any, options: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """Fit, and turn warnings into words for the reader."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = model.fit(**options)
        result.bse  # noqa: B018  computed here, so that its warnings are caught too
    lines = {str(warning.message).splitlines()[0] for warning in caught}
    return result, tuple(f"statsmodels: {line}" for line in sorted(lines))


def _fitted(result: Any, r_squared: float, bic: float, notes: tuple[str, ...], groups: pd.Series | None) -> Fitted:
    design = np.asarray(result.model.exog, dtype=float)
    size = design.shape[1]
    # with few clusters the normal distribution claims too much: Student's t on (clusters − 1) degrees of freedom
    freedom = math.inf if groups is None else float(max(1, groups.nunique() - 1))
    covariance = np.asarray(result.cov_params(), dtype=float)[:size, :size]
    return Fitted(result, tuple(result.model.exog_names)[:size], design, covariance, freedom, r_squared, bic, notes)


def left_out(
    design: npt.NDArray[np.float64], outcome: npt.NDArray[np.float64], groups: pd.Series
) -> npt.NDArray[np.float64]:
    """Least-squares coefficients without each cluster, less those on all rows: one row a cluster, as they first appear.

    Examples
    --------
    >>> design = np.column_stack([np.ones(3), [0.0, 1.0, 2.0]])
    >>> left_out(design, np.array([0.0, 1.0, 5.0]), pd.Series(["a", "b", "c"]))[:, 1].round(6) + 0
    array([ 1.5,  0. , -1.5])
    """
    gram, moment = design.T @ design, design.T @ outcome
    whole = np.linalg.lstsq(gram, moment, rcond=None)[0]
    codes, names = pd.factorize(groups)
    order = np.argsort(codes, kind="stable")
    rows = []
    for places in np.split(order, np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]):
        part = design[places]
        rest = np.linalg.lstsq(gram - part.T @ part, moment - part.T @ outcome[places], rcond=None)[0]
        rows.append(rest - whole)
    return np.array(rows)
