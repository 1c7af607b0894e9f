"""The compiled code: an epoch of training, evaluation, and the arrangement of connections, in time ∝ edges.

Arrays of a neuron's values are ``(neurons, LANES)``: all neurons of the network in a row, inputs first, a tile of up
to 32 samples contiguous. A batch larger than a tile is walked tile by tile, its gradients summed. What walks over
connections is written with `Lanes`; what walks over neurons is a plain loop that LLVM vectorises by itself. Index
arrays are unsigned: with signed ones numba checks every index for wrap-around.

All of it is one file because numba's cache on disk notices a change only in the file of the function it compiled.
Importing this module imports numba, so it is imported on first use only.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba.extending import overload

from trainers.numpy_sparse.lanes import LANES, dot, load, power_of_two, prefetch, scaled, spread, store, total
from trainers.numpy_sparse.plan import (
    BLOCKS,
    BY_INPUT,
    BY_OUTPUT,
    FIRST_INPUT,
    FIRST_OUTPUT,
    FIRST_SEGMENT,
    INPUTS,
    KIND,
    OUTPUTS,
    WHOLE,
    Float,
    Plan,
    Rule,
    Samples,
    Setting,
    State,
    Work,
)  # fmt: skip

# sums may be reordered and fused; NaN and infinity keep their meaning, so that divergence is seen
_jit: Any = numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, nogil=True, error_model="numpy")

SIGMOID, TANH, RELU, LEAKY_RELU, LINEAR, SOFTMAX = range(6)
MSE, CROSS_ENTROPY = range(2)
LEAK = 0.01
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)
_CHUNK = 64  # owners whose connections are updated while their gradients are still in cache
_COLUMNS = 64  # features copied at a time, so that the copies' rows stay in cache

# ---------------------------------------------------------------------- the connections


@_jit
def arrange(
    indptr: Any, indices: Any, by_input: bool, block: int, owners: int, starts: Any, other: Any, place: Any
) -> None:
    """Sort a layer's edges into segments: one for each block of the other side and each owner, in that order.

    ``place[e]`` becomes the position of edge number ``e`` of ``graph.edges()``; ``other`` the end that is not the
    owner; ``starts``, which must hold zeros, where each segment begins. A counting sort: linear in the edges.
    """
    for fill in range(2):
        for i in range(indptr.shape[0] - 1):
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                own, far = (i, j) if by_input else (j, i)
                segment = (far // block) * owners + own
                if fill:
                    position = starts[segment]
                    place[e], other[position] = position, far
                    starts[segment] = position + 1
                else:
                    starts[segment + 1] += 1
        if fill:  # every start has moved to its segment's end: move all on by one
            for segment in range(starts.shape[0] - 1, 0, -1):
                starts[segment] = starts[segment - 1]
            starts[0] = 0
        else:
            for segment in range(starts.shape[0] - 1):
                starts[segment + 1] += starts[segment]


@_jit
def _forward_whole(table: Any, start: Any, state: State, values: Float, active: Any, n_active: int) -> None:
    """The same where every input has every output: four outputs share what is read of an input.

    The inputs are the ``n_active`` ones of ``active``, or all of them where that is negative.
    """
    weights, outputs = state.weights, np.uint64(table[OUTPUTS])
    first_in, first_out, grouped = table[FIRST_INPUT], table[FIRST_OUTPUT], table[OUTPUTS] - table[OUTPUTS] % 4
    for j in range(0, grouped, 4):
        a, b = spread(values, state.bias[first_out + j]), spread(values, state.bias[first_out + j + 1])
        c, d = spread(values, state.bias[first_out + j + 2]), spread(values, state.bias[first_out + j + 3])
        for number in range(n_active if n_active >= 0 else table[INPUTS]):
            i = active[number] if n_active >= 0 else number
            x, e = load(values, first_in + i), np.uint64(start) + np.uint64(i) * outputs + np.uint64(j)
            a, b = scaled(weights[e], x, a), scaled(weights[e + _ONE], x, b)
            c, d = scaled(weights[e + _TWO], x, c), scaled(weights[e + _THREE], x, d)
        store(values, first_out + j, a)
        store(values, first_out + j + 1, b)
        store(values, first_out + j + 2, c)
        store(values, first_out + j + 3, d)
    for j in range(grouped, table[OUTPUTS]):
        a = spread(values, state.bias[first_out + j])
        for number in range(n_active if n_active >= 0 else table[INPUTS]):
            i = active[number] if n_active >= 0 else number
            e = np.uint64(start) + np.uint64(i) * outputs + np.uint64(j)
            a = scaled(weights[e], load(values, first_in + i), a)
        store(values, first_out + j, a)


@_jit
def _forward(plan: Plan, layer: int, state: State, values: Float, active: Any, n_active: int) -> None:
    """z_j = b_j + Σ over the inputs i of output j of w_ij x_i, into the rows of the outputs."""
    starts, other, weights, table = plan.starts, plan.other, state.weights, plan.layers[layer]
    first_in, first_out = table[FIRST_INPUT], table[FIRST_OUTPUT]
    if table[KIND] == WHOLE:
        _forward_whole(table, starts[table[FIRST_SEGMENT]], state, values, active, n_active if layer == 0 else -1)
        return
    if table[KIND] == BY_INPUT:
        for j in range(first_out, first_out + table[OUTPUTS]):
            store(values, j, spread(values, state.bias[j]))
        for block in range(table[BLOCKS]):
            base = table[FIRST_SEGMENT] + block * table[INPUTS]
            for number in range(n_active if layer == 0 else table[INPUTS]):
                i = active[number] if layer == 0 else number
                x = load(values, first_in + i)
                for e in range(starts[base + i], starts[base + i + 1]):
                    store(values, other[e], scaled(weights[e], x, load(values, other[e])))
        return
    for block in range(table[BLOCKS]):
        base = table[FIRST_SEGMENT] + block * table[OUTPUTS]
        for own in range(table[OUTPUTS]):
            j = first_out + own
            row = spread(values, state.bias[j]) if block == 0 else load(values, j)
            for e in range(starts[base + own], starts[base + own + 1]):
                row = scaled(weights[e], load(values, other[e]), row)
            store(values, j, row)


@_jit
def _backward(
    plan: Plan, layer: int, state: State, work: Work, n_active: int, rule: Rule, step: int, update: bool
) -> None:
    """Gradient on the edges and biases; for all but the first layer on the inputs' values too; then the update.

    The edge (i, j) gets g += Σ over samples of x_i δ_j, and never anything else of the n × m products.
    """
    starts, other, weights, table = plan.starts, plan.other, state.weights, plan.layers[layer]
    values, deltas, gradient = work.values, work.deltas, state.gradient
    first_in, first_out, by_input = table[FIRST_INPUT], table[FIRST_OUTPUT], table[KIND] != BY_OUTPUT
    owners = table[INPUTS] if by_input else table[OUTPUTS]
    if layer > 0:
        deltas[first_in : first_in + table[INPUTS]] = 0
    for block in range(table[BLOCKS]):
        base, number = table[FIRST_SEGMENT] + block * owners, 0
        for begin in range(0, owners, _CHUNK):
            end = min(begin + _CHUNK, owners)
            if by_input and layer > 0:
                for own in range(begin, end):
                    row, back = load(values, first_in + own), load(deltas, first_in + own)
                    for e in range(starts[base + own], starts[base + own + 1]):
                        far = load(deltas, other[e])
                        gradient[e] += dot(row, far)
                        back = scaled(weights[e], far, back)
                    store(deltas, first_in + own, back)
            elif by_input:
                while number < n_active and work.active[number] < end:
                    i = work.active[number]
                    row = load(values, i)
                    for e in range(starts[base + i], starts[base + i + 1]):
                        gradient[e] += dot(row, load(deltas, other[e]))
                    number += 1
            else:
                for own in range(begin, end):
                    row = load(deltas, first_out + own)
                    if layer > 0:
                        for e in range(starts[base + own], starts[base + own + 1]):
                            gradient[e] += dot(row, load(values, other[e]))
                            store(deltas, other[e], scaled(weights[e], row, load(deltas, other[e])))
                    else:
                        for e in range(starts[base + own], starts[base + own + 1]):
                            gradient[e] += dot(row, load(values, other[e]))
            if update:
                _update(
                    weights, gradient, state.velocity, state.second,
                    starts[base + begin], starts[base + end], rule, rule.weight_decay, step,
                )  # fmt: skip
    if rule.bias:
        for j in range(first_out, first_out + table[OUTPUTS]):
            state.bias_gradient[j] += total(load(deltas, j))
        if update:
            _update(
                state.bias, state.bias_gradient, state.bias_velocity, state.bias_second,
                first_out, first_out + table[OUTPUTS], rule, rule.weight_decay * 0, step,
            )  # fmt: skip


@_jit
def _update(
    weights: Any, gradient: Any, velocity: Any, second: Any, begin: Any, end: Any, rule: Rule, decay: Any, step: int
) -> None:
    """Step against the gradient and set it back to 0; momentum and Adam live on the same edges, and only there."""
    zero, one = gradient.dtype.type(0), gradient.dtype.type(1)
    rate, mu = rule.rate, rule.momentum
    if rule.adam:
        kind = gradient.dtype.type
        beta, rest = kind(rule.second), kind(1 - rule.second)  # 1 − 0.999 is taken before it is rounded
        rate = kind(rate / (1 - float(mu) ** step))
        scale = kind(1 / math.sqrt(1 - rule.second**step))
        for e in range(begin, end):
            g = gradient[e] + decay * weights[e]
            m = mu * velocity[e] + (one - mu) * g
            v = beta * second[e] + rest * g * g
            velocity[e], second[e], gradient[e] = m, v, zero
            weights[e] -= rate * m / (np.sqrt(v) * scale + rule.epsilon)
        return
    ahead, direct = (mu, rate) if rule.nesterov else (one, zero)
    for e in range(begin, end):
        g = gradient[e] + decay * weights[e]
        v = mu * velocity[e] - rate * g
        velocity[e], gradient[e] = v, zero
        weights[e] += ahead * v - direct * g


# ---------------------------------------------------------------------- the neurons


def _exp(x: Any) -> Any:
    """The exponential of one number, written so that a loop over it becomes vector instructions."""
    raise NotImplementedError("compiled code only")


def _make_exp(number: Any, integer: Any, low: float, high: float, degree: int) -> Any:
    # x = n ln 2 + r with |r| ≤ ln 2 / 2; ln 2 in two parts keeps r exact; e^r by its Taylor series
    coarse = number(0.693145751953125)
    fine, per_octave = number(math.log(2) - 0.693145751953125), number(1 / math.log(2))
    low, high, half, zero = number(low), number(high), number(0.5), number(0)
    terms = tuple(number(1 / math.factorial(power)) for power in range(degree, -1, -1))

    def exp(x: Any) -> Any:
        x = low if x < low else (high if x > high else x)  # in this order NaN stays NaN
        octaves = x * per_octave
        n = integer(octaves + (half if octaves >= zero else -half))
        r = (x - number(n) * coarse) - number(n) * fine
        series = zero
        for term in terms:
            series = series * r + term
        return series * power_of_two(n)

    return exp


_exp32 = _make_exp(np.float32, np.int32, -87.0, 88.0, 7)
_exp64 = _make_exp(np.float64, np.int64, -708.0, 709.0, 13)


@overload(_exp)
def _choose_exp(x: Any) -> Any:
    return _exp32 if x == numba.types.float32 else _exp64


@_jit
def _activate(values: Float, begin: int, end: int, activation: int) -> None:
    """Pre-activations to values, in place; softmax over the neurons of each sample."""
    y = values[begin:end].reshape(-1)
    one, two, zero, leak = y.dtype.type(1), y.dtype.type(2), y.dtype.type(0), y.dtype.type(LEAK)
    if activation == SIGMOID:
        for k in range(y.size):
            y[k] = one / (one + _exp(-y[k]))
    elif activation == TANH:
        for k in range(y.size):
            y[k] = two / (one + _exp(-two * y[k])) - one
    elif activation == RELU:
        for k in range(y.size):
            y[k] = zero if y[k] < zero else y[k]
    elif activation == LEAKY_RELU:
        for k in range(y.size):
            y[k] = leak * y[k] if y[k] < zero else y[k]
    elif activation == SOFTMAX:
        for s in range(LANES):
            largest, whole = values[begin, s], zero
            for j in range(begin, end):
                largest = max(largest, values[j, s])
            for j in range(begin, end):
                values[j, s] = _exp(values[j, s] - largest)
                whole += values[j, s]
            for j in range(begin, end):
                values[j, s] /= whole


@_jit
def _differentiate(values: Float, deltas: Float, begin: int, end: int, activation: int) -> None:
    """Gradients at the values to gradients at the pre-activations, in place."""
    y, d = values[begin:end].reshape(-1), deltas[begin:end].reshape(-1)
    one, zero, leak = y.dtype.type(1), y.dtype.type(0), y.dtype.type(LEAK)
    if activation == SIGMOID:
        for k in range(y.size):
            d[k] *= y[k] * (one - y[k])
    elif activation == TANH:
        for k in range(y.size):
            d[k] *= one - y[k] * y[k]
    elif activation == RELU:
        for k in range(y.size):
            d[k] = d[k] if y[k] > zero else zero
    elif activation == LEAKY_RELU:
        for k in range(y.size):
            d[k] = d[k] if y[k] > zero else leak * d[k]
    elif activation == SOFTMAX:
        for s in range(LANES):
            mean = zero
            for j in range(begin, end):
                mean += deltas[j, s] * values[j, s]
            for j in range(begin, end):
                deltas[j, s] = values[j, s] * (deltas[j, s] - mean)


@_jit
def _largest(values: Float, begin: int, end: int, s: int) -> int:
    """The first of the outputs that are largest for sample ``s``."""
    best = begin
    for j in range(begin + 1, end):
        if values[j, s] > values[best, s]:
            best = j
    return best - begin


@_jit
def _loss(
    values: Float, deltas: Float, begin: int, end: int, labels: Any, chosen: Any, batch: int, setting: Setting
) -> tuple[float, int]:
    """Sum of the losses of a tile's samples, how many are right, and the gradient at the outputs' pre-activations."""
    zero, one, correct = values.dtype.type(0), values.dtype.type(1), 0
    deltas[begin:end] = zero  # lanes beyond the batch stay 0: they must not count
    summed = 0.0
    scale = values.dtype.type(1 / batch)
    if setting.loss == MSE:
        scale = values.dtype.type(2 / (batch * (end - begin)))
    for s in range(chosen.shape[0]):
        label = labels[chosen[s]] + begin
        correct += _largest(values, begin, end, s) + begin == label
        for j in range(begin, end):
            y = values[j, s]
            difference = y - (one if j == label else zero)
            deltas[j, s] = difference * scale
            if setting.loss == MSE:
                summed += float(difference) * float(difference) / (end - begin)
            elif j == label:
                summed -= math.log(setting.tiny if y < setting.tiny else y)
            elif setting.output_activation == SIGMOID:
                summed -= math.log1p(-float(setting.below_one if y > setting.below_one else y))
    if setting.loss == MSE:  # with cross-entropy the activation's derivative cancels against the loss's
        _differentiate(values, deltas, begin, end, setting.output_activation)
    return summed, correct


@_jit
def _drop(values: Float, kept: Any, begin: int, end: int, lane: int, count: int, factor: Any) -> None:
    for i in range(begin, end):
        for s in range(count):
            values[i, s] = values[i, s] * factor if kept[i, lane + s] else values[i, s] * 0


# ---------------------------------------------------------------------- samples, tiles, epochs


@_jit
def _fill(work: Work, samples: Samples, chosen: Any, n_active: int) -> int:
    """Put a tile of samples into the rows of the inputs; list the inputs that are not 0 for all of them.

    ``n_active`` is what the last call returned: only those rows have to be cleared. Returns their number now.
    """
    values, active, marked = work.values, work.active, work.marked
    zero = values.dtype.type(0)
    inputs: int = marked.shape[0]
    if samples.sparse:
        for number in range(n_active):
            store(values, active[number], spread(values, zero))
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
    for begin in range(0, inputs, _COLUMNS):
        end = min(begin + _COLUMNS, inputs)
        for s in range(chosen.shape[0]):
            for i in range(begin, end):
                values[i, s] = samples.rows[chosen[s], i]
        for i in range(begin, end):
            active[i] = i
            for s in range(chosen.shape[0], LANES):
                values[i, s] = zero
    return inputs


@_jit
def _fetch(samples: Samples, chosen: Any) -> None:
    """Ask for the entries of samples that are needed soon: they lie anywhere in memory."""
    if samples.sparse:
        for s in range(chosen.shape[0]):
            begin, end = samples.starts[chosen[s]], samples.starts[chosen[s] + 1]
            for k in range(begin, end, 16):
                prefetch(samples.entries, k)
            for k in range(begin, end, 32):
                prefetch(samples.features, k)


@_jit
def draw(plan: Plan, work: Work, setting: Setting, generator: Any, count: int) -> None:
    """Which neurons stay, layer by layer, neuron by neuron, sample by sample: as `dropout_mask` draws them."""
    for layer in range(plan.layers.shape[0]):
        rate = setting.dropout_hidden if layer else setting.dropout_input
        if rate > 0:
            first = plan.layers[layer, FIRST_INPUT]
            for i in range(first, first + plan.layers[layer, INPUTS]):
                for s in range(count):
                    work.kept[i, s] = generator.random(dtype=np.float32) >= np.float32(rate)


@_jit
def _propagate(plan: Plan, state: State, work: Work, setting: Setting, n_active: int, lane: int, count: int) -> None:
    """Values of all neurons from those of the inputs; dropout where ``count`` samples are given to drop from."""
    for layer in range(plan.layers.shape[0]):
        table = plan.layers[layer]
        rate = setting.dropout_hidden if layer else setting.dropout_input
        if count and rate > 0:
            first = table[FIRST_INPUT]
            factor = work.values.dtype.type(1) / work.values.dtype.type(1 - rate)
            _drop(work.values, work.kept, first, first + table[INPUTS], lane, count, factor)
        _forward(plan, layer, state, work.values, work.active, n_active)
        last = layer == plan.layers.shape[0] - 1
        activation = setting.output_activation if last else setting.activation
        _activate(work.values, table[FIRST_OUTPUT], table[FIRST_OUTPUT] + table[OUTPUTS], activation)


@_jit
def _learn(
    plan: Plan, state: State, work: Work, setting: Setting, rule: Rule, labels: Any, chosen: Any,
    batch: int, lane: int, n_active: int, step: int, update: bool,
) -> tuple[float, int]:  # fmt: skip
    """Forward and backward over a tile that `_fill` put in place, and the update where it is a batch's last."""
    count = chosen.shape[0]
    _propagate(plan, state, work, setting, n_active, lane, count)
    values, deltas, table = work.values, work.deltas, plan.layers[plan.layers.shape[0] - 1]
    loss, correct = _loss(
        values, deltas, table[FIRST_OUTPUT], table[FIRST_OUTPUT] + table[OUTPUTS], labels, chosen, batch, setting
    )
    for layer in range(plan.layers.shape[0] - 1, -1, -1):
        _backward(plan, layer, state, work, n_active, rule, step, update)
        if layer:
            first = plan.layers[layer, FIRST_INPUT]
            end = first + plan.layers[layer, INPUTS]
            rate = setting.dropout_hidden
            if rate > 0:  # a silent neuron has no gradient; the others' values come back unscaled
                keep = values.dtype.type(1 - rate)
                _drop(deltas, work.kept, first, end, lane, count, values.dtype.type(1) / keep)
                _drop(values, work.kept, first, end, lane, count, keep)
            _differentiate(values, deltas, first, end, setting.activation)
    return loss, correct


