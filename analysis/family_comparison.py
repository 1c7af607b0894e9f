"""`compare_families`: other ways to have few parameters against sparse constructions of as many edges."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from analysis.columns import Columns, find_columns
from analysis.frame.families import is_compressed
from analysis.frame.names import is_layer, split_name
from analysis.units import outcome_unit
from topograph.errors import InsufficientDataError

AGAINST = ("best", "median")
"""What a family is compared with at equal budgets: the best sparse construction, and the median of them."""
_SPENDING = ("compression", "dropconnect", "trainer")
"""Columns of a cell that do not set a budget: trainers agree to rounding."""


@dataclass(frozen=True, eq=False)
class FamilyComparison:
    """Families at equal budgets.

    Parameters
    ----------
    outcomes
        One row per data set, architecture, other settings that vary, budget and family: mean outcome with Student's
        interval over seeds, ``seeds``, and ``parameters``, the mean number of weights that all layers really learnt.
    differences
        One row per budget and compression, and for ``"best"`` and ``"median"``: how much better than the best or the
        median sparse construction, seed by seed, with Student's interval over seeds.
    sentences
        What that says, in words.
    """

    outcomes: pd.DataFrame
    differences: pd.DataFrame
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def compare_families(
    frame: pd.DataFrame, *, outcome: str | None = None, columns: Columns | None = None
) -> FamilyComparison:
    """Compare compressed networks with sparse ones of equal budgets.

    At each budget and seed, the best construction is the one with the best mean over the *other* seeds, so that
    choosing it does not flatter it; the median is that of all constructions. Differences pair runs of one training
    seed, which have the same batches in the same order. Of several runs of a construction at one seed, the mean counts.

    Parameters
    ----------
    frame
        From `analysis.load_frame`, of a study with ``compressions``.
    outcome
        The dependent variable; by default as `analysis.report` finds it.
    columns
        The roles of the columns, where they are known already.

    Raises
    ------
    InsufficientDataError
        When the frame has no compressed runs, no sparse ones beside them, or does not say which budgets are equal.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "test_accuracy": [0.80, 0.82, 0.84, 0.86, 0.85, 0.88], "topology_id": list("abcdab"), "seed": [0, 1] * 3,
    ...     "construction": ["sobol"] * 2 + ["windows"] * 2 + ["sobol"] * 2, "dataset": "digits", "trainer": "pytorch",
    ...     "family": ["sobol"] * 2 + ["windows"] * 2 + ["hashed"] * 2, "architecture": "64-32-10", "degrees": "3-10",
    ... })
    >>> compare_families(table).differences["difference"].round(3).to_dict()
    {('digits', '64-32-10', '3-10', 'hashed', 'best'): 0.015, ('digits', '64-32-10', '3-10', 'hashed', 'median'): 0.035}
    """
    compressed = is_compressed(frame)
    if not compressed.any():
        raise InsufficientDataError("no network of the frame is compressed")
    columns = columns or find_columns(frame, outcome=outcome)
    if columns.cells is None:
        raise InsufficientDataError("the frame does not say which networks have equal budgets")
    cells = [cell for cell in columns.cells if cell not in _SPENDING]
    name = columns.outcome
    runs = frame.assign(
        kind=np.where(compressed, "compressed", np.where(_is_sparse(frame), "sparse", "dense")),
        parameters=_parameters(frame),
    ).dropna(subset=[name])
    if "variant" in runs.columns:
        runs = runs[runs["variant"].fillna("plain") == "plain"]
    outcomes, rows = {}, {}
    for key, part in runs.groupby(cells, sort=False, dropna=False):
        for family, group in part.groupby("family", sort=False):
            outcomes[*key, family] = _mean(group.groupby("seed")[name].mean()) | {
                "parameters": float(group["parameters"].mean()), "kind": group["kind"].iloc[0]
            }  # fmt: skip
        sparse = _by_seed(part[part["kind"] == "sparse"], name)
        for family, group in part[part["kind"] == "compressed"].groupby("family", sort=False):
            for against, values in _references(sparse).items():
                difference = (group.groupby("seed")[name].mean() - values).dropna()
                if len(difference):
                    rows[*key, family, against] = _mean(difference) | {"pairs": len(difference)}
    if not rows:
        raise InsufficientDataError("no sparse construction was trained at the budget and seed of a compressed network")
    result = pd.DataFrame.from_dict(rows, orient="index").rename(columns={"mean": "difference"}).drop(columns="seeds")
    result.index = pd.MultiIndex.from_tuples(result.index, names=[*cells, "family", "against"])
    means = pd.DataFrame.from_dict(outcomes, orient="index")
    means.index = pd.MultiIndex.from_tuples(means.index, names=[*cells, "family"])
    return FamilyComparison(means, result, tuple(_sentences(result, frame, name)))


def _is_sparse(frame: pd.DataFrame) -> pd.Series:
    """Whether a run trains edges of a construction that is not dense, without DropConnect."""
    return (frame["construction"] != "dense") & (frame["family"] == frame["construction"])


def _parameters(frame: pd.DataFrame) -> pd.Series:
    """The number of weights that all layers learnt; NaN where the sizes are not known."""
    names = [c for c in map(str, frame.columns) if split_name(c)[1] == "n_parameters" and is_layer(split_name(c)[0])]
    summed = frame[names].sum(axis=1, min_count=1) if names else pd.Series(math.nan, index=frame.index)
    return summed.fillna(frame["network_n_parameters"]) if "network_n_parameters" in frame.columns else summed


def _by_seed(sparse: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """The outcome of each construction (columns) at each training seed (rows); seeds that all of them have."""
    return sparse.groupby(["seed", "family"])[outcome].mean().unstack("family").dropna()


def _references(sparse: pd.DataFrame) -> dict[str, pd.Series]:
    """What families are compared with, one value per seed; the best cannot be chosen from one seed alone."""
    if sparse.empty:
        return {}
    others = (sparse.sum() - sparse) / max(len(sparse) - 1, 1)
    best = {}
    if len(sparse) > 1:
        chosen = others.to_numpy().argmax(axis=1)
        best = {"best": pd.Series(sparse.to_numpy()[np.arange(len(sparse)), chosen], index=sparse.index)}
    return best | {"median": sparse.median(axis=1)}


def _mean(values: pd.Series) -> dict[str, float]:
    """Mean with Student's 95 % interval; NaN for one value."""
    count, mean = len(values), float(values.mean())
    half = float(student.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan
    return {"mean": mean, "low": mean - half, "high": mean + half, "seeds": count}


def _sentences(differences: pd.DataFrame, frame: pd.DataFrame, outcome: str) -> Iterator[str]:
    unit = outcome_unit(frame, outcome)
    for (family, against), rows in differences.groupby(level=["family", "against"], sort=False):
        told = [
            ("better", rows["low"] > 0),
            ("worse", rows["high"] < 0),
            ("not told apart", (rows["low"] <= 0) & (rows["high"] >= 0)),
            ("known from one seed only", rows["low"].isna()),
        ]
        counts = [f"{word} at {int(which.sum())}" for word, which in told if which.any()]
        values = rows["difference"] * unit.scale
        write = unit.formatter(float(values.min()), float(values.max()))
        yield (
            f"{family} against the {against} sparse construction of as many edges: {', '.join(counts)} of "
            f"{len(rows)} budgets ({write(float(values.min()))} to {write(float(values.max()))} {unit.of(outcome)})."
        )
