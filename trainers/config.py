"""`TrainingConfig`: every hyper-parameter, with its range and the paper's value as its default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from topograph.checks import check_choice, check_flag, check_integer, check_real, check_text
from topograph.errors import UnknownNameError, UnsupportedSettingError

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "linear")
OUTPUT_ACTIVATIONS = (*ACTIVATIONS, "softmax")
LOSSES = ("mse", "cross_entropy")
OPTIMIZERS = ("sgd", "adam")
SCHEDULES = ("constant", "linear", "cosine", "step")
INITIALIZATIONS = ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform")
FANS = ("dense", "degrees")
INITIAL_DRAWS = ("edges", "dense")
DROPOUT_DRAWS = ("numpy", "backend")
DTYPES = ("float32", "float64")
LEAK = 0.01
"""Slope of ``leaky_relu`` below 0."""

CHOICES = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "loss": LOSSES,
    "activation": ACTIVATIONS,
    "output_activation": OUTPUT_ACTIVATIONS,
    "initialization": INITIALIZATIONS,
    "fans": FANS,
    "initial_draws": INITIAL_DRAWS,
    "dropout_draws": DROPOUT_DRAWS,
    "dtype": DTYPES,
}
"""Setting → the names that it can take, for settings that are one of several names."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Settings of a training. The defaults are the paper's.

    Parameters
    ----------
    epochs
        Passes over the training set, at least 1.
    batch_size
        Samples per step, at least 1; the last batch of an epoch may be smaller.
    learning_rate
        Step size η, positive.
    optimizer
        ``"sgd"``: gradient descent with momentum. ``"adam"``: Adam with β₁ = ``momentum``, β₂ = 0.999, ε = 10⁻⁸.
    momentum
        Decay of the velocity, in [0, 1); 0 is plain gradient descent.
    nesterov
        Whether the step of ``"sgd"`` looks ahead along the velocity. With velocity v ← μ v − η g, the step is μ v − η g
        (look-ahead) or v. Adam does not read it.
    weight_decay
        λ ≥ 0, added as λ w to the gradient of each edge's weight, not to those of biases.
    clip_norm
        Largest Euclidean norm of the gradient of all parameters together: a longer one is shortened to it before the
        step, as recurrent cells need; 0 leaves all gradients as they are. For models, see `trainers.models`.
    schedule
        How the step size falls with the epoch t = 0 … T − 1: ``"constant"``; ``"linear"``: η (1 − t / T); ``"cosine"``:
        η (1 + cos(π t / T)) / 2; ``"step"``: a tenth from T / 2 on, a hundredth from 3 T / 4 on.
    loss
        ``"mse"``: mean over outputs and samples of (y − t)², t the one-hot label. ``"cross_entropy"``: mean over
        samples of −log y_label after a softmax output, of the binary cross-entropies' sum after a sigmoid one.
    activation
        Activation of hidden neurons: ``"sigmoid"``, ``"tanh"``, ``"relu"``, ``"leaky_relu"`` (0.01 below 0) or
        ``"linear"``. At 0, which a neuron without edges receives, ReLU's derivative is 0 and that of leaky ReLU 0.01.
    output_activation
        Activation of output neurons: one of those, or ``"softmax"``.
    initialization
        Variance of the initial weights: ``"glorot_…"`` 2 / (fan_in + fan_out), ``"he_…"`` 2 / fan_in. Distribution:
        ``"…_normal"``, truncated at two standard deviations (the variance is the truncated one, as in Keras), or
        ``"…_uniform"``, symmetric about 0.
    fans
        ``"dense"``: of the dense layer, as in the paper: fan_in its inputs, fan_out its outputs. ``"degrees"``: of each
        edge: fan_in the number of edges into its output, fan_out that of edges out of its input.
    initial_draws
        ``"edges"``: initial weights are drawn for the edges only. ``"dense"``: for every pair of neurons, of which the
        edges take theirs: a network that was pruned at its initial weights keeps them.
    bias
        Whether neurons have a bias; it starts at 0.
    dropout_input, dropout_hidden
        Share of input or hidden neurons silenced at each step, in [0, 1); the others are scaled up to keep the mean.
    dropout_draws
        Generator of the dropout masks. ``"numpy"``: `trainers.initialization`, so that backends can be compared step by
        step. ``"backend"``: the backend's own generator, from the same seed, which is faster on a device. So are those
        of ``dropconnect``.
    dropconnect
        Share of edges dropped at random at each step, in [0, 1), for all samples of the batch alike; the weights of the
        others are scaled by 1 / (1 − share) to keep the mean. Nothing is dropped in an evaluation.
    validation
        Share of the training samples held out for validation, in [0, 1); 0 trains on all of them.
    patience
        Number of epochs without a better validation loss after which training stops and the weights of the best epoch
        are restored; 0 never stops early. More than 0 needs ``validation``.
    dtype
        ``"float32"``, or ``"float64"`` for checking.
    seed
        Seed of initial weights, batch order, dropout and the choice of validation samples.

    rewiring
        Name of the rule by which edges change during the training, see `trainers.rewiring`; ``"none"`` keeps them.
    rewire_every
        Number of steps between two changes, at least 1; None takes what the rule's paper does.
    rewire_share
        Largest share of a layer's edges that a change replaces, in (0, 1).
    rewire_until
        Share of the training after which no edge changes, in (0, 1]; None takes what the rule's paper does.
    rewire_options
        Options of the rule that differ from their defaults, such as ``"gamma=0.5, again=false"``.
    rewire_metrics
        Names of metrics, separated by commas, that the history records after each epoch.
    compression
        Name of another way to have as few parameters, see `trainers.compression`: each layer that the topology does not
        hold dense is replaced by one that connects all its neurons with at most as many parameters as the topology has
        edges there; of a model each linear layer among the masked ones. ``"none"`` trains the edges.

    Raises
    ------
    InvalidParameterError, UnknownNameError, UnsupportedSettingError

    Examples
    --------
    >>> TrainingConfig.paper(seed=3).epochs
    50
    >>> TrainingConfig(momentum=1.5)
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidParameterError: momentum must be a number in [0, 1), but got momentum=1.5
    """

    epochs: int = 50
    batch_size: int = 32
    learning_rate: float = 0.01
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 0.0
    schedule: str = "constant"
    loss: str = "mse"
    activation: str = "sigmoid"
    output_activation: str = "sigmoid"
    initialization: str = "glorot_normal"
    fans: str = "dense"
    bias: bool = True
    dropout_input: float = 0.0
    dropout_hidden: float = 0.0
    dropout_draws: str = "numpy"
    validation: float = 0.0
    patience: int = 0
    dtype: str = "float32"
    seed: int = 0
    initial_draws: str = "edges"
    rewiring: str = "none"
    rewire_every: int | None = None
    rewire_share: float = 0.3
    rewire_until: float | None = None
    rewire_options: str = ""
    rewire_metrics: str = ""
    clip_norm: float = 0.0
    dropconnect: float = 0.0
    compression: str = "none"

    def __post_init__(self) -> None:
        accepted = {
            "epochs": check_integer("epochs", self.epochs, low=1),
            "batch_size": check_integer("batch_size", self.batch_size, low=1),
            "learning_rate": check_real("learning_rate", self.learning_rate, low=0, include_low=False),
            "momentum": check_real("momentum", self.momentum, low=0, high=1, include_high=False),
            "nesterov": check_flag("nesterov", self.nesterov),
            "weight_decay": check_real("weight_decay", self.weight_decay, low=0),
            "clip_norm": check_real("clip_norm", self.clip_norm, low=0),
            "bias": check_flag("bias", self.bias),
            "dropout_input": check_real("dropout_input", self.dropout_input, low=0, high=1, include_high=False),
            "dropout_hidden": check_real("dropout_hidden", self.dropout_hidden, low=0, high=1, include_high=False),
            "dropconnect": check_real("dropconnect", self.dropconnect, low=0, high=1, include_high=False),
            "validation": check_real("validation", self.validation, low=0, high=1, include_high=False),
            "patience": check_integer("patience", self.patience, low=0),
            "seed": check_integer("seed", self.seed, low=0),
            **{name: check_choice(name, getattr(self, name), allowed) for name, allowed in CHOICES.items()},
            **self._checked_rewiring(),
            "compression": check_text("compression", self.compression),
        }
        for name, value in accepted.items():
            object.__setattr__(self, name, value)
        if self.loss == "cross_entropy" and self.output_activation not in ("softmax", "sigmoid"):
            raise UnsupportedSettingError(
                "loss='cross_entropy' needs outputs between 0 and 1: output_activation='softmax' or 'sigmoid', "
                f"but got output_activation={self.output_activation!r}"
            )
        if self.patience and self.rewiring != "none":
            raise UnsupportedSettingError(
                f"patience={self.patience} returns to the weights of an earlier epoch, whose edges are gone with "
                f"rewiring={self.rewiring!r}: set patience=0 or rewiring='none'"
            )
        self._check_compression()
        if self.patience and not self.validation:
            raise UnsupportedSettingError(
                f"patience={self.patience} watches a validation loss: set validation to the share of training samples "
                "to hold out, but got validation=0"
            )

    def _checked_rewiring(self) -> dict[str, Any]:
        every, until = self.rewire_every, self.rewire_until
        checked = {
            "rewire_every": None if every is None else check_integer("rewire_every", every, low=1),
            "rewire_share": check_real(
                "rewire_share", self.rewire_share, low=0, high=1, include_low=False, include_high=False
            ),
            "rewire_until": (
                None if until is None else check_real("rewire_until", until, low=0, high=1, include_low=False)
            ),
            "rewire_options": check_text("rewire_options", self.rewire_options),
            "rewire_metrics": check_text("rewire_metrics", self.rewire_metrics),
        }
        if self.rewiring != "none":
            from topograph.metrics.registry import select_metrics
            from trainers.rewiring.rule import get_rewiring, read_options

            read_options(get_rewiring(check_text("rewiring", self.rewiring)), self.rewire_options)
            if names := self.rewire_metrics.replace(",", " ").split():
                select_metrics(names)
        return checked

    def _check_compression(self) -> None:
        if self.compression == "none":
            return
        from trainers.compression.compression import get_compression

        get_compression(self.compression)
        allowed = {"rewiring": "none", "initial_draws": "edges", "dropconnect": 0.0}
        for name, value in allowed.items():
            if getattr(self, name) != value:
                raise UnsupportedSettingError(
                    f"compression={self.compression!r} leaves no edges to which {name}={getattr(self, name)!r} could "
                    f"apply: set {name}={value!r} or compression='none'"
                )

    @classmethod
    def paper(cls, **changes: Any) -> TrainingConfig:
        """The paper's setup, with changes by name.

        50 epochs, batches of 32, mean squared error, sigmoid at all neurons, Glorot normal, Nesterov momentum 0.9,
        learning rate 0.01.
        """
        return cls.from_record(changes)

    def replace(self, **changes: Any) -> TrainingConfig:
        """A copy with some settings changed."""
        return replace(self, **changes)

    def to_record(self) -> dict[str, Any]:
        """All settings as a plain dictionary, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> TrainingConfig:
        """The inverse of `to_record`; settings left out take the paper's values.

        Raises
        ------
        UnknownNameError
            For a setting that does not exist.
        """
        known = [field.name for field in fields(cls)]
        for name in record:
            if name not in known:
                raise UnknownNameError.among("training setting", name, known)
        return cls(**record)
