"""The doors into a `BipartiteGraph`: matrices, lists of edges, graphs of networkx and igraph, read as its parts."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.checks import check_integer
from topograph.errors import InvalidMaskError
from topograph.labels import Labels, number_names, texts
from topograph.matrices import as_matrix, is_zero

if TYPE_CHECKING:
    import igraph
    import networkx as nx

LARGEST_SIDE = 2**31 - 1
_COLOURS = {0: 0, 1: 1, "0": 0, "1": 1, "false": 0, "true": 1}
"""What the node attribute ``bipartite`` (or igraph's ``type``) may say, and the side that it means."""


class Parts(NamedTuple):
    """What a `BipartiteGraph` is made of."""

    n_left: int
    n_right: int
    indptr: npt.NDArray[Any]
    indices: npt.NDArray[Any]
    left_labels: Labels | None = None
    right_labels: Labels | None = None


def check_side(name: str, value: Any) -> int:
    """Accept the number of nodes of a side."""
    try:
        return check_integer(name, value, low=1, high=LARGEST_SIDE)
    except ValueError as error:
        raise InvalidMaskError(f"a layer has at least one node on each side: {error}") from None


def read_matrix(mask: Any) -> Parts:
    """The non-zero entries of a matrix; see `BipartiteGraph.from_mask`."""
    if hasattr(mask, "iloc") and getattr(mask, "ndim", 0) == 2:
        return _read_frame(mask)
    matrix = as_matrix(mask)
    if matrix.ndim == 0:
        raise InvalidMaskError(
            f"a mask is an array, a matrix, a tensor or a table of inputs × outputs, but got {type(mask).__name__}; "
            "topograph.load reads files, models and mappings of masks"
        )
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
        return Parts(n_left, n_right, _indptr(rows, n_left), columns)
    csr = sp.csr_array(matrix)  # of a copy: the caller's matrix is not sorted or summed under their hands
    _check_finite(csr.data)
    csr.eliminate_zeros()
    return Parts(n_left, n_right, csr.indptr, csr.indices)


def _read_frame(frame: Any) -> Parts:
    """A pandas DataFrame: a mask whose index and columns name the neurons, unless they are mere numbers from 0."""
    left, right = frame_labels(frame)
    return read_matrix(frame.to_numpy())._replace(left_labels=left, right_labels=right)


def frame_labels(frame: Any) -> tuple[Labels | None, Labels | None]:
    """The names of the rows and of the columns of a pandas DataFrame; None where they are mere numbers from 0."""
    sides: list[Labels | None] = []
    for what, axis in (("the index", frame.index), ("the columns", frame.columns)):
        labels = axis.tolist()
        sides.append(None if labels == list(range(len(labels))) else texts(labels, what))
    return sides[0], sides[1]


def read_edges(
    edges: Iterable[Sequence[Hashable]] | npt.ArrayLike,
    n_left: int | None,
    n_right: int | None,
    left: Iterable[Hashable] | None = None,
    right: Iterable[Hashable] | None = None,
) -> Parts:
    """Pairs (input, output) in any order, numbers or names; see `BipartiteGraph.from_edges`."""
    pairs = edges if isinstance(edges, np.ndarray) else _as_pairs(edges)
    if pairs.size == 0:
        pairs = np.empty((0, 2), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        advice = ""
        if pairs.ndim == 2 and pairs.shape[0] == 2:
            advice = "; pass numpy.transpose(edges) if the first row holds inputs and the second outputs"
        elif pairs.ndim == 2 and pairs.shape[1] == 3:
            advice = "; leave out the third column, such as weights"
        raise InvalidMaskError(
            f"edges are pairs (input, output), shape (n_edges, 2), but got shape {pairs.shape}{advice}"
        )
    if isinstance(edges, tuple) and all(isinstance(one, np.ndarray) for one in edges):  # as of numpy.nonzero
        raise InvalidMaskError(
            "two arrays of two numbers may be two edges, or the inputs and the outputs; pass numpy.array(edges) or "
            "numpy.transpose(edges)"
        )
    labels: list[Labels | None] = [None, None]
    if left is not None or right is not None or pairs.dtype.kind in "OUS":
        if n_left is not None or n_right is not None:
            raise InvalidMaskError("edges of names take their sizes from left= and right=, not from n_left or n_right")
        numbered = []
        for side, (name, given) in enumerate((("left", left), ("right", right))):
            ends, labels[side] = number_names(pairs[:, side].tolist(), given, name)
            numbered.append(ends)
        pairs = np.array(numbered, dtype=np.int64).reshape(2, -1).T
        n_left, n_right = (len(side or ()) or None for side in labels)
    if pairs.dtype.kind not in "iu":
        raise InvalidMaskError(f"edges are pairs of whole numbers or of names, but got an array of {pairs.dtype}")
    sides = []
    for name, column, size in (("n_left", pairs[:, 0], n_left), ("n_right", pairs[:, 1], n_right)):
        if size is None:
            if not column.size:
                raise InvalidMaskError(f"{name} must be given when there are no edges")
            if column.min() < 0:
                raise InvalidMaskError(f"edges are numbered from 0, but got {column.min()}")
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
    return Parts(sides[0], sides[1], _indptr(rows, sides[0]), columns, labels[0], labels[1])


def _as_pairs(edges: Any) -> npt.NDArray[Any]:
    """An array of pairs; names stay the objects that they are."""
    rows = edges.to_numpy() if hasattr(edges, "to_numpy") else list(edges)
    try:
        pairs = np.asarray(rows)
        if pairs.dtype.kind in "US":  # numbers among names would have become texts of another kind
            pairs = np.array(rows, dtype=object)
    except ValueError as error:
        raise InvalidMaskError(f"edges are pairs (input, output), all of two entries: {error}") from None
    return pairs


def read_networkx(graph: nx.Graph[Any], left: Iterable[Hashable] | None) -> Parts:
    """A networkx graph with two sides; see `BipartiteGraph.from_networkx`."""
    if not hasattr(graph, "is_multigraph"):
        raise InvalidMaskError(f"need a networkx.Graph, but got {type(graph).__name__}")
    if graph.is_directed() or graph.is_multigraph():
        raise InvalidMaskError(
            f"need an undirected simple graph, but got {type(graph).__name__}; pass networkx.Graph(graph)"
        )
    left_nodes = coloured_left(graph) if left is None else _listed(left)
    unknown = [node for node in left_nodes if node not in graph]
    if unknown:
        raise InvalidMaskError(f"left names {len(unknown)} nodes that the graph lacks, first {unknown[0]!r}")
    rows = {node: i for i, node in enumerate(left_nodes)}
    if len(rows) != len(left_nodes):
        raise InvalidMaskError("left names a node twice")
    columns = {node: j for j, node in enumerate(node for node in graph if node not in rows)}
    weighted = [(u, v) for u, v, weight in graph.edges(data="weight", default=1) if not is_zero(weight)]
    edges = np.empty((len(weighted), 2), dtype=np.int64)
    for e, (u, v) in enumerate(weighted):
        if (u in rows) == (v in rows):
            raise InvalidMaskError(
                f"the edge {u!r} – {v!r} runs within one side, so the graph is not bipartite with these sides; "
                "pass left= to name the inputs"
            )
        edges[e] = (rows[u], columns[v]) if u in rows else (rows[v], columns[u])
    parts = read_edges(edges, len(rows), len(columns))
    names = dict(graph.nodes(data="label"))
    if any(name is None for name in names.values()) or len(set(map(str, names.values()))) < len(names):
        names = {node: node for node in graph}
    if list(rows) + list(columns) == list(range(len(graph))) and all(name == node for node, name in names.items()):
        return parts  # mere numbers, as `to_networkx` gives them
    return parts._replace(
        left_labels=tuple(str(names[node]) for node in rows), right_labels=tuple(str(names[node]) for node in columns)
    )


def coloured_left(graph: nx.Graph[Any]) -> list[Any]:
    """The inputs by the node attribute ``bipartite``, or by igraph's ``type``.

    Raises
    ------
    InvalidMaskError
        When nodes have neither.
    """
    sides = {node: _colour(value) for node, value in graph.nodes(data="bipartite")}
    types = {node: _colour(value) for node, value in graph.nodes(data="type")}
    if None in sides.values() and None not in types.values():
        sides = types
    uncoloured = [node for node, side in sides.items() if side is None]
    if uncoloured:
        raise InvalidMaskError(
            f"{len(uncoloured)} nodes have no attribute bipartite=0 or 1, first {uncoloured[0]!r}; set it, or name the "
            "inputs by left= of topograph.BipartiteGraph.from_networkx"
        )
    return [node for node in graph if sides[node] == 0]


def _listed(nodes: Iterable[Any]) -> list[Any]:
    try:
        return list(nodes)
    except TypeError:
        raise InvalidMaskError(f"left must list the inputs, but got {nodes!r}") from None


def _colour(value: Any) -> int | None:
    key = value.strip().lower() if isinstance(value, str) else value
    try:
        return _COLOURS.get(key)
    except TypeError:
        return None


def read_igraph(graph: igraph.Graph, left: Iterable[int] | None) -> Parts:
    """A two-coloured igraph graph; see `BipartiteGraph.from_igraph`."""
    if not hasattr(graph, "get_edgelist"):
        raise InvalidMaskError(f"need an igraph.Graph, but got {type(graph).__name__}")
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
        vertices = _listed(left)
        if not all(isinstance(vertex, (int, np.integer)) for vertex in vertices):
            raise InvalidMaskError(f"left must name vertices by their numbers, but got {vertices[:3]}")
        left_nodes = np.array(vertices, dtype=np.int64)
        is_right = np.ones(graph.vcount(), dtype=bool)
        if left_nodes.size and (left_nodes.min() < 0 or left_nodes.max() >= graph.vcount()):
            raise InvalidMaskError(f"left must name vertices in 0..{graph.vcount() - 1}")
        is_right[left_nodes] = False
        if left_nodes.size != np.count_nonzero(~is_right):
            raise InvalidMaskError("left names a vertex twice")
    right_nodes = np.flatnonzero(is_right)
    number = np.empty(graph.vcount(), dtype=np.int64)
    number[left_nodes] = np.arange(left_nodes.size)
    number[right_nodes] = np.arange(right_nodes.size)
    pairs = np.array(graph.get_edgelist(), dtype=np.int64).reshape(-1, 2)
    if "weight" in graph.es.attributes():
        pairs = pairs[[not is_zero(weight) for weight in graph.es["weight"]]]
    if (is_right[pairs[:, 0]] == is_right[pairs[:, 1]]).any():
        raise InvalidMaskError(
            "an edge runs within one side, so the graph is not bipartite with these sides; "
            "pass left= to name the inputs"
        )
    swapped = is_right[pairs[:, 0]]
    pairs[swapped] = pairs[swapped][:, ::-1]
    parts = read_edges(number[pairs], left_nodes.size, right_nodes.size)
    if "name" not in graph.vs.attributes() or any(name is None for name in graph.vs["name"]):
        return parts
    names = [str(name) for name in graph.vs["name"]]
    return parts._replace(
        left_labels=tuple(names[v] for v in left_nodes), right_labels=tuple(names[v] for v in right_nodes)
    )


def _check_finite(values: npt.NDArray[Any]) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(np.count_nonzero(~np.isfinite(values)))
        raise InvalidMaskError(f"a mask cannot hold NaN or infinity, but {bad} entries do; repair the weights first")


def _indptr(rows: npt.NDArray[np.int64], n_left: int) -> npt.NDArray[np.int64]:
    """CSR row pointer of sorted row numbers."""
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_left))])
