"""What a regression rests on: collinearity, lone clusters, influence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.models import Fitted, left_out

_ILL_CONDITIONED = 30.0
_FEW_CLUSTERS = 30

Matrix = npt.NDArray[np.float64]


def variance_inflation(design: Matrix, terms: tuple[str, ...]) -> pd.Series:
    r"""Variance inflation factor of each term that varies, 1 / (1 − R²) of its column on all others; at least 1.

    Above 5 to 10 a coefficient says little by itself; infinite for a combination of others.

    Examples
    --------
    >>> design = np.array([[1.0, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]])
    >>> variance_inflation(design, ("Intercept", "a", "b")).round(6).to_dict()
    {'a': 1.0, 'b': 1.0}
    """
    varying = [j for j in range(design.shape[1]) if np.ptp(design[:, j]) > 0]
    factors = {}
    for j in varying:
        others = np.column_stack([np.ones(len(design)), design[:, [i for i in varying if i != j]]])
        weights, *_ = np.linalg.lstsq(others, design[:, j], rcond=None)
        rest = float(np.square(design[:, j] - others @ weights).sum())
        total = float(np.square(design[:, j] - design[:, j].mean()).sum())
        factors[terms[j]] = total / rest if rest > 1e-12 * total else np.inf
    return pd.Series(factors, name="vif", dtype=float)


def condition_number(design: Matrix) -> float:
    """Largest over smallest singular value of the standardised columns that vary; 1 for uncorrelated ones."""
    varying = design[:, np.ptp(design, axis=0) > 0]
    if varying.shape[1] < 2:
        return 1.0
    standard = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    values = np.linalg.svd(standard, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 1e-10 * values[0] else float("inf")


def lone_terms(fitted: Fitted, groups: pd.Series | None) -> list[str]:
    """Indicator terms that are 1 in a single cluster only: their cluster-robust error is 0 by arithmetic alone."""
    if groups is None:
        return []
    codes = groups.to_numpy()
    return [
        name
        for name, column in zip(fitted.terms, fitted.design.T, strict=True)
        if set(np.unique(column)) == {0.0, 1.0} and len(set(codes[column == 1])) == 1
    ]


def cluster_influence(fitted: Fitted, outcome: npt.NDArray[np.float64], groups: pd.Series) -> pd.DataFrame:
    """Least-squares coefficients without each cluster, less those on all rows: one row a cluster, one column a term.

    Examples
    --------
    >>> from analysis import fit
    >>> frame = pd.DataFrame({"x": [0.0, 1, 2, 3, 4], "y": [0.0, 1, 2, 3, 9], "topology_id": list("abcde")})
    >>> fit(frame, "y ~ x").influence["x"].idxmin()  # without e the slope falls most
    'e'
    """
    shifts = left_out(fitted.design, outcome, groups)
    return pd.DataFrame(shifts, index=pd.unique(groups.to_numpy()), columns=list(fitted.terms))


def warnings_in_words(fitted: Fitted, n_clusters: int, lone: list[str]) -> tuple[str, ...]:
    """What a reader of the coefficients must know."""
    notes = list(fitted.notes)
    condition = condition_number(fitted.design)
    if np.isinf(condition):
        notes.append("some terms are exact combinations of others: their coefficients cannot be told apart")
    elif condition > _ILL_CONDITIONED:
        notes.append(
            f"the terms are nearly collinear (condition number {condition:.0f}): single coefficients are unstable"
        )
    if lone:
        notes.append(f"{', '.join(lone)}: a single cluster tells nothing about its own error, so there is no interval")
    if n_clusters < _FEW_CLUSTERS:
        notes.append(f"only {n_clusters} clusters: intervals are likely too narrow below about {_FEW_CLUSTERS}")
    return tuple(notes)
