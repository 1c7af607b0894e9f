"""The compiled loop of an epoch: tile after tile of samples through the network, forward and backward.

Arrays of a neuron's values are ``(neurons, LANES)``: all neurons of the network in a row, inputs first, a tile of up
to 32 samples contiguous. A batch larger than a tile is walked tile by tile, its gradients summed.

Importing this module imports numba, so it is imported on first use only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import reordered, reordered_part
from topograph.lanes import TURNED, broadcast, prefetch, store_lanes, turn_block
from topograph.seats import Seat
from topograph.tiles import LANES
from topograph.turns import await_all, await_worker, end_turn
from trainers.numpy_sparse.draws import Draws
from trainers.numpy_sparse.edges import backward, clear, forward
from trainers.numpy_sparse.flat import (
    FIRST_INPUT,
    FIRST_OUTPUT,
    INPUTS,
    OUTPUTS,
    FlatNetwork,
    Rule,
    Setting,
    State,
    Work,
)
from trainers.numpy_sparse.neurons import activate, differentiate, drop, take_loss
from trainers.numpy_sparse.random_bits import next_bits, uniform
from trainers.numpy_sparse.samples import Samples

# a literal number would be compiled for once more, with all that it is given to
_NONE: Any = np.int64(0)
_ALONE: Any = np.int64(1)


@reordered.in_place
def train_epoch(
    flat: FlatNetwork, state: State, work: Work, setting: Setting, rule: Rule, seat: Seat, samples: Samples,
    labels: Any, order: Any, batch: int, step: int, draws: Draws,
) -> tuple[float, int, int]:  # fmt: skip
    """One pass over the samples of ``order``; returns the sum of their losses, how many were right, and the steps.

    Of several workers each takes its tiles of every batch, and returns the sums over them. A loss that is NaN or
    infinite ends the pass with the step that it led to.
    """
    summed, correct, n_active, end, turn, lap = 0.0, 0, _NONE, _NONE, _NONE, _NONE
    first, reach = seat.worker * LANES, seat.workers * LANES
    while end < order.shape[0]:
        begin, end = end, min(end + batch, order.shape[0])
        step += 1
        if seat.worker == 0:
            _draw(flat, work, setting, draws, end - begin)
        turn, tile = await_all(seat, turn), begin + first
        while tile < end + first:
            chosen, after = order[min(tile, end) : min(tile + LANES, end)], tile + reach
            if chosen.shape[0]:
                n_active = _fill(work, samples, chosen, n_active)
                ahead = after if after < end else end + first
                _fetch(samples, order[ahead : ahead + LANES])
            loss, right, turn = _learn(
                flat, state, work, setting, rule, seat, labels, chosen,
                end - begin, tile - begin, n_active, step, after >= end + first, turn, lap,
            )  # fmt: skip
            summed += loss
            lap += 1
            correct += right
            tile = after
        work.losses[seat.worker] = summed
        turn = await_all(seat, turn)
        if not np.isfinite(_total_loss(work)):
            break
    _clear(work, n_active)
    return summed, correct, step


@reordered.in_place
def evaluate(
    flat: FlatNetwork, state: State, work: Work, setting: Setting, samples: Samples, labels: Any, order: Any,
    outputs: Any,
) -> tuple[float, int]:  # fmt: skip
    """Sum of the losses of the samples of ``order``, and how many are right; their outputs, one row each.

    Without labels there is no loss, and without rows for the outputs they are not written: both in one function, since
    to compile it takes seconds.
    """
    table = flat.layers[flat.layers.shape[0] - 1]
    first, end = table[FIRST_OUTPUT], table[FIRST_OUTPUT] + table[OUTPUTS]
    summed, correct, n_active = 0.0, 0, _NONE
    for begin in range(0, order.shape[0], LANES):
        chosen = order[begin : begin + LANES]
        n_active = _fill(work, samples, chosen, n_active)
        _propagate(flat, state, work, setting, n_active, _NONE, _NONE)
        if outputs.shape[0]:
            for s in range(chosen.shape[0]):
                for j in range(table[OUTPUTS]):
                    outputs[begin + s, j] = work.values[first + j, s]
        if labels.shape[0]:
            loss, right = take_loss(work.values, work.deltas, first, end, labels, chosen, _ALONE, setting)
            summed += loss
            correct += right
    _clear(work, n_active)
    return summed, correct


@reordered_part
def _total_loss(work: Work) -> float:
    total = 0.0
    for worker in range(work.losses.shape[0]):
        total += work.losses[worker]
    return total


@reordered_part
def _learn(
    flat: FlatNetwork, state: State, work: Work, setting: Setting, rule: Rule, seat: Seat, labels: Any, chosen: Any,
    batch: int, lane: int, n_active: int, step: int, update: bool, turn: int, lap: int,
) -> tuple[float, int, int]:  # fmt: skip
    """Forward and backward over a tile that `_fill` put in place, and the step where it is a batch's last.

    The workers share the gradient. Of a layer's edges each begins with the part where it ended in the ``lap`` before,
    which is still in its cache, and goes on to the next part when its neighbour has left it. Whoever comes last to a
    part takes the step on it. Returns the turns that were taken, too.
    """
    count, loss, correct = chosen.shape[0], 0.0, 0
    values, deltas, table = work.values, work.deltas, flat.layers[flat.layers.shape[0] - 1]
    if count:
        _propagate(flat, state, work, setting, n_active, lane, count)
        loss, correct = take_loss(
            values, deltas, table[FIRST_OUTPUT], table[FIRST_OUTPUT] + table[OUTPUTS], labels, chosen, batch, setting
        )
    for layer in range(flat.layers.shape[0] - 1, -1, -1):
        first = flat.layers[layer, FIRST_INPUT]
        end = first + flat.layers[layer, INPUTS]
        if layer:
            clear(deltas, first, end)
        for number in range(seat.workers):
            if number:
                await_worker(seat, (seat.worker + 1) % seat.workers, turn)
            part = (seat.worker + number + lap * (seat.workers - 1)) % seat.workers
            last = update and number == seat.workers - 1
            backward(flat, layer, state, work, count > 0, n_active, part, seat.workers, rule, step, last)
            turn = end_turn(seat, turn)
        if layer and count:
            rate = setting.dropout_hidden
            if rate > 0:  # a silent neuron has no gradient; the others' values come back unscaled
                keep = values.dtype.type(1 - rate)
                drop(deltas, work.kept, first, end, lane, count, setting.scale_hidden)
                drop(values, work.kept, first, end, lane, count, keep)
            differentiate(values, deltas, first, end, setting.activation, setting.leak)
    return loss, correct, turn


@reordered_part
def _propagate(
    flat: FlatNetwork, state: State, work: Work, setting: Setting, n_active: int, lane: int, count: int
) -> None:
    """Values of all neurons from those of the inputs; dropout where ``count`` samples are given to drop from."""
    for layer in range(flat.layers.shape[0]):
        table = flat.layers[layer]
        rate = setting.dropout_hidden if layer else setting.dropout_input
        if count and rate > 0:
            first = table[FIRST_INPUT]
            scale = setting.scale_hidden if layer else setting.scale_input
            drop(work.values, work.kept, first, first + table[INPUTS], lane, count, scale)
        forward(flat, layer, state, work.values, work.active, n_active)
        last = layer == flat.layers.shape[0] - 1
        activation = setting.output_activation if last else setting.activation
        activate(work.values, table[FIRST_OUTPUT], table[FIRST_OUTPUT] + table[OUTPUTS], activation, setting.leak)


@reordered_part
def _draw(flat: FlatNetwork, work: Work, setting: Setting, draws: Draws, count: int) -> None:
    """Which neurons stay, layer by layer, neuron by neuron, sample by sample: as `dropout_mask` draws them."""
    for layer in range(flat.layers.shape[0]):
        rate = setting.dropout_hidden if layer else setting.dropout_input
        if rate > 0:
            first = flat.layers[layer, FIRST_INPUT]
            for i in range(first, first + flat.layers[layer, INPUTS]):
                for s in range(count):
                    work.kept[i, s] = uniform(next_bits(draws.function, draws.state)) >= np.float32(rate)


@reordered_part
def _fill(work: Work, samples: Samples, chosen: Any, n_active: int) -> int:
    """Put a tile of samples into the rows of the inputs; list the inputs that are not 0 for all of them.

    ``n_active`` is what the last call returned: only those rows have to be cleared. Returns their number now.
    """
    values, active, marked = work.values, work.active, work.marked
    zero = values.dtype.type(0)
    inputs: int = marked.shape[0]
    if samples.sparse:
        for number in range(n_active):
            store_lanes(values, active[number], broadcast(values, zero))
            marked[active[number]] = 0
        for s in range(chosen.shape[0]):
            for k in range(samples.starts[chosen[s]], samples.starts[chosen[s] + 1]):
                values[samples.features[k], s] = samples.entries[k]
                marked[samples.features[k]] = 1
        n_active = 0
        for i in range(inputs):  # ascending, without a branch to mispredict
            active[n_active] = i
            n_active += marked[i]
        return n_active
    turned, blocks = inputs - inputs % TURNED, chosen.shape[0] - chosen.shape[0] % TURNED
    for i in range(0, turned, TURNED):
        for s in range(0, blocks, TURNED):
            turn_block(values, i, s, samples.rows, chosen, i)
    for s in range(chosen.shape[0]):
        for i in range(turned if s < blocks else 0, inputs):
            values[i, s] = samples.rows[chosen[s], i]
    for i in range(inputs):
        active[i] = i
        for s in range(chosen.shape[0], LANES):
            values[i, s] = zero
    return inputs


@reordered_part
def _fetch(samples: Samples, chosen: Any) -> None:
    """Prefetch the entries of the next samples, which lie anywhere in memory."""
    if samples.sparse:
        for s in range(chosen.shape[0]):
            begin, end = samples.starts[chosen[s]], samples.starts[chosen[s] + 1]
            for k in range(begin, end, 16):
                prefetch(samples.entries, k)
            for k in range(begin, end, 32):
                prefetch(samples.features, k)


@reordered_part
def _clear(work: Work, n_active: int) -> None:
    """Set the rows of the inputs back to 0."""
    for number in range(n_active):
        store_lanes(work.values, work.active[number], broadcast(work.values, work.values.dtype.type(0)))
    for i in range(work.marked.shape[0]):
        work.marked[i] = 0