@_jit
def train_epoch(
    plan: Plan, state: State, work: Work, setting: Setting, rule: Rule, samples: Samples, labels: Any, order: Any,
    batch: int, step: int, generator: Any,
) -> tuple[float, int, int]:  # fmt: skip
    """One pass over the samples of ``order``; returns the sum of their losses, how many were right, and the steps.

    A loss that is NaN or infinite ends the pass at once, before the update of the layers below.
    """
    summed, correct, n_active = 0.0, 0, 0
    for begin in range(0, order.shape[0], batch):
        end = min(begin + batch, order.shape[0])
        step += 1
        draw(plan, work, setting, generator, end - begin)
        for tile in range(begin, end, LANES):
            chosen = order[tile : min(tile + LANES, end)]
            n_active = _fill(work, samples, chosen, n_active)
            _fetch(samples, order[min(tile + LANES, end) : min(tile + LANES, end) + LANES])
            loss, right = _learn(
                plan, state, work, setting, rule, labels, chosen,
                end - begin, tile - begin, n_active, step, tile + LANES >= end,
            )  # fmt: skip
            summed += loss
            correct += right
        if not np.isfinite(summed):
            break
    _clear(work, n_active)
    return summed, correct, step


@_jit
def accumulate(
    plan: Plan, state: State, work: Work, setting: Setting, rule: Rule, samples: Samples, labels: Any, chosen: Any,
    first: int, stride: int,
) -> tuple[float, int]:  # fmt: skip
    """Gradients of a batch's tiles number ``first``, ``first + stride``, …: one worker's share."""
    summed, correct, n_active, batch = 0.0, 0, 0, chosen.shape[0]
    for begin in range(first * LANES, batch, stride * LANES):
        tile = chosen[begin : min(begin + LANES, batch)]
        n_active = _fill(work, samples, tile, n_active)
        loss, right = _learn(plan, state, work, setting, rule, labels, tile, batch, begin, n_active, 0, False)
        summed += loss
        correct += right
    _clear(work, n_active)
    return summed, correct


