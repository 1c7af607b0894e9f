"""The compiled products of a sparse layer: forward, and the gradients of its values and inputs, in time ∝ edges.

Samples are walked in tiles of `LANES`, transposed into rows of one neuron each. Every neuron of one side *owns* its
edges and sums over them in registers; the rows of the other side are visited block by block, so that they stay in
cache. Workers share the owners, never the samples: no two write to one place, and the bits do not depend on how many
they are. Index arrays are unsigned: with signed ones numba checks every index for wrap-around.

Importing this module imports numba, so it is imported on first use only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import reordered, reordered_part
from topograph.lanes import broadcast, dot, entries, load_lanes, prefetch, scaled, store_lanes, total
from topograph.tiles import LANES
from topograph.torch.addresses import array_at
from topograph.torch.sharing import shared
from topograph.torch.vectors import EIGHT, sum_eight, transpose_eight

BOTH, VALUES, INPUTS = range(3)  # which gradients are wanted
PAIR = 2  # tiles that share a visit of a segment on the way back
_AHEAD = 2  # owners whose segments are fetched while an earlier one is walked
_LINE = 16  # numbers of four bytes in a cache line
_STRIP = _LINE  # owners whose samples are transposed together
_ONE, _TWO, _THREE, _FOUR = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
_WHOLE = np.uint64(EIGHT)


@reordered.in_place
def multiply(
    x: int, values: int, bias: int, y: int, samples: int, n: int, m: int,
    starts: Any, inputs: Any, positions: Any, memory: Any, claims: Any, workers: int, region: int,
) -> None:  # fmt: skip
    """Y = x W + b, by workers that share the outputs.

    Parameters
    ----------
    x, values, bias, y
        Addresses of the samples ``(samples, n)``, of W on the edges, of b (0: none) and of the result ``(samples, m)``.
    samples, n, m
        Numbers of samples, inputs and outputs.
    starts, inputs, positions
        Fields of `topograph.torch.pattern.WalkOrder`.
    memory
        Scratch memory, `multiply_rows` rows of lanes. Its dtype is that of all numbers.
    claims, workers, region
        As `shared` takes them.
    """
    edges = inputs.shape[0]
    given = (
        array_at(x, (samples, n), memory), array_at(values, (edges,), memory), positions, starts, inputs,
        array_at(bias, (m if bias else 0,), memory), array_at(y, (samples, m), memory), memory,
    )  # fmt: skip
    shared(_multiply, given, claims, workers, region)


def multiply_rows(samples: int, n: int, m: int, edges: int, workers: int) -> int:
    """Rows of scratch memory for `multiply`: tiles of inputs and outputs per worker, and values in order of outputs."""
    return workers * PAIR * (n + m) + (edges // LANES + 1 if samples > PAIR * LANES else 0)


@reordered_part
def _multiply(given: Any, worker: int, workers: int) -> None:
    """One worker's share of `multiply`."""
    x, values, positions, starts, inputs, bias, y, memory = given
    n, m = x.shape[1], y.shape[1]
    at = worker * PAIR * (n + m)
    rows, sums = memory[at : at + PAIR * n], memory[at + PAIR * n : at + PAIR * (n + m)]
    ordered = entries(memory, workers * PAIR * (n + m), memory.shape[0])  # empty where one visit does all samples
    blocks = (starts.shape[0] - 1) // m
    begin, end = _share_of_outputs(starts, m, blocks, worker, workers)
    for first in range(0, x.shape[0], PAIR * LANES):
        tiles = min(PAIR, -(-(x.shape[0] - first) // LANES))
        for tile in range(tiles):
            at = first + tile * LANES
            _fill(x, at, min(LANES, x.shape[0] - at), 0, n, rows, tile * n)
        for block in range(blocks):
            for strip in range(begin, end, _STRIP):
                till = min(strip + _STRIP, end)
                kept = strip if blocks == 1 else 0  # what nobody comes back for stays in the fastest cache
                for j in range(strip, till):
                    e, stop = np.uint64(starts[block * m + j]), np.uint64(starts[block * m + j + 1])
                    for k in range(e, stop if first == 0 and ordered.shape[0] else e):
                        ordered[k] = values[positions[k]]
                    shift = bias[j] if bias.shape[0] else sums.dtype.type(0)
                    for tile in range(tiles if ordered.shape[0] else 0):
                        row = broadcast(sums, shift) if block == 0 else load_lanes(sums, tile * m + j - kept)
                        row = _sum_outputs(row, e, stop, ordered, None, inputs, rows, np.uint64(tile * n))
                        store_lanes(sums, tile * m + j - kept, row)
                    for tile in range(0 if ordered.shape[0] else tiles):  # one loop for both takes a tenth longer
                        row = broadcast(sums, shift) if block == 0 else load_lanes(sums, tile * m + j - kept)
                        row = _sum_outputs(row, e, stop, values, positions, inputs, rows, np.uint64(tile * n))
                        store_lanes(sums, tile * m + j - kept, row)
                for tile in range(tiles if block == blocks - 1 else 0):
                    at = first + tile * LANES
                    _empty(sums, tile * m + strip - kept, y, at, min(LANES, x.shape[0] - at), strip, till)


@reordered_part
def _sum_outputs(row: Any, e: Any, stop: Any, values: Any, positions: Any, inputs: Any, rows: Any, offset: Any) -> Any:
    """Σ w x_i over the edges of an output's segment, added to ``row``; without positions, the values are in order."""
    while e + _FOUR <= stop:
        row = scaled(_value(values, positions, e), load_lanes(rows, offset + inputs[e]), row)
        row = scaled(_value(values, positions, e + _ONE), load_lanes(rows, offset + inputs[e + _ONE]), row)
        row = scaled(_value(values, positions, e + _TWO), load_lanes(rows, offset + inputs[e + _TWO]), row)
        row = scaled(_value(values, positions, e + _THREE), load_lanes(rows, offset + inputs[e + _THREE]), row)
        e += _FOUR
    while e < stop:
        row = scaled(_value(values, positions, e), load_lanes(rows, offset + inputs[e]), row)
        e += _ONE
    return row


@reordered_part
def _value(values: Any, positions: Any, e: Any) -> Any:
    return values[e] if positions is None else values[positions[e]]


@reordered.in_place
def differentiate(
    x: int, delta: int, values: int, x_gradient: int, gradient: int, bias_gradient: int, samples: int, n: int, m: int,
    cuts: Any, outputs: Any, memory: Any, claims: Any, workers: int, region: int,
) -> None:  # fmt: skip
    """The gradients of the inputs, δ Wᵀ, of the values, Σ over samples of x_i δ_j, and of the bias, Σ δ_j.

    Workers share the inputs, and for the bias the outputs.

    Parameters
    ----------
    x, delta, values
        Addresses of the samples ``(samples, n)``, of δ ``(samples, m)`` and of W on the edges. Without the gradient of
        the values, x may be 0.
    x_gradient, gradient, bias_gradient
        Addresses of the results; 0 for one that is not wanted, but one of the first two is. Nothing is written if there
        are no samples.
    samples, n, m
        Numbers of samples, inputs and outputs.
    cuts, outputs
        Fields of `topograph.torch.pattern.WalkOrder`.
    memory
        Scratch memory, `differentiate_rows` rows of lanes. Its dtype is that of all numbers.
    claims, workers, region
        As `shared` takes them.
    """
    edges = outputs.shape[0]
    given = (
        array_at(x, (samples, n), memory), array_at(delta, (samples, m), memory), array_at(values, (edges,), memory),
        cuts, outputs, array_at(x_gradient, (samples, n), memory), array_at(gradient, (edges,), memory),
        array_at(bias_gradient, (m if bias_gradient else 0,), memory), memory,
        BOTH if x_gradient and gradient else INPUTS if x_gradient else VALUES,
    )  # fmt: skip
    shared(_differentiate, given, claims, workers, region)


def differentiate_rows(n: int, m: int, workers: int) -> int:
    """Rows of scratch memory for `differentiate`: tiles of inputs, of outputs and of inputs per worker."""
    return workers * PAIR * (2 * n + m)


@reordered_part
def _differentiate(given: Any, worker: int, workers: int) -> None:
    """One worker's share of `differentiate`."""
    x, delta, values, cuts, outputs, x_gradient, gradient, bias_gradient, memory, wanted = given
    n, m, blocks = x.shape[1], delta.shape[1], cuts.shape[0] - 1
    at = worker * PAIR * (2 * n + m)
    rows, sums = memory[at : at + PAIR * n], memory[at + PAIR * n : at + 2 * PAIR * n]
    deltas = memory[at + 2 * PAIR * n : at + PAIR * (2 * n + m)]
    begin, end = _share_of_inputs(cuts, worker, workers)
    for first in range(0, delta.shape[0], PAIR * LANES):
        tiles = min(PAIR, -(-(delta.shape[0] - first) // LANES))
        for tile in range(tiles):
            at = first + tile * LANES
            _fill(delta, at, min(LANES, delta.shape[0] - at), 0, m, deltas, tile * m)
            for j in range(m * worker // workers, m * (worker + 1) // workers if bias_gradient.shape[0] else 0):
                more = total(load_lanes(deltas, tile * m + j))
                bias_gradient[j] = more + (0 if first + tile == 0 else bias_gradient[j])
        for block in range(blocks):
            for strip in range(begin, end, _STRIP):
                till = min(strip + _STRIP, end)
                kept = strip if blocks == 1 else 0
                for tile in range(tiles if block == 0 and wanted != INPUTS else 0):
                    at = first + tile * LANES
                    _fill(x, at, min(LANES, x.shape[0] - at), strip, till, rows, tile * n + strip - kept)
                for i in range(strip, till):
                    if i + _AHEAD < end:  # a row's next block lies anywhere
                        for k in range(cuts[block, i + _AHEAD], cuts[block + 1, i + _AHEAD], _LINE):
                            prefetch(values, k)
                            prefetch(outputs, k)
                            prefetch(gradient, k if wanted != INPUTS else 0)
                    e, stop = np.uint64(cuts[block, i]), np.uint64(cuts[block + 1, i])
                    for tile in range(tiles):
                        place, offset = tile * n + i - kept, np.uint64(tile * m)
                        is_first = first + tile == 0
                        if wanted == VALUES:
                            row = load_lanes(rows, place)
                            _sum_both(row, None, e, stop, values, outputs, deltas, offset, gradient, is_first)
                            continue
                        back = broadcast(sums, sums.dtype.type(0)) if block == 0 else load_lanes(sums, place)
                        if wanted == INPUTS:
                            back = _sum_inputs(back, e, stop, values, outputs, deltas, offset)
                        else:
                            row = load_lanes(rows, place)
                            back = _sum_both(row, back, e, stop, values, outputs, deltas, offset, gradient, is_first)
                        store_lanes(sums, place, back)
                for tile in range(tiles if block == blocks - 1 and wanted != VALUES else 0):
                    at = first + tile * LANES
                    count = min(LANES, delta.shape[0] - at)
                    _empty(sums, tile * n + strip - kept, x_gradient, at, count, strip, till)


@reordered_part
def _sum_both(
    row: Any, back: Any, e: Any, stop: Any, values: Any, outputs: Any, deltas: Any, offset: Any, gradient: Any,
    is_first: bool,
) -> Any:  # fmt: skip
    """Add x_i · δ_j to the gradient of each edge; return Σ w δ_j added to ``back``, unless that is None."""
    while e + _WHOLE <= stop:
        back = sum_eight(row, back, e, values, outputs, deltas, offset, gradient, is_first)
        e += _WHOLE
    while e < stop:
        delta = load_lanes(deltas, offset + outputs[e])
        gradient[e] = dot(row, delta) + (0 if is_first else gradient[e])
        if back is not None:
            back = scaled(values[e], delta, back)
        e += _ONE
    return back


@reordered_part
def _sum_inputs(back: Any, e: Any, stop: Any, values: Any, outputs: Any, deltas: Any, offset: Any) -> Any:
    """As `_sum_both`, where the values need no gradient."""
    while e < stop:
        back = scaled(values[e], load_lanes(deltas, offset + outputs[e]), back)
        e += _ONE
    return back


@reordered_part
def _share_of_outputs(starts: Any, outputs: int, blocks: int, worker: int, workers: int) -> tuple[int, int]:
    """The outputs of a worker, with about as many edges as those of any other."""
    if workers == 1:
        return 0, outputs
    edges, begin, end, seen = starts[starts.shape[0] - 1], outputs, outputs, 0
    for j in range(outputs):
        if begin == outputs and seen * workers >= edges * worker:
            begin = j
        if seen * workers >= edges * (worker + 1):
            end = j
            break
        for block in range(blocks):
            seen += starts[block * outputs + j + 1] - starts[block * outputs + j]
    return begin, outputs if worker == workers - 1 else end


@reordered_part
def _share_of_inputs(cuts: Any, worker: int, workers: int) -> tuple[int, int]:
    """The inputs of a worker, with about as many edges as those of any other."""
    n = cuts.shape[1]
    if workers == 1:
        return 0, n
    edges, begin, end = cuts[cuts.shape[0] - 1, n - 1], n, n
    for i in range(n):
        if begin == n and cuts[0, i] * workers >= edges * worker:
            begin = i
        if cuts[0, i] * workers >= edges * (worker + 1):
            end = i
            break
    return begin, n if worker == workers - 1 else end


@reordered_part
def _fill(samples: Any, first: int, count: int, begin: int, end: int, rows: Any, place: int) -> None:
    """Transpose neurons ``begin`` … ``end`` of ``count`` samples into rows of one neuron each, from ``place`` on.

    Lanes without a sample become 0.
    """
    whole, even, shift = count - count % EIGHT, end - (end - begin) % EIGHT, place - begin
    for i in range(begin, even, EIGHT):
        for s in range(0, whole, EIGHT):
            transpose_eight(samples, first + s, i, rows, i + shift, s)
        if whole < LANES:
            for k in range(i, i + EIGHT):
                for s in range(whole, LANES):
                    rows[k + shift, s] = samples[first + s, k] if s < count else 0
    for k in range(even, end):
        for s in range(LANES):
            rows[k + shift, s] = samples[first + s, k] if s < count else 0


@reordered_part
def _empty(rows: Any, place: int, samples: Any, first: int, count: int, begin: int, end: int) -> None:
    """Transpose rows from ``place`` on back into neurons ``begin`` … ``end`` of ``count`` samples."""
    whole, even, shift = count - count % EIGHT, end - (end - begin) % EIGHT, place - begin
    for s in range(0, whole, EIGHT):
        for k in range(begin, even, EIGHT):  # lines of samples are written whole
            transpose_eight(rows, k + shift, s, samples, first + s, k)
    for s in range(whole, count):
        for k in range(begin, even):
            samples[first + s, k] = rows[k + shift, s]
    for k in range(even, end):
        for s in range(count):
            samples[first + s, k] = rows[k + shift, s]
