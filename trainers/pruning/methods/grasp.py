"""GraSP: the edges without which the gradient would flow less."""

from __future__ import annotations

import numpy as np

from topograph.checks import check_choice, check_integer, check_real
from trainers.pruning.differentiable_options import normalisation_of
from trainers.pruning.edges import Keep
from trainers.pruning.pruner import Pruner
from trainers.pruning.task import PruningTask

KEPT = ("largest", "smallest", "absolute")


def choose(task: PruningTask) -> list[Keep]:
    """Scores are θ · (H g).

    Removing an edge changes gᵀg by −2 θ · (H g), to first order: so the edges of smallest score are removed.
    """
    kept = check_choice("keep", task.options["keep"], KEPT)
    temperature = check_real("temperature", task.options["temperature"], low=0, include_low=False)
    per_class = check_integer("per_class", task.options["per_class"], low=1)
    network = task.network.differentiable()
    network.set_mode(normalisation_of(task.options))
    x, y = network.batch(*task.samples(per_class))
    gradient = network.gradients(network.loss_of(x, y, temperature), keep_graph=True)
    # ½ ∂(gᵀg)/∂θ = H g; removed edges are no parameters, so their gradients do not count
    flow = sum((g * g * mask).sum() for g, mask in zip(gradient, network.kept, strict=True)) / 2
    product = network.at_edges(network.gradients(flow))
    scores = [theta * hg for theta, hg in zip(network.weights(), product, strict=True)]
    if kept == "smallest":
        scores = [-values for values in scores]
    elif kept == "absolute":
        scores = [np.abs(values) for values in scores]
    return task.select(scores)


GRASP = Pruner(
    name="grasp",
    summary="The edges without which the gradient's norm would fall most, to first order, at the initial weights.",
    formula="θ · (H g)",
    choose=choose,
    reference="Wang, Zhang & Grosse (2020), Picking winning tickets before training by preserving gradient flow",
    differences=(
        "Codes disagree about the sign: keep='largest' raises gᵀg, as the paper's own code does; 'smallest' is what "
        "codes do that keep the largest −θ · (H g); 'absolute' keeps what changes gᵀg most either way. The paper's "
        "code sums the gradients of two halves of the batch, which is the same product up to a factor. Outputs are "
        "divided by a temperature, 200 in the code: temperature."
    ),
    options={"keep": "largest", "temperature": 200.0, "per_class": 10, "normalisation": "batch"},
    needs_data=True,
)
