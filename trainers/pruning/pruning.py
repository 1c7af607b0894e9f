"""`prune` and `find_tickets`: from a network and its data to masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from topograph.checks import check_choice, check_flag, check_generator, check_integer
from topograph.errors import InvalidParameterError, UnknownNameError, UnsupportedSettingError
from topograph.masks.building import Allocation
from topograph.masks.maskset import MaskSet
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.protocol import check_topology
from trainers.pruning.budget import make_budget
from trainers.pruning.edges import Keep, Scores
from trainers.pruning.learners import make_learners
from trainers.pruning.masks import mask_set
from trainers.pruning.network import ChainNetwork, PrunableNetwork
from trainers.pruning.pruner import Pruner, get_pruner
from trainers.pruning.task import PruningTask
from trainers.pruning.tickets import Ticket, iterate, last_mask
from trainers.registry import get_trainer


def prune(
    method: str | Pruner,
    network: Any,
    dataset: Dataset | None = None,
    *,
    density: float | None = None,
    sparsity: float | None = None,
    edges: int | None = None,
    scope: str | None = None,
    allocation: Allocation = "uniform",
    seed: int = 0,
    config: TrainingConfig | None = None,
    trainer: str = "numpy",
    loss: Any = None,
    input_shape: Sequence[int] | None = None,
    include: Any = None,
    exclude: Any = None,
    **options: Any,
) -> MaskSet:
    """Choose the edges of a network that stay: exactly as many as asked for.

    Parameters
    ----------
    method
        Name of a pruner, see `describe_pruners`, or a `Pruner`.
    network
        A `Topology`, whose initial weights are those of ``config``; or a PyTorch model with the weights that it has.
        It is never changed: scores are taken on a copy.
    dataset
        Training samples, for methods that read them.
    density, sparsity, edges
        One of them: the share of the possible edges of the pruned layers that stays, the share that goes, or the number
        that stays. At least as many edges as layers.
    scope
        ``"global"``: scores of all layers are compared; ``"layer"``: those within each. By default what the method's
        paper does.
    allocation
        With ``scope="layer"``: how the edges are shared among layers, see `topograph.masks.building.allocate`: a name,
        or a function of a layer.
    seed
        Seed of all draws: samples, walks, and equal scores at the border, of which as many as are needed are drawn.
    config
        For a topology: initial weights, activations and loss. Train what was pruned with the same settings and
        ``initial_draws="dense"``, and its weights are those that it was chosen by. For methods that train: how. A
        model's activations, initial weights, biases and dropout are its own, and its loss is ``loss``.
    trainer
        For a topology and methods that train: ``"numpy"`` or ``"pytorch"``.
    loss
        For a model: ``loss(outputs, labels)``; by default the cross-entropy of its outputs.
    input_shape
        For a model: shape of one sample as it takes it, such as ``(1, 28, 28)``; by default the features in a row.
    include, exclude
        For a model: globs over layer names, as for `topograph.load`.
    **options
        Options of the method.

    Returns
    -------
    MaskSet
        One graph per pruned layer: ``l1``, ``l2``, … of a topology, which `MaskSet.to_topology` makes a chain; the
        names that `topograph.load` gives the layers of a model, onto which `MaskSet.apply_to` puts them.

    Raises
    ------
    InvalidParameterError
        For a budget of fewer edges than layers or more than there are, and for what is not a network.
    UnknownNameError
        For a method or an option that does not exist.
    UnsupportedSettingError
        For a scope that the method does not have, or a network that it cannot judge.
    InvalidDatasetError
        When a class has no training sample.
    TrainingError
        For scores that are not finite.

    Examples
    --------
    >>> from trainers import load_dataset
    >>> topology = Topology.build("dense", [64, 32, 10])
    >>> masks = prune("magnitude", topology, density=0.1)
    >>> masks.to_topology()
    Topology(64-32-10, 237 edges, density 10 %)
    """
    pruner = get_pruner(method)
    task, seen, config = _task(
        pruner, network, dataset,
        {"density": density, "sparsity": sparsity, "edges": edges}, scope, allocation, seed, config,
        {"loss": loss, "input_shape": input_shape, "include": include, "exclude": exclude}, options,
    )  # fmt: skip
    if pruner.needs_training or task.options.get("train"):
        train = (_last_round if pruner.needs_training else _trained)(task, seen, config, trainer)
        task = replace(task, train=train)
    keep = pruner.choose(task)
    _check_kept(pruner, task, keep)
    return mask_set(task.network, keep)


def find_tickets(
    network: Any,
    dataset: Dataset,
    *,
    density: float | None = None,
    sparsity: float | None = None,
    edges: int | None = None,
    scope: str = "global",
    allocation: Allocation = "uniform",
    rate: float = 0.2,
    rewind_to: int = 0,
    seed: int = 0,
    config: TrainingConfig | None = None,
    trainer: str = "numpy",
    loss: Any = None,
    input_shape: Sequence[int] | None = None,
    include: Any = None,
    exclude: Any = None,
) -> list[Ticket]:
    """Iterative magnitude pruning with rewinding: every round's masks, accuracy and weights.

    Each round trains from the weights of step ``rewind_to``, then removes the smallest of them: about a share ``rate``,
    so that the last round has exactly the edges asked for.

    Parameters
    ----------
    rate
        Largest share of the edges that are left to remove each round, in (0, 1).
    rewind_to
        Number of the training step to whose weights each round returns; 0 is the start.
    network, dataset, density, sparsity, edges, scope, allocation, seed, config, trainer, loss, input_shape, include, \
