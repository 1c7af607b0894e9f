"""`SparseMLP`: what the scikit-learn estimators on the sparse NumPy backend share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from topograph.errors import InvalidParameterError, TopologyMismatchError
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.course import run_course
from trainers.initialization import batch_order
from trainers.numpy_sparse.learner import SparseLearner
from trainers.numpy_sparse.network import SparseNetwork
from trainers.numpy_sparse.samples import gather_samples
from trainers.result import sparse_weights

SYNONYMS = {
    "hidden_layer_sizes": "hidden",
    "max_iter": "epochs",
    "learning_rate_init": "learning_rate",
    "solver": "optimizer",
    "nesterovs_momentum": "nesterov",
    "n_iter_no_change": "patience",
    "validation_fraction": "validation",
    "alpha": "weight_decay",
}
"""Names of scikit-learn's ``MLPClassifier`` → ours."""
_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid"}


class SparseMLP(BaseEstimator):  # type: ignore[misc]
    """The parameters, the training and the outputs of `SparseMLPClassifier` and `SparseMLPRegressor`."""

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
        self.topology = topology
        self.construction = construction
        self.hidden = hidden
        self.degree = degree
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.activation = activation
        self.dropout_input = dropout_input
        self.dropout_hidden = dropout_hidden
        self.validation = validation
        self.patience = patience
        self.random_state = random_state
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.learning_rate_init = learning_rate_init
        self.solver = solver
        self.nesterovs_momentum = nesterovs_momentum
        self.n_iter_no_change = n_iter_no_change
        self.validation_fraction = validation_fraction
        self.alpha = alpha
        self.early_stopping = early_stopping

    def _settings(self) -> dict[str, Any]:
        """All settings by our names."""
        given: dict[str, Any] = self.get_params(deep=False)
        for synonym, name in SYNONYMS.items():
            stops = name in ("validation", "patience")
            if given[synonym] is not None and (self.early_stopping or not stops):
                given[name] = given[synonym]
        if self.alpha is not None:
            given["weight_decay"] = self.alpha / self.batch_size
        if self.early_stopping:
            given["validation"] = given["validation"] or 0.1
            given["patience"] = given["patience"] or 10
        given["activation"] = _ACTIVATIONS.get(given["activation"], given["activation"])
        return given

    def _start(self, n_features: int, n_outputs: int, loss: str, output_activation: str) -> None:
        """Draw a seed, and make the topology and the config."""
        settings, names = self._settings(), set(TrainingConfig().to_record())
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.topology_ = self._make_topology(n_features, n_outputs, settings["hidden"], seed)
        self._config = TrainingConfig(
            **{name: value for name, value in settings.items() if name in names},
            loss=loss,
            output_activation=output_activation,
            seed=seed,
        )

    def _make_topology(self, n_features: int, n_outputs: int, hidden: Any, seed: int) -> Topology:
        if self.topology is None:
            hidden = [hidden] if np.ndim(hidden) == 0 else list(hidden)
            degrees = list(np.broadcast_to(self.degree, len(hidden)))
            constructions = [self.construction] * len(hidden)
            sizes = [n_features, *hidden, n_outputs]
            return Topology.build([*constructions, "dense"], sizes, [*degrees, n_outputs], seed=seed)
        if (self.topology.sizes[0], self.topology.sizes[-1]) != (n_features, n_outputs):
            raise TopologyMismatchError(
                f"the samples have {n_features} features and {n_outputs} outputs, but the topology is "
                f"{self.topology.architecture}"
            )
        return self.topology

    def _train(self, X: npt.NDArray[np.float32], targets: npt.NDArray[Any]) -> None:
        learner = SparseLearner(self.topology_, self._config, X, targets)
        trained = run_course(learner, self._config, len(X))
        self.loss_curve_ = list(trained.history["loss"])
        self._keep(learner.network)

    def _train_pass(self, X: npt.NDArray[np.float32], targets: npt.NDArray[Any]) -> None:
        """One pass over more samples: the optimizer goes on where it was."""
        network = getattr(self, "_network", None)
        if network is None:
            self.loss_curve_ = []
        learner = SparseLearner(self.topology_, self._config, X, targets, network=network)
        epoch = len(self.loss_curve_)
        order = batch_order(len(X), epoch, self._config)
        self.loss_curve_.append(learner.train_epoch(epoch, order, self._config.learning_rate)[0])
        self._keep(learner.network)

    def _keep(self, network: SparseNetwork) -> None:
        self._network = network
        self.weights_ = sparse_weights(self.topology_, network.weights())
        self.biases_ = network.biases()
        self.n_iter_ = len(self.loss_curve_)

    def _outputs(self, X: Any) -> npt.NDArray[np.float32]:
        """Outputs for samples in rows."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        samples = gather_samples(X)
        weights = [layer.data for layer in self.weights_]
        network = SparseNetwork(self.topology_, self._config, samples.sparse, weights, self.biases_)
        return network.predict(samples, np.arange(len(X)))


def weigh(targets: npt.NDArray[Any], sample_weight: Any, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Targets in rows with a last column of weights, whose mean is 1.

    Raises
    ------
    InvalidParameterError
        For weights that are negative, or all 0.
    """
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weights < 0).any() or not weights.sum() > 0:
        raise InvalidParameterError(
            "sample_weight must not be negative, and not 0 for all samples, but got weights from "
            f"{weights.min():g} to {weights.max():g}"
        )
    return np.column_stack([targets, weights / weights.mean()]).astype(np.float32)
