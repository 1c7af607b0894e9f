"""SRigL: RigL with the same number of edges into every neuron."""

from __future__ import annotations

import numpy as np

from topograph.checks import check_real
from topograph.errors import TopologyMismatchError
from trainers.rewiring.layer import Change, Integers, LayerState, settled
from trainers.rewiring.rule import RewiringRule
from trainers.selecting import smallest


def change(state: LayerState) -> Change:
    """The smallest magnitudes go; each neuron is filled up to one fan-in by its largest gradients.

    A neuron with fewer than max(1, γ · fan-in) salient edges is ablated: it loses all, and the others share them. An
    edge is salient that stays, or would come, by RigL's rule. Outputs of the network are never ablated.

    Raises
    ------
    TopologyMismatchError
        When the fan-ins differ by more than 1.
    """
    graph = state.graph
    active = np.flatnonzero(graph.right_degrees)
    degrees = graph.right_degrees[active]
    if degrees.max() - degrees.min() > 1:
        raise TopologyMismatchError(
            f"srigl needs the same number of edges into every neuron of a layer, but a layer of {graph.n_left} × "
            f"{graph.n_right} has {degrees.min()} to {degrees.max()}; begin with a construction of equal fan-in, such "
            "as biregular_random"
        )
    share = check_real("gamma", state.options["gamma"], low=0, high=1)
    slope = np.abs(state.dense_gradient)
    if state.barred is not None:
        slope[state.barred] = -np.inf
    dropped = smallest(np.abs(state.weights), state.count, state.generator)
    left = np.delete(state.pairs, dropped)
    keeping = _ablated(state, active, slope, left, share)
    left = left[np.isin(left % graph.n_right, keeping)]
    grown = _fill(state, slope, left, keeping)
    stays = np.isin(state.pairs, left)
    return settled(state, np.flatnonzero(~stays), grown)


def _ablated(state: LayerState, active: Integers, slope: np.ndarray, left: Integers, share: float) -> Integers:
    """The neurons that go on, in ascending order."""
    graph = state.graph
    if state.is_last:
        return active
    empty = slope.ravel().copy()
    empty[left] = -np.inf
    empty.reshape(slope.shape)[:, np.setdiff1d(np.arange(graph.n_right), active)] = -np.inf
    come = smallest(-empty, state.count, state.generator)
    salient = np.bincount(np.concatenate([left, come]) % graph.n_right, minlength=graph.n_right)[active]
    needed = max(1.0, share * graph.n_edges / len(active))
    fewest = -(-graph.n_edges * state.groups // graph.n_left)  # as many neurons as the edges need
    order = np.argsort(-salient, kind="stable")
    number = max(int(np.count_nonzero(salient >= needed)), fewest)
    return np.sort(active[order[:number]])


def _fill(state: LayerState, slope: np.ndarray, left: Integers, keeping: Integers) -> Integers:
    """The pairs of largest gradient that bring every neuron to one fan-in, or to one more where it does not divide."""
    graph = state.graph
    fan_in, more = divmod(graph.n_edges, len(keeping))
    there = np.bincount(left % graph.n_right, minlength=graph.n_right)
    wanted = np.full(len(keeping), fan_in)
    if more:  # those that have most already, then those with the largest gradients
        order = np.lexsort((-slope[:, keeping].max(axis=0), -there[keeping]))
        wanted[order[:more]] += 1
    taken = np.zeros(graph.shape, dtype=bool) if state.barred is None else state.barred.copy()
    taken.ravel()[left] = True
    if not state.options["again"]:
        taken.ravel()[state.pairs] = True
    grown = []
    for neuron, number in zip(keeping, wanted - there[keeping], strict=True):
        if number > 0:
            scores = np.where(taken[:, neuron], -np.inf, slope[:, neuron])
            if np.count_nonzero(~taken[:, neuron]) < number:  # only what was just dropped is left to come back
                scores = slope[:, neuron].copy()
                scores[left[left % graph.n_right == neuron] // graph.n_right] = -np.inf
            grown.append(smallest(-scores, int(number), state.generator) * graph.n_right + neuron)
    return np.concatenate(grown) if grown else np.arange(0)


SRIGL = RewiringRule(
    name="srigl",
    summary="As RigL, with the same fan-in of all neurons of a layer; neurons with too few salient edges are ablated.",
    change=change,
    reference="Lasby, Golubeva, Evci, Nica & Ioannou (2024), Dynamic sparse training with structured sparsity",
    differences=(
        "After an ablation the edges may not divide among the neurons that are left: then some have one more, so that "
        "their number stays. The share of salient edges that a neuron needs: gamma, 0.3 as in the paper; 0 ablates "
        "only neurons without any."
    ),
    every=100,
    until=0.75,
    decays=True,
    spends_batch=True,
    options={"gamma": 0.3, "again": True},
)
