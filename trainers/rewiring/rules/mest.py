"""MEST: elastic mutation by weights and gradients."""

from __future__ import annotations

import numpy as np

from topograph.checks import check_real
from trainers.rewiring.growing import draw_empty
from trainers.rewiring.layer import Change, LayerState, settled
from trainers.rewiring.rule import RewiringRule
from trainers.selecting import smallest


def change(state: LayerState) -> Change:
    """The smallest |θ| + γ |g| go; as many come, uniform among what is empty, with weight 0."""
    gamma = check_real("gamma", state.options["gamma"], low=0)
    dropped = smallest(np.abs(state.weights) + gamma * np.abs(state.edge_gradient), state.count, state.generator)
    return settled(state, dropped, draw_empty(state, dropped, state.options["again"]))


MEST = RewiringRule(
    name="mest",
    summary="The smallest |θ| + γ |g| go; as many come, uniform among what is empty, with weight 0.",
    change=change,
    reference="Yuan et al. (2021), MEST: accurate and fast memory-economic sparse training framework on the edge",
    differences=(
        "The paper leaves γ to be tuned: gamma, 1 here by our choice. The share is constant here; the paper lowers it "
        "by hand. Its soft memory bound, which trains more edges for a while, is not offered: the number stays."
    ),
    reads_dense=False,
    options={"gamma": 1.0, "again": True},
)
