"""`SparseMLPClassifier`: the sparse NumPy backend as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from topograph.errors import TopologyMismatchError
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.course import run_course
from trainers.result import sparse_weights


class SparseMLPClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A feed-forward classifier with a fixed sparse topology: softmax outputs, cross-entropy.

    Parameters
    ----------
    topology
        The edges, from features to classes. Without it, one is built for the data:
    construction, hidden, degree
        Construction of the layers up to the last hidden one, sizes of the hidden layers, and outputs of each
        neuron (one number, or one per hidden layer); the last layer is dense.
    epochs, batch_size, learning_rate, optimizer, momentum, weight_decay, schedule, activation
        As in `trainers.TrainingConfig`.
    dropout_input, dropout_hidden, validation, patience
        Likewise.
    random_state
        Seed of construction, weights, batches and dropout: a whole number, a ``RandomState``, or None.

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
    >>> search = GridSearchCV(SparseMLPClassifier(hidden=(32,), epochs=20, random_state=0), grid, cv=2)
    >>> bool(search.fit(x / 16, y).best_score_ > 0.8)
    True
    """

    def __init__(
        self,
        topology: Topology | None = None,
        *,
        construction: str = "random_regular",
        hidden: Sequence[int] = (100,),
        degree: float | Sequence[float] = 10,
        epochs: int = 100,
        batch_size: int = 32,
        learning_rate: float = 0.003,
        optimizer: str = "adam",
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        schedule: str = "constant",
        activation: str = "relu",
        dropout_input: float = 0.0,
        dropout_hidden: float = 0.0,
        validation: float = 0.0,
        patience: int = 0,
        random_state: Any = None,
    ) -> None:
        self.topology = topology
        self.construction = construction
        self.hidden = hidden
        self.degree = degree
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.activation = activation
        self.dropout_input = dropout_input
        self.dropout_hidden = dropout_hidden
        self.validation = validation
        self.patience = patience
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> SparseMLPClassifier:
        """Train on samples in rows and their labels.

        Raises
        ------
        TopologyMismatchError
            When the topology given does not begin with the features and end with the classes.
        InvalidParameterError, TrainingDivergedError
        """
        from trainers.numpy_sparse.learner import SparseLearner

        X, y = validate_data(self, X, y, dtype=np.float32, order="C")
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.topology_ = self._topology(X.shape[1], len(self.classes_), seed)
        config = TrainingConfig(
            epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate, optimizer=self.optimizer,
            momentum=self.momentum, weight_decay=self.weight_decay, schedule=self.schedule, activation=self.activation,
            output_activation="softmax", loss="cross_entropy", dropout_input=self.dropout_input,
            dropout_hidden=self.dropout_hidden, validation=self.validation, patience=self.patience, seed=seed,
        )  # fmt: skip
        learner = SparseLearner(self.topology_, config, X, labels.astype(np.int64))
        trained = run_course(learner, config, len(X))
        self._config = config
        self.weights_ = sparse_weights(self.topology_, learner.network.weights())
        self.biases_ = learner.network.biases()
        self.loss_curve_ = list(trained.history["loss"])
        self.n_iter_ = len(self.loss_curve_)
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float32]:
        """Probability of each class, shape ``(n_samples, n_classes)``, in the order of ``classes_``."""
        from trainers.numpy_sparse.network import SparseNetwork
        from trainers.numpy_sparse.samples import gather_samples

        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        samples = gather_samples(X)
        weights = [layer.data for layer in self.weights_]
        network = SparseNetwork(self.topology_, self._config, samples.sparse, weights, self.biases_)
        probabilities: npt.NDArray[np.float32] = network.predict(samples, np.arange(len(X)))
        return probabilities

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable label of each sample."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def _topology(self, n_features: int, n_classes: int, seed: int) -> Topology:
        if self.topology is None:
            sizes = [n_features, *self.hidden, n_classes]
            degrees = list(np.broadcast_to(self.degree, len(self.hidden)))
            constructions = [self.construction] * len(self.hidden)
            return Topology.build([*constructions, "dense"], sizes, [*degrees, n_classes], seed=seed)
        if (self.topology.sizes[0], self.topology.sizes[-1]) != (n_features, n_classes):
            raise TopologyMismatchError(
                f"the samples have {n_features} features and {n_classes} classes, but the topology is "
                f"{self.topology.architecture}"
            )
        return self.topology
