"""The doors into a `BipartiteGraph`: matrices, lists of edges, graphs of networkx and igraph, read as CSR patterns."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.checks import check_integer
from topograph.errors import InvalidMaskError

if TYPE_CHECKING:
    import igraph
    import networkx as nx

Pattern = tuple[int, int, npt.NDArray[Any], npt.NDArray[Any]]
"""``n_left``, ``n_right``, ``indptr`` and ``indices``, as `BipartiteGraph` takes them."""
LARGEST_SIDE = 2**31 - 1


def check_side(name: str, value: Any) -> int:
    """Accept the number of nodes of a side."""
    try:
        return check_integer(name, value, low=1, high=LARGEST_SIDE)
    except ValueError as error:
        raise InvalidMaskError(f"a layer has at least one node on each side: {error}") from None


def matrix_pattern(mask: Any) -> Pattern:
    """The non-zero entries of a matrix; see `BipartiteGraph.from_mask`."""
    matrix = mask if sp.issparse(mask) else _as_array(mask)
    if matrix.ndim != 2:
        raise InvalidMaskError(
            f"a mask has two dimensions, inputs × outputs, but got shape {tuple(matrix.shape)}; "
            "turn a convolution or a stack of masks into one matrix for each layer first"
        )
    if matrix.dtype.kind not in "biuf":
        raise InvalidMaskError(f"a mask holds booleans, integers or floats, but got dtype {matrix.dtype}")
    n_left, n_right = (check_side(name, side) for name, side in zip(("n_left", "n_right"), matrix.shape, strict=True))
    if not sp.issparse(matrix):
        _check_finite(matrix)
        rows, columns = np.nonzero(matrix)
        return n_left, n_right, _indptr(rows, n_left), columns
    csr = sp.csr_array(matrix, copy=True)  # so that the caller's matrix is not sorted or summed under their hands
    csr.sum_duplicates()
    _check_finite(csr.data)
    csr.eliminate_zeros()
    return n_left, n_right, csr.indptr, csr.indices


def edge_pattern(edges: Iterable[tuple[int, int]] | npt.ArrayLike, n_left: int | None, n_right: int | None) -> Pattern:
    """Pairs (input, output) in any order; see `BipartiteGraph.from_edges`."""
    pairs = np.asarray(edges if isinstance(edges, np.ndarray) else list(edges))  # type: ignore[arg-type]
    if pairs.size == 0:
        pairs = np.empty((0, 2), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise InvalidMaskError(
            f"edges are pairs of whole numbers, shape (n_edges, 2), but got shape {pairs.shape} of {pairs.dtype}"
        )
    sides = []
    for name, column, size in (("n_left", pairs[:, 0], n_left), ("n_right", pairs[:, 1], n_right)):
        if size is None:
            if not column.size:
                raise InvalidMaskError(f"{name} must be given when there are no edges")
            size = int(column.max()) + 1
        size = check_side(name, size)
        if column.size and (column.min() < 0 or column.max() >= size):
            raise InvalidMaskError(
                f"edges must stay within 0..{size - 1} for {name}={size}, but got {column.min()}..{column.max()}"
            )
        sides.append(size)
    rows, columns = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
    order = np.lexsort((columns, rows))
    rows, columns = rows[order], columns[order]
    repeated = (rows[1:] == rows[:-1]) & (columns[1:] == columns[:-1])
    if repeated.any():
        first = int(np.argmax(repeated))
        raise InvalidMaskError(
            f"{int(repeated.sum())} edges are given twice, first ({rows[first]}, {columns[first]}); "
            "pass numpy.unique(edges, axis=0) to merge them"
        )
    return sides[0], sides[1], _indptr(rows, sides[0]), columns


def networkx_pattern(graph: nx.Graph[Any], left: Iterable[Hashable] | None) -> Pattern:
    """A two-coloured networkx graph; see `BipartiteGraph.from_networkx`."""
    if graph.is_directed() or graph.is_multigraph():
        raise InvalidMaskError(
            f"need an undirected simple graph, but got {type(graph).__name__}; pass networkx.Graph(graph)"
        )
    if left is None:
        side = dict(graph.nodes(data="bipartite"))
        uncoloured = [node for node, value in side.items() if value not in (0, 1)]
        if uncoloured:
            raise InvalidMaskError(
                f"{len(uncoloured)} nodes have no attribute bipartite=0 or 1, first {uncoloured[0]!r}; "
                "set it, or pass left="
            )
        left_nodes = [node for node in graph if side[node] == 0]
    else:
        left_nodes = list(left)
        unknown = [node for node in left_nodes if node not in graph]
        if unknown:
            raise InvalidMaskError(f"left names {len(unknown)} nodes that the graph lacks, first {unknown[0]!r}")
    rows = {node: i for i, node in enumerate(left_nodes)}
    if len(rows) != len(left_nodes):
        raise InvalidMaskError("left names a node twice")
    columns = {node: j for j, node in enumerate(node for node in graph if node not in rows)}
    edges = np.empty((graph.number_of_edges(), 2), dtype=np.int64)
    for e, (u, v) in enumerate(graph.edges()):
        if (u in rows) == (v in rows):
            raise InvalidMaskError(
                f"the edge {u!r} – {v!r} runs within one side, so the graph is not bipartite with these sides; "
                "pass left= to name the inputs"
            )
        edges[e] = (rows[u], columns[v]) if u in rows else (rows[v], columns[u])
    return edge_pattern(edges, len(rows), len(columns))


def igraph_pattern(graph: igraph.Graph, left: Iterable[int] | None) -> Pattern:
    """A two-coloured igraph graph; see `BipartiteGraph.from_igraph`."""
    if graph.is_directed():
        raise InvalidMaskError("need an undirected graph; pass graph.as_undirected()")
    if left is None:
        if "type" not in graph.vs.attributes():
            raise InvalidMaskError("the vertices have no attribute 'type' (False left, True right); pass left=")
        types = graph.vs["type"]
        uncoloured = [vertex for vertex, value in enumerate(types) if value not in (False, True)]
        if uncoloured:
            raise InvalidMaskError(
                f"{len(uncoloured)} vertices have no attribute type=False or True, first {uncoloured[0]}; set it, or "
                "pass left="
            )
        is_right = np.array(types, dtype=bool)
        left_nodes = np.flatnonzero(~is_right)
    else:
        left_nodes = np.fromiter(left, dtype=np.int64)
        is_right = np.ones(graph.vcount(), dtype=bool)
        if left_nodes.size and (left_nodes.min() < 0 or left_nodes.max() >= graph.vcount()):
            raise InvalidMaskError(f"left must name vertices in 0..{graph.vcount() - 1}")
        is_right[left_nodes] = False
        if left_nodes.size != np.count_nonzero(~is_right):
            raise InvalidMaskError("left names a vertex twice")
    number = np.empty(graph.vcount(), dtype=np.int64)
    number[left_nodes] = np.arange(left_nodes.size)
    number[is_right] = np.arange(np.count_nonzero(is_right))
    pairs = np.array(graph.get_edgelist(), dtype=np.int64).reshape(-1, 2)
    if (is_right[pairs[:, 0]] == is_right[pairs[:, 1]]).any():
        raise InvalidMaskError(
            "an edge runs within one side, so the graph is not bipartite with these sides; "
            "pass left= to name the inputs"
        )
    swapped = is_right[pairs[:, 0]]
    pairs[swapped] = pairs[swapped][:, ::-1]
    return edge_pattern(number[pairs], left_nodes.size, int(np.count_nonzero(is_right)))


def _check_finite(values: npt.NDArray[Any]) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(np.count_nonzero(~np.isfinite(values)))
        raise InvalidMaskError(f"a mask cannot hold NaN or infinity, but {bad} entries do; repair the weights first")


def _as_array(mask: Any) -> npt.NDArray[Any]:
    try:
        return np.asarray(mask)
    except (TypeError, ValueError) as error:
        raise InvalidMaskError(f"cannot read {type(mask).__name__} as a matrix: {error}") from error


def _indptr(rows: npt.NDArray[np.int64], n_left: int) -> npt.NDArray[np.int64]:
    """CSR row pointer of sorted row numbers."""
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_left))])
