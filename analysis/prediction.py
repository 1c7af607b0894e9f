"""`predict_unseen`: how well an outcome is predicted where nothing has been seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from analysis.guards import check_columns, finite_values, is_constant
from topograph.checks import check_integer, check_real
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError

_TREES = 30


class _Forest(BaseEstimator):  # type: ignore[misc]
    """scikit-learn's forest of 30 trees, tree for tree, without what its class does around each of them.

    Its checks, its threads and its cloning take a third of the time of trees as small as these.
    """

    def fit(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> _Forest:
        """Grow the trees, each on a draw of the rows."""
        x, column, count = np.ascontiguousarray(x, dtype=np.float32), y.reshape(-1, 1), len(y)
        seeds, state = np.random.RandomState(0), np.random.RandomState()  # one state, set anew: making one costs more
        self.trees_ = []
        for _ in range(_TREES):
            seed = seeds.randint(np.iinfo(np.int32).max)
            state.seed(seed)
            weights = np.bincount(state.randint(0, count, count), minlength=count).astype(float)
            state.seed(seed)
            tree = DecisionTreeRegressor(max_features=1 / 3, min_samples_leaf=3, random_state=state)
            self.trees_.append(tree.fit(x, column, sample_weight=weights, check_input=False).tree_)
        return self

    def predict(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The mean of the trees."""
        x = np.ascontiguousarray(x, dtype=np.float32)
        total = np.zeros(len(x))
        for tree in self.trees_:
            total += tree.predict(x)[:, 0]
        return total / len(self.trees_)


LEARNERS: Mapping[str, Callable[[], Any]] = {
    "ridge": lambda: make_pipeline(StandardScaler(), RidgeCV(np.logspace(-4, 4, 25))),
    # scikit-learn's trees read single precision: in units of its own, no column loses its digits there
    "forest": lambda: make_pipeline(StandardScaler(), _Forest()),
}
"""The learners by name."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Errors on what was held out.

    Parameters
    ----------
    table
        One row per held-out column, learner and set of features: ``rmse`` and ``r_squared`` over all rows, each
        predicted while its value was held out (``r_squared`` can be negative: worse than the mean); ``rmse_change``
        against the first set of features, with its interval ``low … high``; negative is better.
    predictions
        One row per run: the outcome, and a column ``held_out/learner/features`` for each row of the table.
    outcome
        Column that was predicted.
    """

    table: pd.DataFrame
    predictions: pd.DataFrame
    outcome: str

    def __repr__(self) -> str:
        return str(self.table.to_string(float_format="{:.4g}".format, index=False))

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format="{:.4g}".format, index=False))


