"""`find_tickets`: iterative magnitude pruning with rewinding, every round of which is a result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from topograph.checks import check_integer, check_real
from topograph.errors import InvalidParameterError, TrainingDivergedError, UnsupportedSettingError
from topograph.masks.maskset import MaskSet
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.initialization import batch_order, validation_split
from trainers.pruning.budget import Budget
from trainers.pruning.edges import Keep, Scores
from trainers.pruning.learners import MakeLearner, RewindableLearner
from trainers.pruning.masks import mask_set
from trainers.pruning.task import PruningTask
from trainers.schedule import learning_rate_at
from trainers.stopping import diverged


@dataclass(frozen=True)
class Ticket:
    """One round of iterative magnitude pruning: a mask, how well it trains, and from where.

    Parameters
    ----------
    number
        Number of the round: 0 is the network before pruning.
    masks
        The edges that were trained.
    density
        Share of the possible edges that they are.
    test_accuracy, train_accuracy
        Shares of samples classified correctly after training, in [0, 1].
    weights
        The trained weight at each edge of each layer, in the order of ``masks[name].edges()``.
    initial_weights
        Likewise, the weights that the round began with: those that were rewound to.
    """

    number: int
    masks: MaskSet
    density: float
    test_accuracy: float
    train_accuracy: float
    weights: tuple[Scores, ...]
    initial_weights: tuple[Scores, ...]


Round = tuple[int, list[Keep], list[Scores], RewindableLearner]
"""A round's number, its edges, the weights that it began with, and the learner after training."""


def iterate(task: PruningTask, make_learner: MakeLearner, dataset: Dataset, config: TrainingConfig) -> Iterator[Ticket]:
    """Train, prune and rewind until the budget is met; the last round trains the final mask.

    Raises
    ------
    UnsupportedSettingError
        For settings with patience.
    TrainingDivergedError
        When the loss of a round is not finite.
    """
    for number, keep, initial, learner in _rounds(task, make_learner, dataset, config):
        yield _ticket(number, task, keep, learner, dataset, (learner.edge_weights(), initial))


def last_mask(task: PruningTask, make_learner: MakeLearner, dataset: Dataset, config: TrainingConfig) -> list[Keep]:
    """The final mask alone, without training it."""
    keep, last = task.candidates, len(_budgets(task)) - 1
    for number, edges, _, learner in _rounds(task, make_learner, dataset, config, last):
        keep = _pruned(task, number, edges, learner)
    return keep


def _rounds(
    task: PruningTask, make_learner: MakeLearner, dataset: Dataset, config: TrainingConfig, number: int | None = None
) -> Iterator[Round]:
    """The first rounds, or all of them and one more, which trains the final mask."""
    if config.patience:
        raise UnsupportedSettingError(
            f"iterative pruning trains every round to its end: patience={config.patience} is not offered; give 0"
        )
    step = check_integer("rewind_to", task.options["rewind_to"], low=0)
    learning, _ = validation_split(len(dataset.y_train), config)
    end = math.ceil(len(learning) / config.batch_size) * config.epochs
    if step >= end:
        raise InvalidParameterError(f"rewind_to={step} is not before the end of training, which has {end} steps")
    keep, state = task.candidates, None
    for round_ in range(len(_budgets(task)) if number is None else number):
        learner = make_learner(keep, state)
        if state is None:
            _train(learner, config, learning, 0, step)
            state = learner.state()
            if step:  # as all later rounds: the optimizer begins anew where it is rewound to
                learner = make_learner(keep, state)
        initial = learner.edge_weights()
        _train(learner, config, learning, step, end)
        yield round_, keep, initial, learner
        keep = _pruned(task, round_, keep, learner)


def _budgets(task: PruningTask) -> list[Budget]:
    """How many edges each round begins with: of those of the round before never less than a share 1 − rate."""
    rate = check_real("rate", task.options["rate"], low=0, high=1, include_low=False, include_high=False)
    before, after = sum(task.budget.candidates), task.budget.edges
    number = max(0, math.ceil(math.log(after / before) / math.log(1 - rate) - 1e-9)) if after < before else 0
    return [task.budget.at(round_ / max(number, 1)) for round_ in range(number + 1)]


def _pruned(task: PruningTask, number: int, keep: Sequence[Keep], learner: RewindableLearner) -> list[Keep]:
    """The edges that are left after a round."""
    budgets = _budgets(task)
    if number + 1 >= len(budgets):
        return list(keep)
    scores = [np.abs(values) for values in learner.edge_weights()]
    return budgets[number + 1].select(scores, keep, task.generator)


def _train(learner: RewindableLearner, config: TrainingConfig, learning: np.ndarray, first: int, end: int) -> None:
    """The steps from number ``first`` up to ``end`` of a training, in the batches that a whole one has."""
    size = config.batch_size
    steps = math.ceil(len(learning) / size)
    for epoch in range(first // steps, math.ceil(end / steps)):
        order = learning[batch_order(len(learning), epoch, config)]
        begin, stop = max(first - epoch * steps, 0) * size, (end - epoch * steps) * size
        loss, _ = learner.train_epoch(epoch, order[begin:stop], learning_rate_at(epoch, config))
        if not math.isfinite(loss):
            error: TrainingDivergedError = diverged(loss, epoch, config)
            raise error


def _ticket(
    number: int,
    task: PruningTask,
    keep: Sequence[Keep],
    learner: RewindableLearner,
    dataset: Dataset,
    weights: tuple[list[Scores], list[Scores]],
) -> Ticket:
    learning = np.arange(len(dataset.y_train))
    layers = task.network.layers
    trained, initial = (tuple(values[part] for values, part in zip(each, keep, strict=True)) for each in weights)
    return Ticket(
        number,
        mask_set(task.network, keep),
        sum(int(np.count_nonzero(part)) for part in keep) / sum(layer.possible for layer in layers),
        float(np.mean(learner.predict() == dataset.y_test)),
        learner.evaluate(learning)[1],
        trained,
        initial,
    )
