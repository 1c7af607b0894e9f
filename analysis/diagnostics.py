"""What a regression rests on: collinearity, lone clusters, influence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.models import Problem
from analysis.scaling import Standardised

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
    columns, varying = _varying(design)
    factors = {}
    for place, j in enumerate(varying):
        others = np.delete(columns, place, axis=1)
        weights = np.linalg.lstsq(others, columns[:, place], rcond=None)[0] if others.size else np.zeros(0)
        rest = float(np.square(columns[:, place] - others @ weights).mean())
        factors[terms[j]] = 1 / rest if rest > 1e-12 else np.inf
    return pd.Series(factors, name="vif", dtype=float)


def condition_number(design: Matrix) -> float:
    """Largest over smallest singular value of the standardised columns that vary; 1 for uncorrelated ones."""
    columns, varying = _varying(design)
    if len(varying) < 2:
        return 1.0
    values = np.linalg.svd(columns, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 1e-9 * values[0] else float("inf")


def _varying(design: Matrix) -> tuple[Matrix, list[int]]:
    """The standardised columns that vary, and their places."""
    standard = Standardised.of(np.column_stack([np.ones(len(design)), design])).columns[:, 1:]
    varying = [j for j in range(design.shape[1]) if standard[:, j].any()]
    return standard[:, varying], varying


def lone_terms(problem: Problem) -> list[str]:
    """Indicator terms that are 1 in a single cluster only: their cluster-robust error is 0 by arithmetic alone."""
    if problem.groups is None:
        return []
    codes = problem.codes
    return [
        name
        for name, column in zip(problem.terms, problem.design.T, strict=True)
        if set(np.unique(column)) == {0.0, 1.0} and len(set(codes[column == 1])) == 1
    ]


def cluster_influence(problem: Problem) -> pd.DataFrame:
    """Least-squares coefficients without each cluster, less those on all rows: one row per cluster.

    Examples
    --------
    >>> from analysis import fit
    >>> frame = pd.DataFrame({"x": [0.0, 1, 2, 3, 4], "y": [0.0, 1, 2, 3, 9], "topology_id": list("abcde")})
    >>> fit(frame, "y ~ x").influence["x"].idxmin()  # without e the slope falls most
    'e'
    """
    standard = problem.standard
    shifts = standard.shifts(problem.outcome - problem.outcome.mean(), problem.codes)
    values = np.where(standard.known, shifts @ (standard.back @ standard.basis).T, np.nan)
    return pd.DataFrame(values, index=pd.unique(pd.Series(problem.groups).to_numpy()), columns=list(problem.terms))


def notes_of(problem: Problem, lone: list[str]) -> tuple[str, ...]:
    """The remarks that a reader of the coefficients must know."""
    notes = []
    condition = condition_number(problem.design)
    unknown = [term for term, known in zip(problem.terms, problem.standard.known, strict=True) if not known]
    if unknown:
        notes.append(
            "some terms are exact combinations of others: their coefficients cannot be told apart, and are left open"
        )
    elif condition > _ILL_CONDITIONED:
        notes.append(
            f"the terms are nearly collinear (condition number {condition:.0f}): single coefficients are unstable"
        )
    if lone:
        notes.append(f"{', '.join(lone)}: a single cluster tells nothing about its own error, so there is no interval")
    if problem.n_clusters < _FEW_CLUSTERS:
        notes.append(f"only {problem.n_clusters} clusters: intervals are likely too narrow below about {_FEW_CLUSTERS}")
    return tuple(notes)