def predict_unseen(
    frame: pd.DataFrame,
    features: Mapping[str, Sequence[str]],
    *,
    outcome: str = "test_accuracy",
    held_out: Sequence[str] = ("construction", "architecture", "degrees"),
    learners: Sequence[str] = ("ridge", "forest"),
    groups: str = "topology_id",
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Prediction:
    """Hold out one construction (architecture, degree) after the other, and predict it from the rest.

    Parameters
    ----------
    frame
        One row per run.
    features
        Name → columns; the first set is what the others are compared with, such as density alone.
    outcome
        Column to predict.
    held_out
        Columns whose values are held out in turn; those with a single value, or none known, are passed over.
    learners
        ``"ridge"``: linear, standardised, penalty by generalised cross-validation; ``"forest"``: random forest of 30
        trees, a third of the columns tried at each split.
    groups
        Topologies are drawn with replacement for the intervals; a topology in both parts of a split would leak, so its
        runs with a held-out value never train.
    confidence, resamples, seed
        Coverage of the intervals, number of draws, and their seed.

    Raises
    ------
    InsufficientDataError
        When no column has two values, or too few rows are complete.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"d": rng.normal(size=90), "gap": rng.normal(size=90), "topology_id": range(90)})
    >>> frame["construction"] = np.tile(["a", "b", "c"], 30)
    >>> frame["test_accuracy"] = frame["d"] + frame["gap"] + rng.normal(scale=0.1, size=90)
    >>> sets = {"density": ["d"], "density and gap": ["d", "gap"]}
    >>> found = predict_unseen(frame, sets, held_out=["construction"], learners=["ridge"])
    >>> bool(found.table["high"].iloc[1] < 0)
    True
    """
    if not features or not all(features.values()):
        raise InvalidParameterError(f"features must name at least one set of columns, none empty, but got {features!r}")
    columns = list(dict.fromkeys(column for names in features.values() for column in names))
    check_columns(frame, [outcome, *columns])
    check_real("confidence", confidence, low=0, high=1, include_low=False, include_high=False)
    resamples = check_integer("resamples", resamples, low=100)
    for column in (*held_out, groups):
        if column not in frame.columns:
            raise UnknownNameError.among("column", column, map(str, frame.columns))
    for learner in learners:
        if learner not in LEARNERS:
            raise UnknownNameError.among("learner", learner, LEARNERS)
    usable = [column for column in held_out if frame[column].notna().any()]
    data = finite_values(frame, [outcome, *columns]).dropna(subset=[outcome, *columns, *usable, groups])
    data = data.reset_index(drop=True).sort_values(list(dict.fromkeys([outcome, *columns])), kind="stable")
    order = data.index  # draws and forests are the same in whatever order the rows were, and whatever the names are
    data = data.reset_index(drop=True)
    splitters = [column for column in usable if data[column].nunique() > 1]
    if not splitters or len(data) < 10:
        raise InsufficientDataError(
            f"{len(data)} complete rows, and {', '.join(held_out)} must have two values for one to be held out"
        )
    if is_constant(data[outcome]):
        raise InsufficientDataError(f"{outcome} has the same value in all {len(data)} rows: nothing can predict it")
    values = data[outcome].to_numpy(dtype=float)
    middle, scale = float(values.mean()), float((values - values.mean()).std())
    y = (values - middle) / scale
    draws = _draws(data[groups], resamples, seed)
    rows, predictions = [], pd.DataFrame({outcome: values, groups: data[groups]})
    for column in splitters:
        for learner in learners:
            base: npt.NDArray[np.float64] | None = None
            for name, names in features.items():
                predicted = _out_of_fold(data, list(names), y, column, groups, LEARNERS[learner])
                predictions[f"{column}/{learner}/{name}"] = middle + scale * predicted
                errors = np.square(y - predicted) * scale**2
                rmse = float(np.sqrt(errors.mean()))
                row: dict[str, object] = {
                    "held_out": column,
                    "learner": learner,
                    "features": name,
                    "rmse": rmse,
                    "r_squared": float(1 - errors.sum() / np.square(values - middle).sum()),
                }
                if base is None:
                    base = errors
                else:
                    change = np.sqrt(draws @ errors) - np.sqrt(draws @ base)
                    tail = (1 - confidence) / 2
                    low, high = np.quantile(change, [tail, 1 - tail])
                    row |= {"rmse_change": rmse - float(np.sqrt(base.mean())), "low": low, "high": high}
                rows.append(row)
    predictions = predictions.set_axis(order).sort_index()
    return Prediction(pd.DataFrame(rows), predictions, outcome)


def _out_of_fold(
    data: pd.DataFrame,
    names: list[str],
    y: npt.NDArray[np.float64],
    column: str,
    groups: str,
    make: Callable[[], Any],
) -> npt.NDArray[np.float64]:
    x, topologies = data[names].to_numpy(dtype=float), pd.factorize(data[groups])[0]
    x = x - x.mean(axis=0)
    predicted = np.empty_like(y)
    for seen, unseen in LeaveOneGroupOut().split(x, y, pd.factorize(data[column])[0]):
        seen = seen[~np.isin(topologies[seen], topologies[unseen])]
        if len(seen) < 2:
            raise InsufficientDataError(
                f"without {column}={data[column].iloc[unseen[0]]!r} nothing is left to learn from"
            )
        try:
            with config_context(assume_finite=True, skip_parameter_validation=True):  # checked above, and costs more
                predicted[unseen] = make().fit(x[seen], y[seen]).predict(x[unseen])
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            raise InsufficientDataError(
                f"{', '.join(names)} cannot be learnt from {len(seen)} rows ({type(error).__name__}: {error})"
            ) from error
    return predicted


def _draws(clusters: pd.Series, resamples: int, seed: int) -> npt.NDArray[np.float64]:
    """The weight of each row in each draw of topologies, each draw's weights summing to 1."""
    codes = pd.factorize(clusters)[0]
    count = int(codes.max()) + 1
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    weights = times[:, codes].astype(float)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
