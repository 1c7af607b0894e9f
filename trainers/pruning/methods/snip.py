"""SNIP: the edges whose removal would change the loss most, to first order."""

from __future__ import annotations

import numpy as np

from topograph.checks import check_flag, check_integer
from trainers.pruning.differentiable_options import normalisation_of
from trainers.pruning.edges import Keep
from trainers.pruning.pruner import Pruner
from trainers.pruning.task import PruningTask


def choose(task: PruningTask) -> list[Keep]:
    """Scores are |θ · g| at the weights that are left, in one round or several with ever fewer edges."""
    rounds = check_integer("rounds", task.options["rounds"], low=1)
    revive = check_flag("revive", task.options["revive"])
    per_class = check_integer("per_class", task.options["per_class"], low=1)
    network = task.network.differentiable()
    network.set_mode(normalisation_of(task.options))
    x, y = network.batch(*task.samples(per_class))
    weights, keep = network.weights(), task.candidates
    for number in range(1, rounds + 1):
        network.keep(keep)
        gradient = network.at_edges(network.gradients(network.loss_of(x, y)))
        scores = [np.abs(theta * g) for theta, g in zip(weights, gradient, strict=True)]
        keep = task.select(scores, task.candidates if revive else keep, number / rounds)
    return keep


SNIP = Pruner(
    name="snip",
    summary="The edges whose removal would change the loss most, to first order, at the weights before training.",
    formula="|θ · g|",
    choose=choose,
    reference=(
        "Lee, Ajanthan & Torr (2019), SNIP: single-shot network pruning based on connection sensitivity; "
        "de Jorge et al. (2021), Progressive skeletonization"
    ),
    differences=(
        "One round (2019) or several with an exponential schedule (2021): rounds. In several rounds a removed edge "
        "may come back (FORCE) or not (iterative SNIP): revive. The paper takes one batch drawn at random; here every "
        "class gives as many samples: per_class. Some codes score in evaluation mode: normalisation."
    ),
    options={"rounds": 1, "revive": False, "per_class": 10, "normalisation": "batch"},
    needs_data=True,
)
