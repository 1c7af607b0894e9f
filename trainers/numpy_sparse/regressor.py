"""`SparseMLPRegressor`: the sparse NumPy backend as a scikit-learn regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from trainers.numpy_sparse.estimator import SparseMLP, weigh


class SparseMLPRegressor(RegressorMixin, SparseMLP):  # type: ignore[misc]
    """A feed-forward regressor with a fixed sparse topology: linear outputs, mean squared error.

    Its parameters are those of `SparseMLPClassifier`, without ``class_weight``. Targets are standardized before
    training and predictions scaled back; `partial_fit` takes mean and deviation from its first samples.

    Attributes
    ----------
    topology_, weights_, biases_
        The edges, and what was learnt on them.
    target_mean_, target_scale_
        Mean and standard deviation of each target.
    loss_curve_
        The mean loss of each epoch, in squared standard deviations of the targets.
    n_iter_, n_features_in_
        Epochs trained, and features seen.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> x, y = load_diabetes(return_X_y=True)
    >>> model = SparseMLPRegressor(hidden=20, degree=5, epochs=60, random_state=0).fit(x * 20, y)
    >>> bool(model.score(x * 20, y) > 0.4)
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseMLPRegressor:
        """Train on samples in rows and their targets.

        Parameters
        ----------
        X, y
            Samples in rows; one target per sample, or one row of targets.
        sample_weight
            Weight of each sample in the loss; only ratios count, since they are scaled to a mean of 1.

        Raises
        ------
        TopologyMismatchError
            When the given topology does not begin with the features and end with the targets.
        InvalidParameterError, TrainingDivergedError
        """
        X, y = self._validate(X, y, first=True)
        self._begin(X, y)
        self._train(X, self._targets(X, y, sample_weight))
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseMLPRegressor:
        """Train for one pass over more samples; the optimizer goes on where it was.

        Raises
        ------
        TopologyMismatchError, InvalidParameterError, TrainingDivergedError
        """
        first = not hasattr(self, "target_mean_")
        X, y = self._validate(X, y, first=first)
        if first:
            self._begin(X, y)
        self._train_pass(X, self._targets(X, y, sample_weight))
        return self

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Targets of each sample, in the shape that they were given in."""
        values: npt.NDArray[np.float64] = self._outputs(X) * self.target_scale_ + self.target_mean_
        return values[:, 0] if self._single else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _validate(self, X: Any, y: Any, *, first: bool) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        X, y = validate_data(self, X, y, dtype=np.float32, order="C", multi_output=True, y_numeric=True, reset=first)
        return X, np.asarray(y, dtype=np.float64)

    def _begin(self, X: npt.NDArray[np.float32], y: npt.NDArray[np.float64]) -> None:
        self._single = y.ndim == 1
        columns = y.reshape(len(y), -1)
        deviation = columns.std(axis=0)
        self.target_mean_, self.target_scale_ = columns.mean(axis=0), np.where(deviation > 0, deviation, 1.0)
        self._start(X.shape[1], columns.shape[1], "mse", "linear")

    def _targets(
        self, X: npt.NDArray[np.float32], y: npt.NDArray[np.float64], sample_weight: Any
    ) -> npt.NDArray[np.float32]:
        scaled = (y.reshape(len(y), -1) - self.target_mean_) / self.target_scale_
        return weigh(scaled, sample_weight, X)
