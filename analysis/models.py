"""The regression models that `analysis.fit` offers: each is fitted on a standardised design and read back."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.othermod.betareg import BetaModel
from statsmodels.regression.linear_model import OLS
from statsmodels.regression.mixed_linear_model import MixedLM

from analysis.scaling import Standardised
from topograph.errors import InsufficientDataError, InvalidParameterError, TopographError

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem:
    """The rows and terms of a regression.

    Parameters
    ----------
    data
        The rows that are fitted.
    outcome
        Shape ``(n,)``: the dependent variable.
    terms
        Names of the terms, in the order of the design's columns.
    design
        Shape ``(n, p)``: the columns that the formula makes.
    groups
        The cluster of each row; None for independent rows.
    """

    data: pd.DataFrame
    outcome: Vector
    terms: tuple[str, ...]
    design: Matrix
    groups: pd.Series | None
    standard: Standardised = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "standard", Standardised.of(self.design))

    @property
    def codes(self) -> npt.NDArray[np.int64]:
        """The number of each row's cluster, in order of appearance; each row is its own where rows are independent."""
        if self.groups is None:
            return np.arange(len(self.data))
        return np.asarray(pd.factorize(self.groups)[0])

    @property
    def n_clusters(self) -> int:
        """The number of clusters."""
        return int(self.codes.max()) + 1


@dataclass(frozen=True, eq=False)
class Fitted:
    """The numbers of a fitted model, in the units of the design.

    Parameters
    ----------
    result
        The statsmodels result.
    estimates
        Shape ``(p,)``; NaN where a term is a combination of others.
    covariance
        Covariance of the estimates.
    degrees_of_freedom
        Degrees of freedom of the Student's t behind the intervals; infinite for the normal distribution.
    r_squared
        Share of the variation explained, in the model's own sense.
    fitted_values
        Shape ``(n,)``, in units of the outcome.
    log_likelihood, aic, bic
        NaN where the likelihood is a restricted one.
    notes
        Remarks that a reader must know.
    """

    result: Any
    estimates: Vector
    covariance: Matrix
    degrees_of_freedom: float
    r_squared: float
    fitted_values: Vector
    log_likelihood: float
    aic: float
    bic: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RegressionModel:
    """A regression model.

    Parameters
    ----------
    words
        Description.
    fit
        ``fit(problem) -> Fitted``.
    counts
        True where the outcome is ``correct`` of ``total``, whatever the formula's left side.
    """

    words: str
    fit: Callable[[Problem], Fitted]
    counts: bool = False


def _ols(problem: Problem) -> Fitted:
    # the outcome too in units of its own: statsmodels takes a tiny residual for none
    middle, scale = _location(problem)
    model = OLS((problem.outcome - middle) / scale, problem.standard.regressors)
    result, notes = _fitted_quietly(model, {"cov_type": "HC3", "use_t": True})
    if problem.groups is None:
        covariance, freedom = np.asarray(result.cov_params()), float(result.df_resid)
    else:
        # the sandwich's errors are too small when clusters are few or unequal; those from leaving each out are not
        shifts = problem.standard.shifts(np.asarray(model.endog), problem.codes)
        spread = shifts - shifts.mean(axis=0)
        covariance = (len(shifts) - 1) / len(shifts) * spread.T @ spread
        freedom = max(1.0, problem.n_clusters - 1.0)
    n, likelihood = len(problem.outcome), float(result.llf) - len(problem.outcome) * math.log(scale)
    size = problem.standard.basis.shape[1]
    return Fitted(
        result=result,
        estimates=_with_level(problem, np.asarray(result.params) * scale, middle),
        covariance=problem.standard.covariance(covariance * scale**2),
        degrees_of_freedom=freedom,
        r_squared=float(result.rsquared),
        fitted_values=middle + scale * np.asarray(result.fittedvalues),
        log_likelihood=likelihood,
        aic=2 * size - 2 * likelihood,
        bic=math.log(n) * size - 2 * likelihood,
        notes=notes,
    )


def _binomial(problem: Problem) -> Fitted:
    counts = problem.data[["correct", "total"]].to_numpy(dtype=float)
    endog = np.column_stack([counts[:, 0], counts[:, 1] - counts[:, 0]])
    model = GLM(endog, problem.standard.regressors, family=Binomial())
    result, notes = _fitted_quietly(model, _errors(problem, "HC1"))
    return _of_statsmodels(
        problem, result, float(1 - result.deviance / result.null_deviance), float(result.bic_llf), notes
    )


def _beta(problem: Problem) -> Fitted:
    values = problem.outcome
    if values.min() < 0 or values.max() > 1:
        raise InvalidParameterError(
            f"model 'beta' needs shares in [0, 1], but the outcome has {values.min()}…{values.max()}"
        )
    # 0 and 1 have no beta density: the usual squeeze (Smithson & Verkuilen 2006)
    squeezed = (values * (len(values) - 1) + 0.5) / len(values)
    model = BetaModel(squeezed, problem.standard.regressors)
    result, notes = _fitted_quietly(model, {**_errors(problem, "HC0"), "disp": 0})
    return _of_statsmodels(problem, result, float(result.prsquared), float(result.bic), notes)


