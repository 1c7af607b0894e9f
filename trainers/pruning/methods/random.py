"""Edges at random."""

from __future__ import annotations

from trainers.pruning.edges import Keep
from trainers.pruning.pruner import Pruner
from trainers.pruning.task import PruningTask


def choose(task: PruningTask) -> list[Keep]:
    """Scores are independent uniform numbers."""
    return task.select([task.generator.random(layer.possible) for layer in task.network.layers])


RANDOM = Pruner(
    name="random",
    summary="Every set of edges of the allotted size is equally likely.",
    formula="uniform",
    choose=choose,
    reference="the control of every paper; how the edges are shared among the layers decides the rest",
    scopes=("layer", "global"),
)