@_jit
def absorb(state: State, others: Any, begin: int, end: int, rule: Rule, step: int) -> None:
    """Add the other workers' gradients, one row each, on some of the edges, and step."""
    for worker in range(others.shape[0]):
        for e in range(begin, end):
            state.gradient[e] += others[worker, e]
        others[worker, begin:end] = 0
    _update(state.weights, state.gradient, state.velocity, state.second, begin, end, rule, rule.weight_decay, step)


@_jit
def absorb_biases(state: State, others: Any, rule: Rule, step: int) -> None:
    """The same for all biases, which are few."""
    for worker in range(others.shape[0]):
        for j in range(others.shape[1]):
            state.bias_gradient[j] += others[worker, j]
        others[worker] = 0
    _update(
        state.bias, state.bias_gradient, state.bias_velocity, state.bias_second,
        0, state.bias.shape[0], rule, rule.weight_decay * 0, step,
    )  # fmt: skip


@_jit
def predict(plan: Plan, state: State, work: Work, setting: Setting, samples: Samples, order: Any, outputs: Any) -> None:
    """Outputs of the samples of ``order``, one row each."""
    table, n_active = plan.layers[plan.layers.shape[0] - 1], 0
    for begin in range(0, order.shape[0], LANES):
        chosen = order[begin : begin + LANES]
        n_active = _fill(work, samples, chosen, n_active)
        _propagate(plan, state, work, setting, n_active, 0, 0)
        for s in range(chosen.shape[0]):
            for j in range(table[OUTPUTS]):
                outputs[begin + s, j] = work.values[table[FIRST_OUTPUT] + j, s]
    _clear(work, n_active)


