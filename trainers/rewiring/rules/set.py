"""Sparse evolutionary training."""

from __future__ import annotations

import numpy as np

from trainers.rewiring.growing import draw_empty
from trainers.rewiring.layer import Change, Integers, LayerState
from trainers.rewiring.rule import RewiringRule
from trainers.selecting import smallest


def change(state: LayerState) -> Change:
    """The smallest positive and the largest negative weights go, in equal shares; as many come, at random."""
    dropped = nearest_zero(state)
    grown = np.sort(draw_empty(state, dropped, state.options["again"]))
    return Change(dropped, grown, state.draw(grown))


def nearest_zero(state: LayerState) -> Integers:
    """Positions of the smallest positive and of the largest negative weights, each kind by its share."""
    negative = np.flatnonzero(state.weights < 0)
    positive = np.flatnonzero(state.weights >= 0)
    below = min(round(state.count * len(negative) / len(state.weights)), len(negative))
    return np.sort(
        np.concatenate(
            [
                negative[smallest(-state.weights[negative], below, state.generator)],
                positive[smallest(state.weights[positive], state.count - below, state.generator)],
            ]
        )
    )


SET = RewiringRule(
    name="set",
    summary="The smallest positive and the largest negative weights go; as many come, uniform among what is empty.",
    change=change,
    reference="Mocanu et al. (2018), Scalable training of artificial neural networks with adaptive sparse connectivity "
    "inspired by network science",
    differences="What was just dropped may be drawn at once (again=true), with a fresh weight, as in the code.",
    reads_dense=False,
    options={"again": True},
)
