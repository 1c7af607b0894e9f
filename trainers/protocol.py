"""The contract of a trainer, in words and types, and the guards that help to keep it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Final, Protocol, runtime_checkable

from topograph.errors import InvalidParameterError, TopologyMismatchError, TrainingError, UnsupportedSettingError
from topograph.graph import BipartiteGraph
from topograph.topology import Topology
from trainers.config import CHOICES, TrainingConfig
from trainers.datasets import Dataset
from trainers.models.spec import ModelSpec
from trainers.result import TrainingResult


@runtime_checkable
class Trainer(Protocol):
    """Trains a network on a fixed topology.

    Making one costs nothing and raises `MissingDependencyError` where its framework is not installed. The contract of
    ``train``:

    * NumPy in, NumPy out: no framework's tensor crosses.
    * The mask holds exactly, at every step, in the optimizer's state too: momentum never revives an edge.
    * The same topology, data set and config give the same result, to the bit.
    * Initial weights and batch order come from `trainers.initialization`, so that backends can be compared step by
      step; what dropout and DropConnect drop too, unless ``config.dropout_draws`` is ``"backend"``. The step size of
      each epoch is `trainers.schedule.learning_rate_at`.
    * Where it offers ``rewiring``, `trainers.rewiring.rewirer.Rewirer` says which edges go and come and when: edges
      that stay keep weight and velocity, new ones begin with theirs and velocity 0, and no evaluation sees edges that
      were not trained with.
    * Where it offers ``compression``, layers are those of `trainers.compression.budget.compressed_layers`; its result
      holds the matrices that its compressed layers make, written out, and how many parameters each layer has.
    * Neither the topology, the data set nor NumPy's global random state is changed.
    * A setting that it does not offer is refused by name, with `UnsupportedSettingError`, and a topology that does not
      fit with `TopologyMismatchError`, before any sample is read: call `check_offered` and `check_topology` first.
    * A loss or a weight that becomes NaN or infinite raises `TrainingDivergedError` at the end of that epoch.
    * The result is complete: see `TrainingResult`.

    `trainers.conformance.check_trainer` holds a trainer to all of this.
    """

    name: str

    def train(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        """Train a network with the edges of ``topology`` and report how well it does.

        Raises
        ------
        UnsupportedSettingError
            When it does not offer a setting; the message names it.
        TopologyMismatchError
            When the topology's ends do not match the data.
        TrainingDivergedError
            When the loss or a weight becomes NaN or infinite; the message names the epoch.
        """
        ...


@runtime_checkable
class MultiTrainer(Trainer, Protocol):
    """A trainer that also trains many networks at once: ``hasattr(trainer, "train_many")`` tells.

    The contract of ``train_many``, beyond that of ``train``:

    * One entry for each network, in the order given: what ``train`` returns, equal within rounding, or the
      `TrainingError` that ``train`` raises, returned and not raised: one that diverges does not affect the others.
    * Any number of networks, including none: the trainer divides them so that they fit its memory.
    * Errors that concern all of them (settings not offered, shapes that do not fit) are raised, before any work.
    * ``result.seconds`` is the network's share: the time of the call is the sum over its results.
    """

    def train_many(
        self, topologies: Sequence[Topology], dataset: Dataset, configs: Sequence[TrainingConfig]
    ) -> list[TrainingResult | TrainingError]:
        """Train network number i on ``topologies[i]`` with ``configs[i]``.

        All topologies have the same layer sizes, and the configs differ in nothing but their seeds; each may occur more
        than once. `check_stack` refuses others.
        """
        ...


@runtime_checkable
class ModelTrainer(Protocol):
    """A trainer of models that are more than chains: ``hasattr(trainer, "train_model")`` tells.

    The contract of ``train_model`` is that of `Trainer.train`, with masks in the place of the topology:

    * The masks hold exactly, at every step, in the optimizer's state too: momentum never revives an edge. All other
      parameters of the model are trained as they are.
    * Initial weights are the model's own, from ``config.seed`` alone, and those without an edge are 0; dropout is its
      own, too. Batch order, split and step sizes are those of chains.
    * The model gives the outputs before ``config.output_activation``; loss and output activation are the settings'.
      ``weight_decay`` acts on parameters of two dimensions and more, ``clip_norm`` on the gradient of all.
    * The same model, masks, data set and config give the same result, to the bit, on one device.
    * Where it offers ``compression``, linear layers whose masks leave out edges are compressed, their edges the budget;
      the result's masks have all pairs there, its weights are these matrices written out, and ``n_parameters`` holds
      what each layer learnt. The other masks hold.
    * Settings that the model decides (activations of hidden neurons, initial weights, biases, dropout) are refused by
      name unless they have their defaults, see `MODEL_SETTINGS`; so is everything else that is not offered. Masks that
      do not fit are refused before any sample is read.
    * Neither the masks, the data set, a model that was given nor a global random state is changed.
    """

    name: str
    framework: str
    """``"torch"`` or ``"keras"``: of which framework its models are."""

    def train_model(
        self,
        model: ModelSpec | str | Any,
        masks: Mapping[str, BipartiteGraph],
        dataset: Dataset,
        config: TrainingConfig,
    ) -> TrainingResult:
        """Train a model on the edges of its masks and report how well it does.

        Parameters
        ----------
        model
            A `trainers.models.ModelSpec`, or a name of one; or a live model of the framework, of which a copy is
            trained from the weights that it has.
        masks
            One graph per masked layer, by the names that `topograph.load` gives the model's layers, such as
            `topograph.MaskSet.build` makes. Layers without a mask stay dense.
        dataset, config
            Data and settings.

        Returns
        -------
        TrainingResult
            Its ``topology`` is the `topograph.MaskSet` at the end, its ``weights`` are one array per mask, in their
            order; ``model`` is the trained model.

        Raises
        ------
        UnsupportedSettingError
            When a setting is not offered; the message names it.
        UnknownNameError
            For a model, an option or a layer that does not exist.
        InvalidModelError
            When the model cannot be made, is of another framework, or does not fit the data or the masks.
        TrainingDivergedError
            When the loss or a weight becomes NaN or infinite; the message names the epoch.
        """
        ...


def check_topology(topology: Topology, dataset: Dataset) -> None:
    """Refuse a topology whose inputs or outputs do not match the data.

    Raises
    ------
    TopologyMismatchError
        With the sizes of both.
    InvalidParameterError
        When one of them is something else.
    """
    _check_type("topology", topology, Topology)
    check_dataset(dataset)
    if topology.sizes[0] != dataset.n_features or topology.sizes[-1] != dataset.n_classes:
        raise TopologyMismatchError(
            f"{dataset.name} has {dataset.n_features} inputs and {dataset.n_classes} classes, but the topology is "
            f"{topology.architecture}: its sizes must begin with {dataset.n_features} and end with {dataset.n_classes}"
        )


def check_dataset(dataset: Dataset) -> None:
    """Refuse what is not a data set.

    Raises
    ------
    InvalidParameterError

    Examples
    --------
    >>> check_dataset("digits")
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidParameterError: the dataset must be a trainers.Dataset, as load_dataset gives, but got str
    """
    _check_type("dataset", dataset, Dataset)


_MADE_BY: Final = {
    Topology: "a topograph.Topology, as Topology(graphs) or masks.to_topology() make",
    Dataset: "a trainers.Dataset, as load_dataset gives",
    TrainingConfig: "a trainers.TrainingConfig",
}


def _check_type(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise InvalidParameterError(f"the {name} must be {_MADE_BY[kind]}, but got {type(value).__name__}")


class _Any(Collection[Any]):
    """Contains everything, and lists nothing."""

    def __contains__(self, value: object) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0


ANY: Final[Collection[Any]] = _Any()
"""Stands in `check_offered` for every value that `TrainingConfig` accepts."""

_ALL: Final[Mapping[str, Collection[Any]]] = {
    field.name: CHOICES.get(field.name, ANY) for field in fields(TrainingConfig)
}
_DEFAULTS = TrainingConfig()
_OF_MODELS = ("clip_norm",)
_OF_CHAINS = (
    "activation", "initialization", "fans", "bias", "dropout_input", "dropout_hidden", "dropout_draws",
    "dropconnect", "compression",
)  # fmt: skip

CHAIN_SETTINGS: Final[Mapping[str, Collection[Any]]] = {
    **_ALL,
    **{name: (getattr(_DEFAULTS, name),) for name in _OF_MODELS},
}
"""All settings of chains with all their values, as this version knows them."""

REWIRED: Final[Mapping[str, Collection[Any]]] = {**CHAIN_SETTINGS, "compression": ("none",), "dropconnect": (0.0,)}
"""The settings of trainers that train the edges of chains, which may change, and drop none of them at random."""

EVERYTHING: Final[Mapping[str, Collection[Any]]] = {**REWIRED, "rewiring": ("none",)}
"""All settings of trainers on fixed topologies, with all their values: for `check_offered`."""

MODEL_SETTINGS: Final[Mapping[str, Collection[Any]]] = {
    **_ALL,
    **{name: (getattr(_DEFAULTS, name),) for name in _OF_CHAINS},
    "rewiring": ("none",),
}
"""All settings of `ModelTrainer.train_model` on fixed masks, with all their values: for `check_offered`.

