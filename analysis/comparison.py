"""`compare`: whether a model with the graph in it explains, and predicts, more than density alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.model_selection import LeaveOneGroupOut

from analysis.regression import Fit, fit
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """Two nested linear models on the same rows.

    Parameters
    ----------
    base, full
        The fits.
    added
        The terms that only the full model has.
    wald_p_value
        Of all added terms being zero, with the cluster-robust covariance.
    likelihood_ratio, likelihood_ratio_p_value
        Twice the difference in log likelihood, and its p-value; it takes runs as independent, so prefer Wald's.
    aic_gain, bic_gain
        How much lower the full model's AIC and BIC are; positive favours it.
    folds
        One row a value of the column held out: ``base_rmse`` and ``full_rmse`` on runs never seen, and their number.
    held_out
        That column.
    """

    base: Fit
    full: Fit
    added: tuple[str, ...]
    wald_p_value: float
    likelihood_ratio: float
    likelihood_ratio_p_value: float
    aic_gain: float
    bic_gain: float
    folds: pd.DataFrame
    held_out: str

    def rmse(self, which: str) -> float:
        """Root mean squared error of ``"base"`` or ``"full"`` over all runs, each predicted when held out."""
        return float(np.sqrt((self.folds[f"{which}_rmse"] ** 2 * self.folds["n"]).sum() / self.folds["n"].sum()))

    def table(self) -> pd.DataFrame:
        """Base against full, one row each."""
        return pd.DataFrame(
            {
                "formula": [self.base.formula, self.full.formula],
                "R²": [self.base.r_squared, self.full.r_squared],
                "AIC": [self.base.aic, self.full.aic],
                "BIC": [self.base.bic, self.full.bic],
                f"RMSE on unseen {self.held_out}": [self.rmse("base"), self.rmse("full")],
            },
            index=pd.Index(["base", "full"], name="model"),
        )

    def __repr__(self) -> str:
        return (
            f"base: {self.base.formula}\nfull: base + {' + '.join(self.added)}\n"
            f"{self.table().drop(columns='formula').to_string(float_format='{:.4g}'.format)}\n"
            f"added terms: Wald p = {self.wald_p_value:.3g} (cluster-robust)"
        )

    def _repr_html_(self) -> str:
        return str(self.table().to_html(float_format="{:.4g}".format)) + (
            f"<p>added: {', '.join(self.added)}; Wald p = {self.wald_p_value:.3g} (cluster-robust)</p>"
        )


def compare(
    frame: pd.DataFrame, base: str, full: str, *, groups: str = "topology_id", held_out: str = "construction"
) -> ModelComparison:
    """Compare two nested linear models, in sample and on what neither has seen.

    Parameters
    ----------
    frame
        One row a run.
    base, full
        Formulas with the same left side; the full one has all terms of the base and more.
    groups
        Column of the clusters.
    held_out
        Column whose values are held out one after the other, to see how well each model predicts them.

    Raises
    ------
    InvalidParameterError
        When the models are not nested.
    InsufficientDataError
        When ``held_out`` has fewer than two values.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"d": rng.normal(size=90), "gap": rng.normal(size=90), "topology_id": range(90)})
    >>> frame["construction"] = np.tile(["a", "b", "c"], 30)
    >>> frame["test_accuracy"] = frame["d"] + frame["gap"] + rng.normal(scale=0.1, size=90)
    >>> result = compare(frame, "test_accuracy ~ d", "test_accuracy ~ d + gap")
    >>> result.added, result.rmse("full") < result.rmse("base")
    (('gap',), True)
    """
    if held_out not in frame.columns:
        raise UnknownNameError.among("column", held_out, map(str, frame.columns))
    frame = frame.reset_index(drop=True)  # so that a label names one row
    complete = frame.loc[fit(frame, full, groups=groups).result.model.data.row_labels]
    fits = [fit(complete, formula, groups=groups) for formula in (base, full)]
    terms = [list(model.coefficients.index) for model in fits]
    added = tuple(term for term in terms[1] if term not in terms[0])
    if not added or not set(terms[0]) <= set(terms[1]):
        raise InvalidParameterError(f"{full!r} must have all terms of {base!r} and more")
    names = list(added)
    shift = fits[1].coefficients.loc[names, "estimate"].to_numpy()
    inverse = np.linalg.pinv(fits[1].covariance.loc[names, names].to_numpy(), hermitian=True)
    wald = float(shift @ inverse @ shift) / len(names)
    ratio = 2 * (fits[1].log_likelihood - fits[0].log_likelihood)
    return ModelComparison(
        base=fits[0],
        full=fits[1],
        added=added,
        wald_p_value=float(stats.f.sf(wald, len(names), fits[1].degrees_of_freedom)),
        likelihood_ratio=ratio,
        likelihood_ratio_p_value=float(stats.chi2.sf(ratio, len(added))),
        aic_gain=fits[0].aic - fits[1].aic,
        bic_gain=fits[0].bic - fits[1].bic,
        folds=_held_out(complete, fits, held_out),
        held_out=held_out,
    )


def _held_out(frame: pd.DataFrame, fits: list[Fit], column: str) -> pd.DataFrame:
    if frame[column].nunique() < 2:
        raise InsufficientDataError(f"{column} has one value only: there is nothing to hold out")
    outcome = np.asarray(fits[0].result.model.endog)
    designs = [np.asarray(model.result.model.exog) for model in fits]
    values = frame[column].to_numpy()
    rows = []
    for seen, unseen in LeaveOneGroupOut().split(outcome, groups=values):
        errors = []
        for design in designs:
            weights, *_ = np.linalg.lstsq(design[seen], outcome[seen], rcond=None)
            errors.append(float(np.sqrt(np.mean((outcome[unseen] - design[unseen] @ weights) ** 2))))
        rows.append({column: values[unseen[0]], "base_rmse": errors[0], "full_rmse": errors[1], "n": len(unseen)})
    return pd.DataFrame(rows).set_index(column)
