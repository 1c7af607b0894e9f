"""Places for new edges: uniform among what is empty, or where a score is largest."""

from __future__ import annotations

import numpy as np

from trainers.rewiring.layer import Floats, Integers, LayerState
from trainers.selecting import smallest


def draw_empty(state: LayerState, dropped: Integers, again: bool = True) -> Integers:
    """As many pairs as were dropped, uniform among those without an edge; those just dropped too where ``again``.

    In sparse layers in time proportional to the edges: a pair that is drawn and taken already is drawn anew.
    """
    taken = state.places(np.delete(state.pairs, dropped) if again else state.pairs)
    room, count = state.room, len(dropped)
    if 2 * (len(taken) + count) > room:  # hardly anything is empty: list it
        empty = np.delete(np.arange(room), taken)
        return state.pairs_at(state.generator.choice(empty, count, replace=False, shuffle=False))
    found = np.empty(0, dtype=np.int64)
    while len(found) < count:
        drawn = state.generator.integers(room, size=2 * (count - len(found)) + 8)
        _, first = np.unique(drawn, return_index=True)
        drawn = drawn[np.sort(first)]
        place = np.minimum(np.searchsorted(taken, drawn), len(taken) - 1)
        drawn = drawn[taken[place] != drawn] if len(taken) else drawn
        found = np.concatenate([found, drawn[~np.isin(drawn, found)]])
    return state.pairs_at(found[:count])


def best_empty(state: LayerState, scores: Floats, dropped: Integers, again: bool = True) -> Integers:
    """As many pairs as were dropped, of largest score among those without an edge; equal scores are drawn.

    Parameters
    ----------
    scores
        One number per pair of neurons, inputs × outputs; it is changed.
    """
    flat = scores.ravel()
    if state.barred is not None:
        flat[state.barred.ravel()] = -np.inf
    flat[state.pairs if not again else np.delete(state.pairs, dropped)] = -np.inf
    return smallest(-flat, len(dropped), state.generator)
