"""The compiled loops over edges: forward, backward, and the optimizer's step, in time ∝ edges.

They are written with `Lanes`. Index arrays are unsigned: with signed ones numba checks every index for wrap-around.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from topograph.compiling import reordered_part
from topograph.lanes import GROUP, add_dot, add_dots, broadcast, load_lanes, scaled, store_lanes, total
from trainers.numpy_sparse.flat import (
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
    FlatNetwork,
    Float,
    Rule,
    State,
    Work,
)

_ONE, _TWO, _THREE, _GROUP = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(GROUP)
_CHUNK = 64  # owners whose edges are updated while their gradients are still in cache


@reordered_part
def forward(flat: FlatNetwork, layer: int, state: State, values: Float, active: Any, n_active: int) -> None:
    """z_j = b_j + Σ over the inputs i of output j of w_ij x_i, into the rows of the outputs."""
    starts, other, weights, table = flat.starts, flat.other, state.weights, flat.layers[layer]
    first_in, first_out = table[FIRST_INPUT], table[FIRST_OUTPUT]
    if table[KIND] == WHOLE:
        _forward_whole(table, starts[table[FIRST_SEGMENT]], state, values, active, n_active if layer == 0 else -1)
        return
    if table[KIND] == BY_INPUT:
        for j in range(first_out, first_out + table[OUTPUTS]):
            store_lanes(values, j, broadcast(values, state.bias[j]))
        for block in range(table[BLOCKS]):
            base = table[FIRST_SEGMENT] + block * table[INPUTS]
            for number in range(n_active if layer == 0 else table[INPUTS]):
                i = active[number] if layer == 0 else number
                x = load_lanes(values, first_in + i)
                for e in range(starts[base + i], starts[base + i + 1]):
                    store_lanes(values, other[e], scaled(weights[e], x, load_lanes(values, other[e])))
        return
    for block in range(table[BLOCKS]):
        base = table[FIRST_SEGMENT] + block * table[OUTPUTS]
        for owner in range(table[OUTPUTS]):
            j = first_out + owner
            row = broadcast(values, state.bias[j]) if block == 0 else load_lanes(values, j)
            for e in range(starts[base + owner], starts[base + owner + 1]):
                row = scaled(weights[e], load_lanes(values, other[e]), row)
            store_lanes(values, j, row)


@reordered_part
def _forward_whole(table: Any, start: Any, state: State, values: Float, active: Any, n_active: int) -> None:
    """As `forward`, where every input has every output: four outputs share what is read of an input.

    The inputs are the ``n_active`` ones of ``active``, or all of them where that is negative.
    """
    weights, outputs = state.weights, np.uint64(table[OUTPUTS])
    first_in, first_out, grouped = table[FIRST_INPUT], table[FIRST_OUTPUT], table[OUTPUTS] - table[OUTPUTS] % 4
    for j in range(0, grouped, 4):
        a, b = broadcast(values, state.bias[first_out + j]), broadcast(values, state.bias[first_out + j + 1])
        c, d = broadcast(values, state.bias[first_out + j + 2]), broadcast(values, state.bias[first_out + j + 3])
        for number in range(n_active if n_active >= 0 else table[INPUTS]):
            i = active[number] if n_active >= 0 else number
            x, e = load_lanes(values, first_in + i), np.uint64(start) + np.uint64(i) * outputs + np.uint64(j)
            a, b = scaled(weights[e], x, a), scaled(weights[e + _ONE], x, b)
            c, d = scaled(weights[e + _TWO], x, c), scaled(weights[e + _THREE], x, d)
        store_lanes(values, first_out + j, a)
        store_lanes(values, first_out + j + 1, b)
        store_lanes(values, first_out + j + 2, c)
        store_lanes(values, first_out + j + 3, d)
    for j in range(grouped, table[OUTPUTS]):
        a = broadcast(values, state.bias[first_out + j])
        for number in range(n_active if n_active >= 0 else table[INPUTS]):
            i = active[number] if n_active >= 0 else number
            e = np.uint64(start) + np.uint64(i) * outputs + np.uint64(j)
            a = scaled(weights[e], load_lanes(values, first_in + i), a)
        store_lanes(values, first_out + j, a)


@reordered_part
def backward(
    flat: FlatNetwork, layer: int, state: State, work: Work, filled: bool, n_active: int, part: int, parts: int,
    rule: Rule, step: int, update: bool,
) -> None:  # fmt: skip
    """Gradient on the edges and biases; for all but the first layer on the inputs' values too; then the update.

    The edge (i, j) gets g += Σ over samples of x_i δ_j, and never anything else of the n × m products. This is for part
    number ``part`` of the layer's edges; the inputs' gradients must be 0 before the first. Where the rows are not
    ``filled`` with samples there is nothing but the update.
    """
    starts, other, weights, table = flat.starts, flat.other, state.weights, flat.layers[layer]
    values, deltas, gradient = work.values, work.deltas, state.gradient
    first_in, first_out, by_input = table[FIRST_INPUT], table[FIRST_OUTPUT], table[KIND] != BY_OUTPUT
    owners, first = (table[INPUTS], first_in) if by_input else (table[OUTPUTS], first_out)
    near, far = (values, deltas) if by_input else (deltas, values)
    chunks, last = (owners + _CHUNK - 1) // _CHUNK, 0
    places, skips = table[BLOCKS] * chunks, by_input and layer == 0
    for place in range(places * part // parts, places * (part + 1) // parts):
        base, begin = table[FIRST_SEGMENT] + place // chunks * owners, place % chunks * _CHUNK
        end = min(begin + _CHUNK, owners)
        low, high = begin, end
        if skips:
            low, high = _between(work.active, n_active, 0 if begin == 0 else last, begin, end)
            last = high
        for number in range(low, high if filled else low):
            owner = work.active[number] if skips else number
            row, start, stop = load_lanes(near, first + owner), starts[base + owner], starts[base + owner + 1]
            grouped = np.uint64(start)
            while grouped + _GROUP <= np.uint64(stop):
                add_dots(gradient, grouped, row, far, other)
                grouped += _GROUP
            for e in range(grouped, np.uint64(stop)):
                add_dot(gradient, e, row, far, other)
            if layer > 0 and by_input:
                back = load_lanes(deltas, first + owner)
                for e in range(start, stop):
                    back = scaled(weights[e], load_lanes(deltas, other[e]), back)
                store_lanes(deltas, first + owner, back)
            elif layer > 0:
                for e in range(start, stop):
                    store_lanes(deltas, other[e], scaled(weights[e], row, load_lanes(deltas, other[e])))
        if update:
            descend(
                weights, gradient, state.velocity, state.second,
                starts[base + begin], starts[base + end], rule, rule.weight_decay, step,
            )  # fmt: skip
    if rule.bias:
        begin, end = first_out + table[OUTPUTS] * part // parts, first_out + table[OUTPUTS] * (part + 1) // parts
        if filled:
            for j in range(begin, end):
                state.bias_gradient[j] += total(load_lanes(deltas, j))
        if update:
            descend(
                state.bias, state.bias_gradient, state.bias_velocity, state.bias_second,
                begin, end, rule, rule.weight_decay * 0, step,
            )  # fmt: skip


@reordered_part
def _between(active: Any, n_active: int, low: int, begin: int, end: int) -> tuple[int, int]:
    """Which of the active inputs, from number ``low`` on, are among ``begin`` … ``end - 1``: the first, and the end."""
    while low < n_active and active[low] < begin:
        low += 1
    high = low
    while high < n_active and active[high] < end:
        high += 1
    return low, high


@reordered_part
def clear(values: Float, begin: int, end: int) -> None:
    """Set some rows to 0: to assign to a slice takes numba seconds to compile."""
    for row in range(begin, end):
        store_lanes(values, row, broadcast(values, values.dtype.type(0)))


@reordered_part
def _power(base: Any, exponent: int, one: Any) -> Any:
    """``base`` to a whole power that is not negative, without the errors that numba's power can raise."""
    if exponent > 0x10000:
        return math.pow(base, float(exponent))
    result = one
    while exponent:
        if exponent & 1:
            result *= base
        exponent >>= 1
        base *= base
    return result


@reordered_part
def descend(
    weights: Any, gradient: Any, velocity: Any, second: Any, begin: Any, end: Any, rule: Rule, decay: Any, step: int
) -> None:
    """Step against the gradient and set it back to 0; momentum and Adam live on the same edges, and only there."""
    zero, one = gradient.dtype.type(0), gradient.dtype.type(1)
    rate, mu = rule.rate, rule.momentum
    if rule.adam:
        kind = gradient.dtype.type
        beta, rest = kind(rule.second), kind(1 - rule.second)  # 1 − 0.999 is taken before it is rounded
        rate = kind(rate / (1 - _power(mu, step, one)))
        scale = kind(1 / math.sqrt(1 - _power(rule.second, step, 1.0)))
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
