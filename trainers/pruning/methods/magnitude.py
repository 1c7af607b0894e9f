"""The largest weights."""

from __future__ import annotations

import numpy as np

from trainers.pruning.edges import Keep
from trainers.pruning.pruner import Pruner
from trainers.pruning.task import PruningTask


def choose(task: PruningTask) -> list[Keep]:
    """Scores are |θ|, of the weights that the network has, or after training it."""
    if task.options["train"]:
        assert task.train is not None
        return task.select([np.abs(values) for values in task.train()])
    return task.select([np.abs(values) for values in task.network.weights()])


MAGNITUDE = Pruner(
    name="magnitude",
    summary="The weights of largest magnitude stay: as they are, or after training with train=True.",
    formula="|θ|",
    choose=choose,
    reference="Han, Pool, Tran & Dally (2015), Learning both weights and connections for efficient neural networks",
    differences="Thresholds per layer (Han 2015) or over all layers (most later codes): scope.",
    options={"train": False},
    scopes=("layer", "global"),
)
