"""`SparseMLPClassifier`: the sparse NumPy backend as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from topograph.errors import InvalidParameterError
from topograph.topology import Topology
from trainers.numpy_sparse.estimator import SparseMLP, weigh


class SparseMLPClassifier(ClassifierMixin, SparseMLP):  # type: ignore[misc]
    """A feed-forward classifier with a fixed sparse topology: softmax outputs, cross-entropy.

    Parameters
    ----------
    topology
        The edges, from features to outputs. Without it, one is built for the data:
    construction, hidden, degree
        Construction of the layers up to the last hidden one, sizes of the hidden layers (one number for a single
        layer), and outputs of each neuron (one number, or one per hidden layer); the last layer is dense.
    epochs, batch_size, learning_rate, optimizer, momentum, nesterov, weight_decay, schedule, activation
        As in `trainers.TrainingConfig`.
    dropout_input, dropout_hidden, validation, patience
        Likewise.
    random_state
        Seed of construction, weights, batches and dropout: a whole number, a ``RandomState``, or None.
    hidden_layer_sizes, max_iter, learning_rate_init, solver, nesterovs_momentum, n_iter_no_change, validation_fraction
        scikit-learn's names of ``hidden``, ``epochs``, ``learning_rate``, ``optimizer``, ``nesterov``, ``patience`` and
        ``validation``; where one is given, it counts.
    alpha
        scikit-learn's penalty: ``weight_decay`` is alpha divided by the batch size.
    early_stopping
        Whether to hold out a tenth of the samples and stop after ten epochs without improvement, unless ``validation``
        and ``patience`` or scikit-learn's names of them say otherwise; these names count with it only.
    class_weight
        Weight of each class, as a mapping; ``"balanced"`` for weights in inverse proportion to the classes' samples; or
        None.

    Attributes
    ----------
    classes_
        The labels.
    topology_, weights_, biases_
        The edges, and what was learnt on them.
    loss_curve_
        The mean loss of each epoch.
    n_iter_, n_features_in_
        Epochs trained, and features seen.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> x, y = load_digits(return_X_y=True)
    >>> grid = {"construction": ["random_regular", "regular_rotating"], "degree": [4, 16]}
    >>> search = GridSearchCV(SparseMLPClassifier(hidden=32, epochs=20, random_state=0), grid, cv=2)
    >>> bool(search.fit(x / 16, y).best_score_ > 0.8)
    True
    """

    def __init__(
        self,
        topology: Topology | None = None,
        *,
        construction: str = "random_regular",
        hidden: int | Sequence[int] = (100,),
        degree: float | Sequence[float] = 10,
        epochs: int = 100,
        batch_size: int = 32,
        learning_rate: float = 0.003,
        optimizer: str = "adam",
        momentum: float = 0.9,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        schedule: str = "constant",
        activation: str = "relu",
        dropout_input: float = 0.0,
        dropout_hidden: float = 0.0,
        validation: float = 0.0,
        patience: int = 0,
        random_state: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
        hidden_layer_sizes: int | Sequence[int] | None = None,
        max_iter: int | None = None,
        learning_rate_init: float | None = None,
        solver: str | None = None,
        nesterovs_momentum: bool | None = None,
        n_iter_no_change: int | None = None,
        validation_fraction: float | None = None,
        alpha: float | None = None,
        early_stopping: bool = False,
    ) -> None:
        super().__init__(
            topology, construction=construction, hidden=hidden, degree=degree, epochs=epochs, batch_size=batch_size,
            learning_rate=learning_rate, optimizer=optimizer, momentum=momentum, nesterov=nesterov,
            weight_decay=weight_decay, schedule=schedule, activation=activation, dropout_input=dropout_input,
            dropout_hidden=dropout_hidden, validation=validation, patience=patience, random_state=random_state,
            hidden_layer_sizes=hidden_layer_sizes, max_iter=max_iter, learning_rate_init=learning_rate_init,
            solver=solver, nesterovs_momentum=nesterovs_momentum, n_iter_no_change=n_iter_no_change,
            validation_fraction=validation_fraction, alpha=alpha, early_stopping=early_stopping,
        )  # fmt: skip
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseMLPClassifier:
        """Train on samples in rows and their labels.

        Parameters
        ----------
        X, y
            Samples in rows, and their labels.
        sample_weight
            Weight of each sample in the loss; only ratios count, since they are scaled to a mean of 1.

        Raises
        ------
        TopologyMismatchError
            When the given topology does not begin with the features and end with the classes.
        InvalidParameterError, TrainingDivergedError
        """
        X, y = validate_data(self, X, y, dtype=np.float32, order="C")
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        self._start(X.shape[1], len(self.classes_), "cross_entropy", "softmax")
        self._train(X, self._targets(X, y, labels, sample_weight))
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> SparseMLPClassifier:
        """Train for one pass over more samples; the optimizer goes on where it was.

        Parameters
        ----------
        X, y
            Samples in rows, and their labels.
        classes
            All labels that will ever occur; needed at the first call only.
        sample_weight
            As in `fit`; the mean is taken over the samples of this call.

        Raises
        ------
        InvalidParameterError
            Without ``classes`` at the first call, for other labels later, and for ``class_weight="balanced"``.
        TopologyMismatchError, TrainingDivergedError
        """
        first = not hasattr(self, "classes_")
        X, y = validate_data(self, X, y, dtype=np.float32, order="C", reset=first)
        check_classification_targets(y)
        if isinstance(self.class_weight, str):
            raise InvalidParameterError(
                f"class_weight={self.class_weight!r} needs all samples: with partial_fit, give a mapping of weights"
            )
        if first and classes is None:
            raise InvalidParameterError("the first call of partial_fit needs classes, all labels that will ever occur")
        expected = np.unique(classes) if first else self.classes_
        if classes is not None and not np.array_equal(np.unique(classes), expected):
            raise InvalidParameterError(f"classes must stay {expected.tolist()}, but got {np.unique(classes).tolist()}")
        unknown = np.setdiff1d(y, expected)
        if unknown.size:
            raise InvalidParameterError(f"the labels are {expected.tolist()}, but got {unknown[0]!r}")
        if first:
            self.classes_ = expected
            self._start(X.shape[1], len(expected), "cross_entropy", "softmax")
        self._train_pass(X, self._targets(X, y, np.searchsorted(expected, y), sample_weight))
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float32]:
        """Probability of each class, shape ``(n_samples, n_classes)``, in the order of ``classes_``."""
        return self._outputs(X)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable label of each sample."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def _targets(
        self, X: npt.NDArray[np.float32], y: npt.NDArray[Any], labels: npt.NDArray[Any], sample_weight: Any
    ) -> npt.NDArray[Any]:
        """Numbers of the classes, or, with weights, one-hot labels with a column of weights."""
        if sample_weight is None and self.class_weight is None:
            return labels.astype(np.int64)
        weighted = weigh(np.eye(len(self.classes_), dtype=np.float32)[labels], sample_weight, X)
        if self.class_weight is not None:
            weighted[:, -1] *= compute_sample_weight(self.class_weight, y)
            weighted = weigh(weighted[:, :-1], weighted[:, -1], X)
        return weighted
