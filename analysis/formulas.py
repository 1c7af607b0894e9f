"""A formula and a frame as a regression's rows and terms; every row that is left out is counted."""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import re
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt
import pandas as pd
import patsy.builtins
from statsmodels.regression.linear_model import OLS

from analysis.cells import cell_codes
from analysis.guards import check_columns, finite_values, is_constant
from analysis.models import Problem
from analysis.within import dead_cells, dead_words
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError, available_names

_MODULES = ("np", "pd")  # what a formula can call functions of
_WORDS = {*dir(builtins), *patsy.builtins.__all__, *keyword.kwlist, *_MODULES}
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
            error = UnknownNameError.among("column", column, map(str, frame.columns))
            if column == groups:
                raise UnknownNameError(f"{error}. groups= names the topologies; groups=None takes each row for one")
            raise error
    check_columns(frame, outcomes)
    names = names_in(right)
    used = [str(c) for c in frame.columns if str(c) in names]
    unknown = [name for name in names if name not in used and name not in _WORDS]
    if unknown:  # the formula engine would look among the names of this module, too
        close = get_close_matches(unknown[0], map(str, frame.columns), n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        raise _unreadable(f"{unknown[0]!r} is not a column{meant}", right, used, frame.columns)
    y, constant = (_free(name, frame.columns) for name in ("outcome_", "absorbed_"))
    needed = list(dict.fromkeys([*used, *outcomes, *absorb, *([groups] if groups is not None else [])]))
    data = finite_values(frame.reset_index(drop=True), needed)
    if counts:
        check_counts(data)
        data[y] = data["correct"] / data["total"].where(data["total"] > 0)
        needed.append(y)
    else:
        data[y] = data[outcome].astype(float)
    data = data.dropna(subset=needed)
    for column in used:  # the formula engine would look at each value of a text to find out that it is one
        is_object = data[column].dtype == object
        if pd.api.types.is_extension_array_dtype(data[column]):  # of pandas or Arrow, which the engine does not know
            is_bool, is_number = pd.api.types.is_bool_dtype(data[column]), pd.api.types.is_numeric_dtype(data[column])
            if is_bool or is_number:
                data[column] = data[column].astype(bool if is_bool else float)
        if isinstance(data[column].dtype, pd.StringDtype) or (is_object and data[column].map(type).eq(str).all()):
            data[column] = data[column].astype("category")
    if len(data) < 4 or is_constant(data[y]):
        raise InsufficientDataError(
            f"{len(data)} complete rows of {len(frame)}: the outcome must vary over at least 4 to fit {formula!r}"
        )
    constants: list[str] = []
    notes: tuple[str, ...] = ()
    if absorb:
        codes = cell_codes(data, absorb)
        clusters = np.arange(len(data)) if groups is None else pd.factorize(data[groups])[0]
        dead = dead_cells(data[y].to_numpy(dtype=float), codes, clusters)
        if dead.any():
            left_out = dead[codes]
            notes = (dead_words(int(dead.sum()), int(left_out.sum())),)
            data, codes = data[~left_out], codes[~left_out]
        data[constant] = pd.Categorical([f"cell {code}" for code in codes])
        constants = [constant] if data[constant].nunique() > 1 else []
    named = data[[*used, y, *constants]]  # no other column may hide a function that is called
    terms, design, labels = _matrix(named, y, right, constants, frame.columns)
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
    if is_constant(data[y]):
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
        outcome=data[y].to_numpy(dtype=float),
        terms=terms,
        design=design,
        groups=None if groups is None else data[groups].reset_index(drop=True),
    )
    shown = tuple(term for term in terms if not term.startswith(f"{constant}["))
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


def names_in(terms: str) -> list[str]:
    """The names that the terms of a formula take values from: neither functions that are called nor parts of names.

    Examples
    --------
    >>> names_in("C(method) * gap + Q('my gap') + np.log(density) + bs(size, df=3)")
    ['method', 'gap', 'my gap', 'density', 'size']
    """
    try:
        tokens = [t for t in tokenize.generate_tokens(io.StringIO(terms).readline) if t.string.strip()]
    except (tokenize.TokenError, SyntaxError):  # the formula engine will say so
        return []
    words = ["", "", *(token.string for token in tokens), ""]
    names: dict[str, None] = {}
    for i, token in enumerate(tokens, start=2):
        before, after = words[i - 1], words[i + 1]
        if token.type == tokenize.STRING and words[i - 2 : i] == ["Q", "("]:
            names[str(ast.literal_eval(token.string))] = None
        elif (
            token.type == tokenize.NAME
            and before != "."
            and after not in ("(", "=")
            and not (after == "." and token.string in _MODULES)
        ):
            names[token.string] = None
    return list(names)


def _free(name: str, columns: Iterable[object]) -> str:
    """The name, made longer until no column has it."""
    while name in set(map(str, columns)):
        name += "_"
    return name


def _matrix(
    data: pd.DataFrame, outcome: str, right: str, constants: Sequence[str], columns: Iterable[object]
) -> tuple[tuple[str, ...], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Names and values of the terms, and the labels of the rows that the formula engine kept."""
    try:
        with np.errstate(all="ignore"):
            model = OLS.from_formula(f"{outcome} ~ {' + '.join([right, *constants])}", data)
    except Exception as error:  # the formula engines raise errors of many kinds
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise _unreadable(first, right, list(data.columns), columns) from error
    return tuple(model.exog_names), np.asarray(model.exog, dtype=float), np.asarray(model.data.row_labels)


def _unreadable(reason: str, right: str, used: Sequence[str], columns: Iterable[object]) -> InvalidParameterError:
    """The error of a formula that cannot be read, with what to write instead."""
    names = list(map(str, columns))
    called = [name for name in used if re.search(rf"(?<![\w.]){re.escape(name)}\s*[(.]", right)]
    odd = [name for name in names if name and name in right and (not name.isidentifier() or keyword.iskeyword(name))]
    hint = ""
    if called:
        hint = f"; the column {called[0]} hides the function of this name: rename the column"
    elif odd:
        hint = f"; write Q({max(odd, key=len)!r}) for the column {max(odd, key=len)}"
    return InvalidParameterError(
        f"the formula cannot be read: {reason}{hint}. Columns: {available_names(right, names)}"
    )
