"""RigL: small weights go, large gradients come."""

from __future__ import annotations

import numpy as np

from trainers.rewiring.growing import best_empty
from trainers.rewiring.layer import Change, LayerState, settled
from trainers.rewiring.rule import RewiringRule
from trainers.selecting import smallest


def change(state: LayerState) -> Change:
    """The smallest magnitudes go; the largest dense gradients among what is empty come, with weight 0."""
    dropped = smallest(np.abs(state.weights), state.count, state.generator)
    grown = best_empty(state, np.abs(state.dense_gradient), dropped, state.options["again"])
    return settled(state, dropped, grown)


RIGL = RewiringRule(
    name="rigl",
    summary="The smallest magnitudes go; the pairs with the largest dense gradient among what is empty come.",
    change=change,
    reference="Evci, Gale, Menick, Castro & Elsen (2020), Rigging the lottery: making all tickets winners",
    differences=(
        "What was just dropped may come back at once (again=true), and then keeps its weight and velocity, as in the "
        "authors' code; others forbid it. A change takes the place of a training step, as published."
    ),
    every=100,
    until=0.75,
    decays=True,
    spends_batch=True,
    options={"again": True},
)
