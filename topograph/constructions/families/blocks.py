"""Layers cut into blocks: block-diagonal (grouped), and modular with edges between the blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.checks import check_integer, check_real
from topograph.constructions.guarantees import EXACT_EDGES, LEFT_WITHIN_ONE, RIGHT_WITHIN_ONE, Guarantee
from topograph.constructions.registry import Connected, construction
from topograph.constructions.rows import from_entries, uniform_entries
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph

_BLOCKS = 4  # of a stochastic block model, when nothing else is said


def _has_share_inside(graph: BipartiteGraph, options: Mapping[str, Any]) -> bool:
    """Whether exactly the share ``inside`` of the edges, where it was given, joins neurons of one block."""
    if "inside" not in options:
        return True
    blocks = options.get("blocks", _BLOCKS)
    left, right = (
        np.searchsorted(np.arange(1, blocks + 1) * size // blocks, ends, side="right")
        for size, ends in zip(graph.shape, graph.edges().T, strict=True)
    )
    return bool(np.count_nonzero(left == right) == round(options["inside"] * graph.n_edges))


_ONE_COMPONENT_PER_BLOCK = Guarantee(
    "one component per block",
    lambda g, k, o: g.n_components == (o["blocks"] if k is None else g.n_right // int(k)),
)
_EXACT_INSIDE = Guarantee("exact edges inside the blocks", lambda g, k, o: _has_share_inside(g, o))


@construction(
    "block_diagonal",
    summary=(
        "all outputs of the block that input i falls in; `blocks` blocks of consecutive neurons, as equal as can be"
    ),
    guarantees=(LEFT_WITHIN_ONE, RIGHT_WITHIN_ONE, _ONE_COMPONENT_PER_BLOCK),
    reference="Krizhevsky, Sutskever & Hinton (2012), ImageNet classification with deep convolutional neural networks "
    "(grouped connections)",
    sized_by="fixed",
    implied_degree=True,
    connected=Connected("k = m", lambda n, m, k: k == m),
    examples=((12, 8, {"degree": 4}), (10, 7, {"blocks": 3}), (8, 12, {"degree": 12})),
)
def block_diagonal(
    n_left: int, n_right: int, degree: float | None, generator: np.random.Generator, blocks: int | None = None
) -> BipartiteGraph:
    """Dense blocks on the diagonal; a degree k gives m / k of them, and must divide m."""
    most = min(n_left, n_right)
    if (degree is None) == (blocks is None):
        raise InvalidParameterError(
            f"block_diagonal needs either blocks= (1 to {most}) or a degree that divides {n_right}, but got "
            f"blocks={blocks}, degree={degree}"
        )
    if degree is not None:
        allowed = [d for d in range(1, n_right + 1) if n_right % d == 0 and n_right // d <= most]
        if degree not in allowed:
            near = sorted(sorted(allowed, key=lambda d: abs(d - degree))[:2])
            raise InvalidParameterError(
                f"blocks of one size need a degree that divides {n_right}, in at most {most} blocks, but got "
                f"degree={degree:g}; the nearest are {' and '.join(map(str, near))}, or give blocks="
            )
        blocks = n_right // int(degree)
    blocks = check_integer("blocks", blocks, low=1, high=most)
    left, right = _bounds(n_left, blocks), _bounds(n_right, blocks)
    widths = np.diff(right)
    degrees = np.repeat(widths, np.diff(left))
    indptr = np.concatenate([[0], np.cumsum(degrees)])
    first = np.repeat(right[:-1], np.diff(left))
    indices = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - first, degrees)
    return BipartiteGraph(n_left, n_right, indptr, indices)


@construction(
    "stochastic_block",
    summary=("outputs drawn uniformly, a share `inside` of all edges within `blocks` blocks of consecutive neurons"),
    guarantees=(EXACT_EDGES, _EXACT_INSIDE),
    reference="Holland, Laskey & Leinhardt (1983), Stochastic blockmodels: first steps (with exact counts)",
    random=True,
    sized_by="total",
    connected=Connected("k = m", lambda n, m, k: k == m),
    examples=((20, 12, {"degree": 4, "blocks": 3, "inside": 0.75}),),
)
def stochastic_block(
    n_left: int,
    n_right: int,
    degree: float,
    generator: np.random.Generator,
    blocks: int = _BLOCKS,
    inside: float | None = None,
) -> BipartiteGraph:
    """A modular layer: round(inside · n · k) edges inside the blocks, the others between them.

    Without ``inside`` half of the edges that chance would put between the blocks move into them, as far as they
    have room.
    """
    blocks = check_integer("blocks", blocks, low=1, high=min(n_left, n_right))
    left, right = _bounds(n_left, blocks), _bounds(n_right, blocks)
    heights, widths = np.diff(left), np.diff(right)
    edges = round(n_left * degree)
    room = int(heights @ widths)
    outer_room = n_left * n_right - room
    least, most = max(0, edges - outer_room), min(edges, room)
    if inside is None:
        chance = room / (room + outer_room)
        count = min(max(least, round(edges * (1 + chance) / 2)), most)
    else:
        count = round(check_real("inside", inside, low=0, high=1) * edges)
        if not least <= count <= most:
            raise InvalidParameterError(
                f"{edges} edges cannot have {count} of them inside {blocks} blocks with room for {room} (and "
                f"{outer_room} outside), got inside={inside}; with that many, inside ranges from "
                f"{least / edges:.4g} to {most / edges:.4g}"
            )
    starts = np.concatenate([[0], np.cumsum(heights * widths)])
    rank = uniform_entries(room, count, generator)
    block = np.searchsorted(starts, rank, side="right") - 1
    row, column = np.divmod(rank - starts[block], widths[block])
    inner = (left[block] + row) * n_right + right[block] + column

    starts = np.concatenate([[0], np.cumsum(heights * (n_right - widths))])
    rank = uniform_entries(outer_room, edges - count, generator)
    block = np.searchsorted(starts, rank, side="right") - 1
    row, column = np.divmod(rank - starts[block], n_right - widths[block])
    column += np.where(column >= right[block], widths[block], 0)
    outer = (left[block] + row) * n_right + column
    return from_entries(np.sort(np.concatenate([inner, outer])), n_left, n_right)


def _bounds(size: int, blocks: int) -> npt.NDArray[np.int64]:
    """Where each of ``blocks`` near-equal blocks begins, and where the last one ends."""
    return np.arange(blocks + 1) * size // blocks
