"""`compare`: whether a model with the graph in it explains, and predicts, more than density alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.model_selection import LeaveOneGroupOut

from analysis.regression import Fit, fit
from topograph.errors import InvalidParameterError, UnknownNameError


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
        Twice the difference in log likelihood, and its p-value; it takes runs as independent, so prefer Wald's test.
    aic_gain, bic_gain
        How much lower the full model's AIC and BIC are; positive favours it.
    folds
        One row per value of the column held out: ``base_rmse`` and ``full_rmse`` on runs never seen, and their number;
        empty where the column has one value only.
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
        """Root mean squared error of ``"base"`` or ``"full"`` over all runs, each predicted when held out.

        NaN where nothing could be held out.
        """
        if self.folds.empty:
            return float("nan")
        return float(np.sqrt((self.folds[f"{which}_rmse"] ** 2 * self.folds["n"]).sum() / self.folds["n"].sum()))

    def table(self) -> pd.DataFrame:
        """Base against full, one row each."""
        table = pd.DataFrame(
            {
                "formula": [self.base.formula, self.full.formula],
                "R²": [self.base.r_squared, self.full.r_squared],
                "AIC": [self.base.aic, self.full.aic],
                "BIC": [self.base.bic, self.full.bic],
            },
            index=pd.Index(["base", "full"], name="model"),
        )
        if self.folds.empty:
            return table
        return table.assign(**{f"RMSE on unseen {self.held_out}": [self.rmse("base"), self.rmse("full")]})

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
        One row per run.
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
        When a model cannot be fitted.

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
    complete = frame.iloc[fit(frame, full, groups=groups).rows]
    fits = [fit(complete, formula, groups=groups) for formula in (base, full)]
    if fits[0].n != fits[1].n:
        raise InvalidParameterError(
            f"a term of {base!r} is undefined in {fits[1].n - fits[0].n} rows where {full!r} is defined, so the two "
            "cannot be compared on the same rows"
        )
    terms = [list(model.coefficients.index) for model in fits]
    added = tuple(term for term in terms[1] if term not in terms[0])
    if not added or not set(terms[0]) <= set(terms[1]):
        raise InvalidParameterError(f"{full!r} must have all terms of {base!r} and more")
    wald, tested = _wald(fits[1], added)
    ratio = 2 * (fits[1].log_likelihood - fits[0].log_likelihood)
    return ModelComparison(
        base=fits[0],
        full=fits[1],
        added=added,
        wald_p_value=float(stats.f.sf(wald, tested, fits[1].degrees_of_freedom)) if tested else float("nan"),
        likelihood_ratio=ratio,
        likelihood_ratio_p_value=float(stats.chi2.sf(ratio, len(added))),
        aic_gain=fits[0].aic - fits[1].aic,
        bic_gain=fits[0].bic - fits[1].bic,
        folds=_held_out(complete, fits, held_out),
        held_out=held_out,
    )


def _wald(full: Fit, added: Sequence[str]) -> tuple[float, int]:
    """Wald's F of the added terms and how many of them it tests: in units of their errors, so free of theirs."""
    known = [name for name in added if full.coefficients.loc[name, "std_error"] > 0]
    if not known:
        return float("nan"), 0
    errors = full.coefficients.loc[known, "std_error"].to_numpy()
    shift = full.coefficients.loc[known, "estimate"].to_numpy() / errors
    together = full.covariance.loc[known, known].to_numpy() / np.outer(errors, errors)
    values, vectors = np.linalg.eigh(together)
    solid = values > 1e-10 * values[-1]
    return float((np.square(vectors.T @ shift)[solid] / values[solid]).sum()) / len(known), len(known)


def _held_out(frame: pd.DataFrame, fits: list[Fit], column: str) -> pd.DataFrame:
    if frame[column].nunique() < 2:
        return pd.DataFrame(columns=["base_rmse", "full_rmse", "n"], index=pd.Index([], name=column), dtype=float)
    outcome = fits[0].problem.outcome
    middle = outcome.mean()
    designs = [model.problem.standard.columns for model in fits]
    values = frame[column].to_numpy()
    rows = []
    for seen, unseen in LeaveOneGroupOut().split(outcome, groups=pd.factorize(frame[column])[0]):
        errors = []
        for design in designs:
            weights, *_ = np.linalg.lstsq(design[seen], outcome[seen] - middle, rcond=1e-9)
            errors.append(float(np.sqrt(np.mean((outcome[unseen] - middle - design[unseen] @ weights) ** 2))))
        rows.append({column: values[unseen[0]], "base_rmse": errors[0], "full_rmse": errors[1], "n": len(unseen)})
    return pd.DataFrame(rows).set_index(column).sort_index()