Those that a model decides for itself must have their defaults. Its initial weights are
drawn for all pairs, of which the edges take theirs, whatever ``initial_draws`` says."""


def check_offered(trainer: str, config: TrainingConfig, offered: Mapping[str, Collection[Any]]) -> None:
    """Refuse settings that a trainer does not offer, all of them by name.

    Parameters
    ----------
    trainer
        Name of the trainer.
    config
        Settings to train with.
    offered
        Setting → the values that are offered, or `ANY`. A setting that is not named must have its default: so a trainer
        refuses settings that a later version of `TrainingConfig` adds, instead of ignoring them.

    Raises
    ------
    UnsupportedSettingError
    InvalidParameterError
        When this is not a `TrainingConfig`.

    Examples
    --------
    >>> offered = {"epochs": ANY, "seed": ANY, "optimizer": ("sgd",)}
    >>> check_offered("mine", TrainingConfig(epochs=3, seed=1), offered)
    >>> check_offered("mine", TrainingConfig(optimizer="adam", validation=0.1), offered)
    Traceback (most recent call last):
    ...
    topograph.errors.UnsupportedSettingError: the trainer 'mine' does not offer optimizer='adam' (offered: 'sgd'), \
validation=0.1 (offered: 0.0)
    """
    _check_type("config", config, TrainingConfig)
    refused = []
    for field in fields(config):
        value = getattr(config, field.name)
        allowed = offered.get(field.name, () if field.default is MISSING else (field.default,))
        if value not in allowed:
            refused.append(f"{field.name}={value!r} (offered: {', '.join(map(repr, allowed))})")
    if refused:
        raise UnsupportedSettingError(f"the trainer {trainer!r} does not offer {', '.join(refused)}")


def check_stack(topologies: Sequence[Topology], configs: Sequence[TrainingConfig]) -> None:
    """Refuse networks that cannot be trained together: of other shapes, or with settings beyond the seed that differ.

    Raises
    ------
    InvalidParameterError

    Examples
    --------
    >>> topology = Topology.build("dense", [4, 2])
    >>> check_stack([topology, topology], [TrainingConfig(seed=0), TrainingConfig(seed=1, epochs=3)])
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidParameterError: networks trained together differ in nothing but seed and edges, but \
network 1 has epochs=3 and network 0 has epochs=50
    """
    if len(topologies) != len(configs):
        raise InvalidParameterError(
            f"one config per topology is needed, but got {len(topologies)} topologies and {len(configs)} configs"
        )
    differ = "networks trained together differ in nothing but seed and edges, but network"
    for number, (topology, config) in enumerate(zip(topologies, configs, strict=True)):
        _check_type("topology", topology, Topology)
        _check_type("config", config, TrainingConfig)
        if topology.sizes != topologies[0].sizes:
            raise InvalidParameterError(
                f"{differ} {number} is {topology.architecture} and network 0 is {topologies[0].architecture}"
            )
        for field in fields(config):
            mine, first = getattr(config, field.name), getattr(configs[0], field.name)
            if field.name != "seed" and mine != first:
                raise InvalidParameterError(
                    f"{differ} {number} has {field.name}={mine!r} and network 0 has {field.name}={first!r}"
                )


__all__ = [
    "ANY",
    "CHAIN_SETTINGS",
    "EVERYTHING",
    "MODEL_SETTINGS",
    "REWIRED",
    "ModelTrainer",
    "MultiTrainer",
    "Trainer",
    "TrainingConfig",
    "TrainingResult",
    "check_dataset",
    "check_offered",
    "check_stack",
    "check_topology",
]