def _mixed(problem: Problem) -> Fitted:
    if problem.groups is None:
        raise InvalidParameterError("model 'mixed' needs groups=, the column of the random intercepts")
    middle, scale = _location(problem)
    regressors = problem.standard.regressors
    names = [f"regressor_{j}" for j in range(regressors.shape[1])]
    data = pd.DataFrame(regressors, columns=names)
    data["outcome_"] = (problem.outcome - middle) / scale
    data["cluster_"] = problem.codes
    options: dict[str, Any] = {"groups": problem.codes}
    factors: tuple[str, ...] = ("topology",)
    if "architecture" in problem.data.columns and problem.data["architecture"].nunique() > 1:
        # crossed intercepts: one group that holds all rows, and a variance for each factor
        data["architecture_"] = pd.factorize(problem.data["architecture"])[0]
        options = {
            "groups": np.ones(len(data)),
            "re_formula": "0",
            "vc_formula": {"architecture": "0 + C(architecture_)", "topology": "0 + C(cluster_)"},
        }
        factors = ("architecture", "topology")
    model = MixedLM.from_formula(f"outcome_ ~ 0 + {' + '.join(names)}", data, **options)
    result, notes = _fitted_quietly(model, {})
    size = len(names)
    fixed = regressors @ np.asarray(result.fe_params)
    between = np.concatenate([np.ravel(np.asarray(result.cov_re)), np.ravel(result.vcomp)])
    order = factors if len(factors) == 1 else tuple(model.exog_vc.names)
    spread = ", ".join(f"{n} {scale * math.sqrt(max(v, 0)):.3g}" for n, v in zip(order, between, strict=True))
    runs = scale * math.sqrt(result.scale)
    notes += (f"standard deviation of the random intercepts: {spread}; of single runs {runs:.3g}",)
    if not result.converged:
        notes += ("the fit did not converge: do not rest anything on it",)
    explained = float(fixed.var())
    # what varies between topologies only is known from as many numbers as there are topologies
    freedom = max(1.0, problem.n_clusters - size)
    return Fitted(
        result=result,
        estimates=_with_level(problem, np.asarray(result.fe_params) * scale, middle),
        covariance=problem.standard.covariance(np.asarray(result.cov_params())[:size, :size] * scale**2),
        degrees_of_freedom=freedom,
        r_squared=explained / (explained + float(between.sum()) + float(result.scale)),
        fitted_values=middle + scale * np.asarray(result.fittedvalues),
        log_likelihood=math.nan,
        aic=math.nan,
        bic=math.nan,
        notes=notes,
    )


MODELS: Mapping[str, RegressionModel] = {
    "ols": RegressionModel("linear", _ols),
    "binomial": RegressionModel("logistic, on correct of total", _binomial, counts=True),
    "mixed": RegressionModel(
        "linear, with a random intercept for each topology and, of several, each architecture", _mixed
    ),
    "beta": RegressionModel("beta regression of a share", _beta),
}
"""The models by name."""


def _location(problem: Problem) -> tuple[float, float]:
    """What an outcome is centred by, where the design can make up for it, and scaled by."""
    middle = float(problem.outcome.mean()) if problem.standard.level is not None else 0.0
    deviations = problem.outcome - middle
    largest = float(np.abs(deviations).max())
    return middle, largest * float(np.sqrt(np.square(deviations / largest).mean()))


def _with_level(problem: Problem, coefficients: Vector, middle: float) -> Vector:
    """The design's coefficients, once the outcome is no longer centred."""
    estimates = problem.standard.coefficients(coefficients)
    return estimates if problem.standard.level is None else np.asarray(estimates + middle * problem.standard.level)


def _errors(problem: Problem, independent: str) -> dict[str, Any]:
    if problem.groups is None:
        return {"cov_type": independent}
    return {"cov_type": "cluster", "cov_kwds": {"groups": problem.codes}}


def _fitted_quietly(model: Any, options: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """Fit; statsmodels' warnings become notes, its exceptions our errors."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = model.fit(**options)
            result.bse  # noqa: B018  computed here, so that its warnings are caught too
        except TopographError:
            raise
        except Exception as error:  # statsmodels raises errors of many kinds
            raise InsufficientDataError(
                f"the model cannot be fitted to these {len(model.endog)} rows ({type(error).__name__}: {error}); "
                "try fewer terms, or model='ols'"
            ) from error
    lines = {str(warning.message).splitlines()[0] for warning in caught}
    return result, tuple(f"statsmodels: {line}" for line in sorted(lines) if "rank-deficient" not in line)


def _of_statsmodels(problem: Problem, result: Any, r_squared: float, bic: float, notes: tuple[str, ...]) -> Fitted:
    size = problem.standard.basis.shape[1]
    # with few clusters the normal distribution claims too much: Student's t on (clusters − 1) degrees of freedom
    freedom = math.inf if problem.groups is None else max(1.0, problem.n_clusters - 1.0)
    return Fitted(
        result=result,
        estimates=problem.standard.coefficients(np.asarray(result.params)[:size]),
        covariance=problem.standard.covariance(np.asarray(result.cov_params(), dtype=float)[:size, :size]),
        degrees_of_freedom=freedom,
        r_squared=r_squared,
        fitted_values=np.asarray(result.fittedvalues, dtype=float),
        log_likelihood=float(result.llf),
        aic=float(result.aic),
        bic=bic,
        notes=notes,
    )