exclude
        As for `prune`.

    Returns
    -------
    list of Ticket
        The first is the network before pruning.

    Examples
    --------
    >>> from trainers import load_dataset
    >>> topology, config = Topology.build("dense", [64, 16, 10]), TrainingConfig(epochs=2, learning_rate=1.0)
    >>> tickets = find_tickets(topology, load_dataset("digits"), density=0.5, config=config)
    >>> [round(ticket.density, 2) for ticket in tickets]
    [1.0, 0.84, 0.71, 0.59, 0.5]
    """
    pruner = get_pruner("imp")
    task, seen, config = _task(
        pruner, network, dataset,
        {"density": density, "sparsity": sparsity, "edges": edges}, scope, allocation, seed, config,
        {"loss": loss, "input_shape": input_shape, "include": include, "exclude": exclude},
        {"rate": rate, "rewind_to": rewind_to},
    )  # fmt: skip
    make_learner = make_learners(task.network, seen, config, _known(trainer))
    return list(iterate(task, make_learner, seen, config))


def _task(
    pruner: Pruner,
    network: Any,
    dataset: Dataset | None,
    size: Mapping[str, Any],
    scope: str | None,
    allocation: Allocation,
    seed: int,
    config: TrainingConfig | None,
    of_model: Mapping[str, Any],
    options: Mapping[str, Any],
) -> tuple[PruningTask, Any, TrainingConfig]:
    """The task, the data set (None only for methods without data), and the settings."""
    for name in options:
        if name not in pruner.options:
            raise UnknownNameError.among(f"option of {pruner.name}", name, pruner.options)
    chosen = {**pruner.options, **options}
    if (pruner.needs_data or chosen.get("train")) and not isinstance(dataset, Dataset):
        raise InvalidParameterError(
            f"{pruner.name} reads training samples: give a trainers.Dataset, but got {type(dataset).__name__}"
        )
    if "train" in chosen:
        check_flag("train", chosen["train"])
    scope = pruner.scopes[0] if scope is None else check_choice("scope", scope, ("global", "layer"))
    if scope not in pruner.scopes:
        raise UnsupportedSettingError(
            f"{pruner.name} does not offer scope={scope!r} (offered: {', '.join(map(repr, pruner.scopes))})"
        )
    generator = check_generator(seed)
    config = config or TrainingConfig()
    prunable = _network(network, dataset, config, of_model)
    budget = make_budget(prunable.layers, scope=scope, allocation=allocation, **size)
    return PruningTask(prunable, budget, generator, chosen, dataset), dataset, config


def _network(
    network: Any, dataset: Dataset | None, config: TrainingConfig, of_model: Mapping[str, Any]
) -> PrunableNetwork:
    if isinstance(network, Topology):
        for name, value in of_model.items():
            if value is not None:
                raise InvalidParameterError(f"{name}= is for PyTorch models, but got a topology")
        if dataset is not None:
            check_topology(network, dataset)
        return ChainNetwork(network, config)
    from trainers.pruning.model_network import ModelNetwork

    shape = of_model["input_shape"]
    if shape is None:
        shape = () if dataset is None else (dataset.n_features,)
    elif not isinstance(shape, (tuple, list)):
        raise InvalidParameterError(f"input_shape must be a tuple of sizes, such as (1, 28, 28), but got {shape!r}")
    shape = tuple(check_integer("each size of input_shape", size, low=1) for size in shape)
    model: PrunableNetwork = ModelNetwork(network, shape, of_model["loss"], of_model["include"], of_model["exclude"])
    return model


def _known(trainer: str) -> str:
    return get_trainer(trainer).name


def _last_round(task: PruningTask, dataset: Dataset, config: TrainingConfig, trainer: str) -> Any:
    """A function that trains, prunes and rewinds, and gives the last round's edges."""
    make_learner = make_learners(task.network, dataset, config, _known(trainer))

    return lambda: last_mask(task, make_learner, dataset, config)


def _trained(task: PruningTask, dataset: Dataset, config: TrainingConfig, trainer: str) -> Any:
    """A function that trains the whole network, and gives the weights at its edges."""
    from trainers.course import run_course

    make_learner = make_learners(task.network, dataset, config, _known(trainer))

    def train() -> list[Scores]:
        learner = make_learner(task.candidates, None)
        run_course(learner, config, len(dataset.y_train))
        return learner.edge_weights()

    return train


def _check_kept(pruner: Pruner, task: PruningTask, keep: Sequence[Keep]) -> None:
    """Hold a pruner, ours or anybody's, to its budget and to the edges that there are."""
    counted = [int(np.count_nonzero(part)) for part in keep]
    grown = any(bool((part & ~among).any()) for part, among in zip(keep, task.candidates, strict=True))
    if sum(counted) != task.budget.edges or grown or task.budget.counts not in (None, tuple(counted)):
        raise InvalidParameterError(
            f"the pruner {pruner.name!r} was to keep {task.budget.counts or task.budget.edges} edges among those that "
            f"there are, but kept {counted}{', others among them' if grown else ''}"
        )
