"""A formula and a frame as a regression's rows and terms; every row that is left out is counted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.regression.linear_model import OLS

from analysis.cells import cell_codes
from analysis.guards import check_columns, finite_values, is_constant
from analysis.models import Problem
from analysis.within import dead_cells, dead_words
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError

_OUTCOME, _ABSORBED = "outcome_", "absorbed_"
_QUOTED = re.compile(r"""^Q\((['"])(?P<name>.*)\1\)$""")


@dataclass(frozen=True, eq=False)
class Reading:
    """A regression as its formula and frame give it.

    Parameters
    ----------
    problem
        Rows and terms.
    rows
        Positions of these rows in the frame.
    shown
        The terms of interest: all but the constants of absorbed columns.
    notes
        Rows that were left out within the formula, in words.
    """

    problem: Problem
    rows: npt.NDArray[np.int64]
    shown: tuple[str, ...]
    notes: tuple[str, ...]


def read_formula(
    frame: pd.DataFrame, formula: str, *, groups: str | None, absorb: Sequence[str], counts: bool
) -> Reading:
    """The rows and terms of a regression.

    Parameters
    ----------
    frame
        One row per run.
    formula
        Left side, ``~``, right side.
    groups
        Column of the clusters; None for independent rows.
    absorb
        Columns of which each combination of values gets a constant of its own.
    counts
        True where the outcome is ``correct`` of ``total``.

    Raises
    ------
    InvalidParameterError
        When the formula cannot be read, or counts are not counts.
    InsufficientDataError
        When the rows that are left do not determine the terms.
    """
    if "~" not in formula:
        raise InvalidParameterError(f"formula must look like 'outcome ~ term + term', but got {formula!r}")
    left, right = (side.strip() for side in formula.split("~", 1))
    quoted = _QUOTED.match(left)
    outcome = quoted["name"] if quoted else left
    outcomes = ["correct", "total"] if counts else [outcome]
    for column in [*absorb, *([groups] if groups is not None else [])]:
        if column not in frame.columns:
            raise UnknownNameError.among("column", column, map(str, frame.columns))
    check_columns(frame, outcomes)
    used = [str(c) for c in frame.columns if re.search(rf"(?<!\w){re.escape(str(c))}(?!\w)", right)]
    needed = list(dict.fromkeys([*used, *outcomes, *absorb, *([groups] if groups is not None else [])]))
    data = finite_values(frame.reset_index(drop=True), needed)
    if counts:
        check_counts(data)
        data[_OUTCOME] = data["correct"] / data["total"].where(data["total"] > 0)
        needed.append(_OUTCOME)
    else:
        data[_OUTCOME] = data[outcome].astype(float)
    data = data.dropna(subset=needed)
    for column in used:  # the formula engine would look at each value of a text to find out that it is one
        is_object = data[column].dtype == object
        if isinstance(data[column].dtype, pd.StringDtype) or (is_object and data[column].map(type).eq(str).all()):
            data[column] = data[column].astype("category")
    if len(data) < 4 or is_constant(data[_OUTCOME]):
        raise InsufficientDataError(
            f"{len(data)} complete rows of {len(frame)}: the outcome must vary over at least 4 to fit {formula!r}"
        )
    constants = ""
    notes: tuple[str, ...] = ()
    if absorb:
        codes = cell_codes(data, absorb)
        clusters = np.arange(len(data)) if groups is None else pd.factorize(data[groups])[0]
        dead = dead_cells(data[_OUTCOME].to_numpy(dtype=float), codes, clusters)
        if dead.any():
            left_out = dead[codes]
            notes = (dead_words(int(dead.sum()), int(left_out.sum())),)
            data, codes = data[~left_out], codes[~left_out]
        data[_ABSORBED] = [f"cell {code}" for code in codes]
        constants = f" + C({_ABSORBED})" if data[_ABSORBED].nunique() > 1 else ""
    terms, design, labels = _matrix(data, right, constants, frame)
    known = np.isfinite(design).all(axis=1)
    rows = labels[known]
    if len(rows) < len(data):
        notes += (
            f"{len(data) - len(rows)} of {len(data)} complete rows are left out: a term of the formula is undefined or "
            "infinite there",
        )
    data, design = data.loc[rows], design[known]
    if len(data) <= design.shape[1]:
        raise InsufficientDataError(f"{len(data)} rows cannot determine {design.shape[1]} terms")
    if is_constant(data[_OUTCOME]):
        raise InsufficientDataError(
            f"{outcome} has the same value in all {len(data)} rows of {formula!r} that are defined: nothing can vary "
            "with it"
        )
    if groups is not None and data[groups].nunique() < 2:
        raise InsufficientDataError(
            f"{groups} has one value only, and errors between clusters need at least 2; with groups=None all rows "
            "count as independent"
        )
    problem = Problem(
        data=data.reset_index(drop=True),
        outcome=data[_OUTCOME].to_numpy(dtype=float),
        terms=terms,
        design=design,
        groups=None if groups is None else data[groups].reset_index(drop=True),
    )
    shown = tuple(term for term in terms if not term.startswith(f"C({_ABSORBED})["))
    return Reading(problem, rows, shown, notes)


def check_counts(data: pd.DataFrame) -> None:
    """Refuse counts that cannot be: more correct than there are, or fewer than none."""
    wrong = (data["correct"] < 0) | (data["correct"] > data["total"])
    if wrong.any():
        row = data[wrong].iloc[0]
        raise InvalidParameterError(
            f"correct must be between 0 and total, but {int(wrong.sum())} rows break this, the first with "
            f"{row['correct']:g} correct of {row['total']:g}"
        )


def _matrix(
    data: pd.DataFrame, right: str, constants: str, frame: pd.DataFrame
) -> tuple[tuple[str, ...], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Names and values of the terms, and the labels of the rows that the formula engine kept."""
    try:
        with np.errstate(all="ignore"):
            model = OLS.from_formula(f"{_OUTCOME} ~ {right}{constants}", data)
    except Exception as error:  # the formula engines raise errors of many kinds
        first = (str(error).splitlines() or [type(error).__name__])[0]
        odd = [str(c) for c in frame.columns if not str(c).isidentifier() and str(c) in right]
        hint = f"; write Q({odd[0]!r}) for the column {odd[0]}" if odd else ""
        raise InvalidParameterError(
            f"the formula cannot be read: {first}{hint}. Columns: {', '.join(map(str, frame.columns))}"
        ) from error
    return tuple(model.exog_names), np.asarray(model.exog, dtype=float), np.asarray(model.data.row_labels)