@_jit
def evaluate(
    plan: Plan, state: State, work: Work, setting: Setting, samples: Samples, labels: Any, order: Any
) -> tuple[float, int]:
    """Sum of the losses of the samples of ``order``, and how many are right."""
    table = plan.layers[plan.layers.shape[0] - 1]
    first, end = table[FIRST_OUTPUT], table[FIRST_OUTPUT] + table[OUTPUTS]
    summed, correct, n_active = 0.0, 0, 0
    for begin in range(0, order.shape[0], LANES):
        chosen = order[begin : begin + LANES]
        n_active = _fill(work, samples, chosen, n_active)
        _propagate(plan, state, work, setting, n_active, 0, 0)
        loss, right = _loss(work.values, work.deltas, first, end, labels, chosen, 1, setting)
        summed += loss
        correct += right
    _clear(work, n_active)
    return summed, correct


@_jit
def _clear(work: Work, n_active: int) -> None:
    """Leave the rows of the inputs as they were found: 0."""
    for number in range(n_active):
        store(work.values, work.active[number], spread(work.values, work.values.dtype.type(0)))
    work.marked[:] = 0


@_jit
def count_nonzero(rows: Any) -> Any:
    """Number of entries of each row that are not 0."""
    counts = np.zeros(rows.shape[0], np.int64)
    for row in range(rows.shape[0]):
        found = 0
        for i in range(rows.shape[1]):
            found += rows[row, i] != 0
        counts[row] = found
    return counts


@_jit
def compress(rows: Any, starts: Any, features: Any, entries: Any) -> None:
    """Write the features and entries that are not 0, row after row."""
    for row in range(rows.shape[0]):
        k = starts[row]
        for i in range(rows.shape[1]):
            if rows[row, i] != 0:
                features[k], entries[k] = i, rows[row, i]
                k += 1
