"""SynFlow: the edges through which most of the flow goes, found in many rounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from topograph.checks import check_flag, check_integer
from topograph.errors import TrainingError
from trainers.pruning.edges import Keep, Scores
from trainers.pruning.pruner import Pruner
from trainers.pruning.task import PruningTask


def choose(task: PruningTask) -> list[Keep]:
    """Scores are |θ| · ∂R/∂|θ|, taken anew in every round at the edges that are left.

    A round that would remove as much score as a layer has is divided: with this no layer collapses as long as there
    are as many edges as layers (Tanaka et al., theorem 3). The last edge of a layer is never removed.
    """
    rounds = check_integer("rounds", task.options["rounds"], low=1)
    divide = check_flag("divide", task.options["divide"])
    network, flow = _flow(task)
    magnitudes, keep = [np.abs(values) for values in network.weights()], task.candidates
    for number in range(1, rounds + 1):
        budget = task.budget.at(number / rounds)
        if budget.counts is not None or not divide:
            keep = task.select(_scores(network, flow, magnitudes, keep), keep, number / rounds)
            continue
        while sum(map(np.count_nonzero, keep)) > budget.edges:
            keep = _remove(_scores(network, flow, magnitudes, keep), keep, budget.edges, task.generator)
    return keep


def _flow(task: PruningTask) -> tuple[Any, Any]:
    """A copy of the network with magnitudes as weights, and a function that gives R."""
    from trainers.pruning.flow import LinearFlow, check_linear, torch

    network = task.network.differentiable("float64")
    network.set_mode("running")
    network.use_magnitudes()
    if not check_flag("biases", task.options["biases"]):
        with torch.no_grad():
            for name, parameter in network.module.named_parameters():
                if name.rpartition(".")[2].startswith("bias"):
                    parameter.zero_()
    ones = torch.ones((1, *network.input_shape), dtype=torch.float64, device=next(network.module.parameters()).device)
    with LinearFlow():
        if not task.options["biases"]:
            check_linear(network, ones)

    def flow() -> Any:
        with LinearFlow():
            return network.outputs(ones).sum()

    return network, flow


def _scores(network: Any, flow: Any, magnitudes: Sequence[Scores], keep: Sequence[Keep]) -> list[Scores]:
    network.keep(keep)
    value = flow()
    if not np.isfinite(float(value.detach())):
        raise TrainingError("the flow through the network is not finite even in float64: scale its weights down")
    gradient = network.at_edges(network.gradients(value))
    return [theta * g for theta, g in zip(magnitudes, gradient, strict=True)]


def _remove(scores: Sequence[Scores], keep: Sequence[Keep], edges: int, generator: np.random.Generator) -> list[Keep]:
    """Remove edges of least score until ``edges`` are left, or a layer's worth of score is gone."""
    sizes = [len(part) for part in keep]
    values, there = np.concatenate(scores), np.flatnonzero(np.concatenate(keep))
    layer_of = np.repeat(np.arange(len(sizes)), sizes)[there]
    left = np.bincount(layer_of, minlength=len(sizes))
    worth = np.bincount(layer_of, values[there], minlength=len(sizes))
    order = np.lexsort((generator.random(len(there)), values[there]))  # ties in an order that is drawn
    last = np.zeros(len(there), dtype=bool)  # the best edge of each layer, which stays
    last[order[_last_places(layer_of[order], len(sizes))]] = True
    order = order[~last[order]][: int(left.sum()) - edges]
    gone = np.cumsum(values[there][order])
    cut = worth[worth > 0].min(initial=np.inf)
    count = max(int(np.searchsorted(gone, cut * (1 - 1e-9), side="left")), 1)
    result = np.concatenate(keep)
    result[there[order[:count]]] = False
    return np.split(result, np.cumsum(sizes)[:-1])


def _last_places(layers: Any, number: int) -> Any:
    """The last place of each number of a layer that occurs."""
    places = np.full(number, -1)
    places[layers] = np.arange(len(layers))  # a later place overwrites an earlier one
    return places[places >= 0]


SYNFLOW = Pruner(
    name="synflow",
    summary="The edges through which most of the flow of magnitudes goes, removed a little at a time.",
    formula="|θ| · ∂R/∂|θ|",
    choose=choose,
    reference="Tanaka, Kunin, Yamins & Ganguli (2020), Pruning neural networks without any data by iteratively "
    "conserving synaptic flow",
    differences=(
        "The paper's flow has no biases, its code takes their magnitudes along: biases. Activations, dropout and "
        "normalisation are the identity here, as in the paper's theory; the code leaves them, which is the same for "
        "rectifiers and untrained normalisation. A round that would remove a whole layer's score is divided, so that "
        "the theorem holds for any number of rounds: divide. One round alone, undivided, collapses layers."
    ),
    options={"rounds": 100, "divide": True, "biases": False},
)
