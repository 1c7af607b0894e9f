"""`WalkOrder`: a graph's edges as the compiled kernels walk them, by outputs forward and by inputs back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph

_BLOCK = 1024  # neurons of the other side in a block: 128 kB of float32 rows
_SEGMENT = 32  # edges per visit of an owner that are worth the visit

Integers = npt.NDArray[np.integer[Any]]


class WalkOrder(NamedTuple):
    """Index arrays of a graph's edges.

    Parameters
    ----------
    starts
        Shape ``(blocks of inputs · outputs + 1,)``: where each output's edges to a block of inputs begin in ``inputs``.
    inputs
        Shape ``(edges,)``: the edges' inputs, sorted by block of inputs, output and input.
    positions
        Shape ``(edges,)``: for each of these, its number among ``graph.edges()``.
    cuts
        Shape ``(blocks of outputs + 1, inputs)``: where each input's edges to a block of outputs begin among
        ``graph.edges()``; the last row is where they end.
    outputs
        Shape ``(edges,)``: the edges' outputs, in the order of ``graph.edges()``.
    """

    starts: Integers
    inputs: Integers
    positions: Integers
    cuts: Integers
    outputs: Integers


def walk_order(graph: BipartiteGraph) -> WalkOrder:
    """The order in which the kernels walk a graph's edges.

    Examples
    --------
    >>> graph = BipartiteGraph.from_mask([[1, 1, 0], [0, 1, 1]])
    >>> order = walk_order(graph)
    >>> order.starts.tolist(), order.inputs.tolist(), order.positions.tolist()
    ([0, 1, 3, 4], [0, 0, 1, 1], [0, 1, 2, 3])
    >>> order.cuts.tolist(), order.outputs.tolist()
    ([[0, 2], [2, 4]], [0, 1, 1, 2])
    """
    n, m = graph.shape
    outputs: Any = np.asarray(graph.indices)
    number: Any = outputs.dtype
    inputs = np.repeat(np.arange(n, dtype=number), np.diff(graph.indptr))

    by_output = np.argsort(outputs, kind="stable")  # and by input within an output
    size = _block_size(n, graph.density)
    blocks = -(-n // size)
    positions = by_output[np.argsort(inputs[by_output] // size, kind="stable")] if blocks > 1 else by_output
    segments = (inputs // size).astype(np.int64) * m + outputs
    starts = np.concatenate([[0], np.cumsum(np.bincount(segments, minlength=blocks * m))])

    size = _block_size(m, graph.density)
    blocks = -(-m // size)
    counts = np.bincount(inputs.astype(np.int64) * blocks + outputs // size, minlength=n * blocks).reshape(n, blocks)
    cuts = np.concatenate([graph.indptr[:-1, None], graph.indptr[:-1, None] + np.cumsum(counts, axis=1)], axis=1).T
    return WalkOrder(
        starts.astype(np.int64),
        np.ascontiguousarray(inputs[positions]),
        positions.astype(number),
        np.ascontiguousarray(cuts, dtype=np.int64),
        outputs,
    )


def _block_size(others: int, density: float) -> int:
    """Neurons of the other side in a block: as many as stay in cache, but enough for a segment to be worth a visit."""
    wanted = max(_BLOCK, round(_SEGMENT / max(density, 1e-12)))
    blocks = max(1, round(others / wanted))
    return -(-others // blocks)
