"""`BipartiteGraph`: the connections between two layers of neurons, as a graph."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.caching import cache_of
from topograph.checks import check_choice
from topograph.display import html_table
from topograph.doors import LARGEST_SIDE, check_side, read_edges, read_igraph, read_matrix, read_networkx
from topograph.errors import InvalidMaskError
from topograph.labels import Labels, check_labels

if TYPE_CHECKING:
    import igraph
    import networkx as nx
    import pandas as pd

    from topograph.spectral import Spectrum

Indices = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class BipartiteGraph:
    """One layer: which of ``n_left`` inputs connects to which of ``n_right`` outputs.

    The graph is immutable, simple and unweighted. Its content is the pattern of the ``n_left × n_right`` biadjacency
    matrix B in CSR form: the outputs of input ``i`` are ``indices[indptr[i]:indptr[i + 1]]``, in ascending order.

    Make one through a door: `from_mask`, `from_edges`, `from_networkx`, `from_igraph`, or `topograph.construct`.

    Parameters
    ----------
    n_left, n_right
        Numbers of inputs and outputs, each at least 1.
    indptr
        Shape ``(n_left + 1,)``: where each input's outputs begin.
    indices
        Shape ``(n_edges,)``: the outputs, strictly ascending within each input.
    left_labels, right_labels
        Names of the inputs and of the outputs, all different on a side, or None. They are kept through every door, but
        are not part of what the graph is: two graphs are equal when sizes and edges are.

    Raises
    ------
    InvalidMaskError
        When the arrays are not such a CSR pattern, or the labels do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> graph = BipartiteGraph.from_mask(np.array([[1, 1, 0], [0, 1, 1]]))
    >>> graph
    BipartiteGraph(2 × 3, 4 edges, density 66.7 %, left degrees 2, right degrees 1..2)
    >>> graph.edges().tolist()
    [[0, 0], [0, 1], [1, 1], [1, 2]]
    """

    n_left: int
    n_right: int
    indptr: Indices
    indices: Indices
    left_labels: Labels | None = None
    right_labels: Labels | None = None

    def __post_init__(self) -> None:
        n_left = check_side("n_left", self.n_left)
        n_right = check_side("n_right", self.n_right)
        indptr: npt.NDArray[Any] = np.asarray(self.indptr)
        indices: npt.NDArray[Any] = np.asarray(self.indices)
        if indptr.dtype.kind not in "iu" or indices.dtype.kind not in "iu":
            raise InvalidMaskError(f"indptr and indices must be integers, but got {indptr.dtype} and {indices.dtype}")
        if indptr.shape != (n_left + 1,) or indptr[0] != 0 or indptr[-1] != indices.size or indices.ndim != 1:
            raise InvalidMaskError(
                f"indptr must run from 0 to the number of edges in {n_left + 1} steps, but got shape {indptr.shape} "
                f"for {indices.size} indices"
            )
        # counting is the cheapest of NumPy's reductions: files may hold many thousands of small layers
        if np.count_nonzero(indptr[1:] < indptr[:-1]):
            raise InvalidMaskError("indptr must not decrease")
        if indices.size:
            low, high = np.minimum.reduce(indices), np.maximum.reduce(indices)
            if low < 0 or high >= n_right:
                raise InvalidMaskError(f"every output must be in 0..{n_right - 1}, but got {low}..{high}")
        if indices.size > 1:
            rises = indices[1:] > indices[:-1]
            starts = indptr[1:-1]
            rises[starts[(starts > 0) & (starts < indices.size)] - 1] = True
            if np.count_nonzero(rises) < rises.size:
                raise InvalidMaskError("the outputs of each input must be strictly ascending, without duplicates")
        dtype = np.int32 if indices.size < LARGEST_SIDE else np.int64
        for name, value in (("indptr", indptr), ("indices", indices)):
            object.__setattr__(self, name, _frozen(value, dtype))
        object.__setattr__(self, "left_labels", check_labels("left_labels", self.left_labels, n_left))
        object.__setattr__(self, "right_labels", check_labels("right_labels", self.right_labels, n_right))
        object.__setattr__(self, "n_left", n_left)
        object.__setattr__(self, "n_right", n_right)

    # ------------------------------------------------------------------ doors in

    @classmethod
    def from_mask(cls, mask: Any) -> BipartiteGraph:
        """Read a mask or a weight matrix: every non-zero entry is an edge.

        Parameters
        ----------
        mask
            Shape ``(n_left, n_right)``, rows are inputs: an array (bool, int or float), anything NumPy can read as
            one, a pandas DataFrame (whose index and columns become the labels), or a SciPy sparse matrix of any format
            (explicit zeros are not edges; duplicates are summed first, as SciPy does).

        Raises
        ------
        InvalidMaskError
            Not two-dimensional, an empty side, not numbers, or holding NaN or infinity.

        Examples
        --------
        >>> BipartiteGraph.from_mask([[0.5, 0.0], [0.0, -2.0]]).n_edges
        2
        """
        if isinstance(mask, BipartiteGraph):
            return mask
        return cls(*read_matrix(mask))

    @classmethod
    def from_edges(
        cls,
        edges: Iterable[Sequence[Hashable]] | npt.ArrayLike,
        n_left: int | None = None,
        n_right: int | None = None,
        *,
        left: Iterable[Hashable] | None = None,
        right: Iterable[Hashable] | None = None,
    ) -> BipartiteGraph:
        """Read pairs (input, output): numbers from 0 on both sides, or names.

        Parameters
        ----------
        edges
            Shape ``(n_edges, 2)``, in any order, without duplicates; a DataFrame of two columns is fine.
        n_left, n_right
            The sizes; without them, one more than the largest number seen on that side.
        left, right
            The names of the inputs and outputs, in the order wanted: the edges are read as pairs of names, and a name
            without an edge is a neuron without one. Without them, names are numbered as they appear.

        Raises
        ------
        InvalidMaskError

        Examples
        --------
        >>> BipartiteGraph.from_edges([(0, 1), (1, 0)], 2, 3).to_mask().astype(int).tolist()
        [[0, 1, 0], [1, 0, 0]]
        >>> genes = BipartiteGraph.from_edges([("TP53", "apoptosis"), ("EGFR", "growth")])
        >>> genes.left_labels, genes.right_labels
        (('TP53', 'EGFR'), ('apoptosis', 'growth'))
        """
        return cls(*read_edges(edges, n_left, n_right, left, right))

    @classmethod
    def from_networkx(cls, graph: nx.Graph[Any], left: Iterable[Hashable] | None = None) -> BipartiteGraph:
        """Read an undirected networkx graph, two-coloured by the node attribute ``bipartite`` (0 left, 1 right).

        Nodes are numbered on each side in the graph's own order. Their attribute ``label``, or else the nodes
        themselves, become the labels, unless they are mere numbers as `to_networkx` gives them.

        Parameters
        ----------
        graph
            A simple graph whose edges all run between the two sides.
        left
            The left nodes, in the order wanted; needed when the attribute is missing.
        """
        return cls(*read_networkx(graph, left))

    @classmethod
    def from_igraph(cls, graph: igraph.Graph, left: Iterable[int] | None = None) -> BipartiteGraph:
        """Read an undirected igraph graph, two-coloured by the vertex attribute ``type`` (False left, True right).

        Parameters
        ----------
        graph
            A simple graph whose edges all run between the two sides. Its vertex attribute ``name`` gives the labels.
        left
            The left vertices, in the order wanted; needed when the attribute is missing.
        """
        return cls(*read_igraph(graph, left))

    # ------------------------------------------------------------------ doors out

    @property
    def biadjacency(self) -> sp.csr_array:
        """The biadjacency B, ``n_left × n_right``, as a boolean CSR array (index arrays shared, read-only)."""
        data = np.ones(self.n_edges, dtype=bool)
        return sp.csr_array((data, self.indices, self.indptr), shape=self.shape)

    def to_mask(self, dtype: npt.DTypeLike = bool) -> npt.NDArray[Any]:
        """The dense 0/1 mask, shape ``(n_left, n_right)``."""
        mask = np.zeros(self.shape, dtype=dtype)
        mask[self._rows, self.indices] = 1
        return mask

    def edges(self) -> npt.NDArray[np.int64]:
        """All edges (input, output), shape ``(n_edges, 2)``, sorted by input, then output."""
        return np.stack([self._rows, self.indices.astype(np.int64)], axis=1)

    def to_frame(self) -> pd.DataFrame:
        """The dense mask as a DataFrame, with the labels as its index and columns.

        Examples
        --------
        >>> BipartiteGraph.from_edges([("a", "x"), ("b", "y")]).to_frame().loc["a", "x"]
        np.True_
        """
        import pandas as pd

        return pd.DataFrame(self.to_mask(), index=self.left_labels, columns=self.right_labels)

    def edge_table(self) -> pd.DataFrame:
        """One row per edge with the columns ``input`` and ``output``: names where there are labels, numbers elsewhere.

        ``graph.edge_table().to_csv("mask.csv", index=False)`` is a file that `topograph.load` reads.

        Examples
        --------
        >>> BipartiteGraph.from_edges([("a", "x"), ("b", "y")]).edge_table().to_numpy().tolist()
        [['a', 'x'], ['b', 'y']]
        """
        import pandas as pd

        columns = {}
        sides = (("input", self.left_labels), ("output", self.right_labels))
        for (name, labels), numbers in zip(sides, self.edges().T, strict=True):
            columns[name] = numbers if labels is None else np.array(labels, dtype=object)[numbers]
        return pd.DataFrame(columns)

    def labelled(
        self, left: Iterable[Hashable] | None = None, right: Iterable[Hashable] | None = None
    ) -> BipartiteGraph:
        """The same graph with these labels; None keeps none on that side."""
        return BipartiteGraph(
            self.n_left,
            self.n_right,
            self.indptr,
            self.indices,
            check_labels("left", left, self.n_left),
            check_labels("right", right, self.n_right),
        )

    def to_networkx(self) -> nx.Graph[int]:
        """A networkx graph: inputs are ``0 … n_left - 1``, outputs follow; the attribute ``bipartite`` is 0 or 1.

        The node attribute ``label`` holds the names of the neurons, where there are labels.
        """
        import networkx as nx

        graph: nx.Graph[int] = nx.Graph()
        graph.add_nodes_from(range(self.n_left), bipartite=0)
        graph.add_nodes_from(range(self.n_left, self.n_nodes), bipartite=1)
        graph.add_edges_from((self.edges() + np.array([0, self.n_left])).tolist())
        for labels, first in ((self.left_labels, 0), (self.right_labels, self.n_left)):
            for node, label in enumerate(labels or (), start=first):
                graph.nodes[node]["label"] = label
        return graph

    def to_igraph(self) -> igraph.Graph:
        """An igraph graph: inputs are ``0 … n_left - 1``, outputs follow; the vertex attribute ``type`` is the side.

        The vertex attribute ``name`` holds the names of the neurons, where both sides have labels.
        """
        import igraph

        attributes: dict[str, list[Any]] = {"type": [False] * self.n_left + [True] * self.n_right}
        if self.left_labels is not None and self.right_labels is not None:
            attributes["name"] = [*self.left_labels, *self.right_labels]
        return igraph.Graph(
            n=self.n_nodes, edges=(self.edges() + np.array([0, self.n_left])).tolist(), vertex_attrs=attributes
        )

    # ------------------------------------------------------------------ what it is

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_left, n_right)``."""
        return self.n_left, self.n_right

    @property
    def n_nodes(self) -> int:
        """``n_left + n_right``."""
        return self.n_left + self.n_right

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return int(self.indices.size)

    @property
    def density(self) -> float:
        """Share of the possible edges that exist, ``n_edges / (n_left · n_right)``, in [0, 1]."""
        return self.n_edges / (self.n_left * self.n_right)

    @cached_property
    def left_degrees(self) -> npt.NDArray[np.int64]:
        """Number of outputs of each input, shape ``(n_left,)``."""
        degrees: npt.NDArray[np.int64] = _frozen(np.diff(self.indptr), np.int64)
        return degrees

    @cached_property
    def right_degrees(self) -> npt.NDArray[np.int64]:
        """Number of inputs of each output, shape ``(n_right,)``."""
        degrees: npt.NDArray[np.int64] = _frozen(np.bincount(self.indices, minlength=self.n_right), np.int64)
        return degrees

    def degree_stats(self) -> pd.DataFrame:
        """Degree statistics of both sides: one row per side.

        Examples
        --------
        >>> BipartiteGraph.from_mask([[1, 1, 0], [0, 1, 0]]).degree_stats().round(2)
               nodes  min  mean  max   std  isolated
        left       2    1   1.5    2  0.50         0
        right      3    0   1.0    2  0.82         1
        """
        import pandas as pd

        rows = {
            side: {
                "nodes": degrees.size,
                "min": int(degrees.min()),
                "mean": float(degrees.mean()),
                "max": int(degrees.max()),
                "std": float(degrees.std()),
                "isolated": int(np.count_nonzero(degrees == 0)),
            }
            for side, degrees in (("left", self.left_degrees), ("right", self.right_degrees))
        }
        table = pd.DataFrame.from_dict(rows, orient="index")
        return table.astype({"nodes": int, "min": int, "max": int, "isolated": int})

    @property
    def component_labels(self) -> npt.NDArray[np.int64]:
        """The connected component of each node, inputs first, shape ``(n_nodes,)``, numbered from 0."""
        if not self.has_component_labels:
            from scipy.sparse import csgraph  # it brings all of SciPy's linear algebra

            _, labels = csgraph.connected_components(_bipartite_adjacency(self), directed=False)
            cache_of(self)["component_labels"] = _frozen(labels, np.int64)
        cached: npt.NDArray[np.int64] = cache_of(self)["component_labels"]
        return cached

    @property
    def has_component_labels(self) -> bool:
        """Whether the components have been searched for already."""
        return "component_labels" in cache_of(self)

    @property
    def n_components(self) -> int:
        """Number of connected components; an isolated node is one."""
        return int(self.component_labels.max()) + 1

    @property
    def is_connected(self) -> bool:
        """Whether every node can be reached from every other."""
        return self.n_components == 1

    def giant_component(self) -> BipartiteGraph:
        """The component with the most edges (then the most nodes, then the lowest node) as a graph of its own.

        Raises
        ------
        InvalidMaskError
            When there is no edge: a lone node has only one side.
        """
        if not self.n_edges:
            raise InvalidMaskError("a graph without edges has no giant component")
        labels = self.component_labels
        edge_counts = np.bincount(labels[: self.n_left], weights=self.left_degrees, minlength=self.n_components)
        node_counts = np.bincount(labels, minlength=self.n_components)
        giant = np.lexsort((-node_counts, -edge_counts))[0]
        return self.subgraph(labels[: self.n_left] == giant, labels[self.n_left :] == giant)

    def subgraph(self, left: npt.ArrayLike, right: npt.ArrayLike) -> BipartiteGraph:
        """The graph on the chosen inputs and outputs (boolean masks or indices in ascending order)."""
        rows, columns = np.asarray(left), np.asarray(right)
        part = BipartiteGraph.from_mask(self.biadjacency[rows, :][:, columns])
        return part.labelled(_chosen(self.left_labels, rows), _chosen(self.right_labels, columns))

    def transpose(self) -> BipartiteGraph:
        """The same edges seen from the outputs: left and right change places."""
        csc = self.biadjacency.tocsc()
        return BipartiteGraph(self.n_right, self.n_left, csc.indptr, csc.indices, self.right_labels, self.left_labels)

    T = property(transpose)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of sizes and edges, 64 hexadecimal digits: equal exactly for equal graphs, on every machine."""
        digest = hashlib.sha256(f"BipartiteGraph {self.n_left} {self.n_right} {self.n_edges}\n".encode())
        digest.update(np.ascontiguousarray(self.left_degrees, dtype="<u4").data)
        digest.update(np.ascontiguousarray(self.indices, dtype="<u4").data)
        return digest.hexdigest()

    # ------------------------------------------------------------------ how good an expander it is

    def spectrum(self, *, on_failure: str = "raise", **options: Any) -> Spectrum:
        """The spectral quantities of this graph with their evidence; see `topograph.spectral.compute_spectrum`.

        Without further options the result is kept, so that every metric reads the same one.
        """
        if options or not self.has_spectrum:
            from topograph.spectral import compute_spectrum

            if options:
                return compute_spectrum(self, on_failure=on_failure, **options)
            check_choice("on_failure", on_failure, ["raise", "nan"])
            self.keep_spectrum(compute_spectrum(self, on_failure="nan"))
        spectrum: Spectrum = cache_of(self)["spectrum"]
        if on_failure == "nan":
            return spectrum
        check_choice("on_failure", on_failure, ["raise", "nan"])
        return spectrum.require_all()

    @property
    def has_spectrum(self) -> bool:
        """Whether the spectrum that `spectrum` keeps has been computed already."""
        return "spectrum" in cache_of(self)

    def keep_spectrum(self, spectrum: Spectrum) -> None:
        """Keep a spectrum of this graph that was computed together with others; see `compute_spectra`."""
        cache_of(self)["spectrum"] = spectrum

    def _estimate(self, quantity: str) -> float:
        """One quantity without the others, unless the whole spectrum has been computed already; kept as well."""
        from topograph.spectral import Estimate, compute_spectrum

        if self.has_spectrum:
            return self.spectrum(on_failure="nan")[quantity].require()
        cache = cache_of(self)
        if quantity not in cache:
            cache[quantity] = compute_spectrum(self, quantities=[quantity], on_failure="nan")[quantity]
        estimate: Estimate = cache[quantity]
        return estimate.require()

    def algebraic_connectivity(self) -> float:
        """Second smallest eigenvalue of the Laplacian of the ``n_left + n_right`` node graph, with multiplicity.

        Exactly 0 when the graph is disconnected; isolated nodes count.

        Examples
        --------
        >>> round(BipartiteGraph.from_mask([[1, 1], [1, 1]]).algebraic_connectivity(), 12)
        2.0
        """
        return self._estimate("algebraic_connectivity")

    def spectral_gap(self, kind: str = "normalized") -> float:
        """A spectral gap, under the convention that ``kind`` names.

        ========================  ====================================================================
        ``"normalized"``          1 − σ2(D_L^-½ B D_R^-½), isolated nodes dropped; in [0, 1] (default)
        ``"laplacian"``           smallest non-zero eigenvalue of the Laplacian
        ``"adjacency"``           σ1(B) − σ2(B)
        ========================  ====================================================================

        Returns
        -------
        float
            NaN where the gap is undefined (a graph without edges; its adjacency gap is 0).

        Raises
        ------
        ConvergenceError
            When a large graph's value was not reached within the tolerance.
        """
        check_choice("kind", kind, ["normalized", "laplacian", "adjacency"])
        return self._estimate(f"{kind}_gap")

    # ------------------------------------------------------------------ Python's own protocols

    @property
    def _rows(self) -> npt.NDArray[np.int64]:
        return np.repeat(np.arange(self.n_left), self.left_degrees)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BipartiteGraph):
            return NotImplemented
        return (
            self.shape == other.shape
            and np.array_equal(self.indptr, other.indptr)
            and np.array_equal(self.indices, other.indices)
        )

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.indptr.flags.writeable = False
        self.indices.flags.writeable = False

    def __repr__(self) -> str:
        return f"BipartiteGraph({self.description})"

    @property
    def description(self) -> str:
        """Sizes, edges, density and degrees in one line."""
        edges = "1 edge" if self.n_edges == 1 else f"{self.n_edges} edges"
        return (
            f"{self.n_left} × {self.n_right}, {edges}, density {100 * self.density:.3g} %, "
            f"left degrees {_span(self.left_degrees)}, right degrees {_span(self.right_degrees)}"
        )

    def _repr_html_(self) -> str:
        connected = "yes" if self.is_connected else f"no, {self.n_components} components"
        rows = [
            ("inputs × outputs", f"{self.n_left} × {self.n_right}"),
            ("edges", f"{self.n_edges:,}"),
            ("density", f"{100 * self.density:.3g} %"),
            ("left degrees", _span(self.left_degrees)),
            ("right degrees", _span(self.right_degrees)),
            ("connected", connected),
        ]
        return html_table("BipartiteGraph", rows)


def _bipartite_adjacency(graph: BipartiteGraph) -> sp.csr_array:
    """Upper half of the adjacency of the n_left + n_right nodes: enough for an undirected search."""
    n = graph.n_nodes
    tail = np.full(graph.n_right, graph.n_edges, dtype=graph.indptr.dtype)
    indptr = np.concatenate([graph.indptr, tail])
    data = np.ones(graph.n_edges, dtype=bool)
    return sp.csr_array((data, graph.indices + np.int32(graph.n_left), indptr), shape=(n, n))


def _frozen(values: npt.NDArray[Any], dtype: Any) -> Any:
    """A read-only array whose memory nobody else can write to."""
    result = np.ascontiguousarray(values, dtype=dtype)
    if result is values or result.base is not None:
        result = result if not result.flags.writeable else result.copy()
    result.flags.writeable = False
    return result


def _chosen(labels: Labels | None, numbers: npt.NDArray[Any]) -> Labels | None:
    """The labels of the chosen neurons."""
    return None if labels is None else tuple(np.array(labels, dtype=object)[numbers].tolist())


def _span(degrees: npt.NDArray[np.int64]) -> str:
    low, high = int(degrees.min()), int(degrees.max())
    return str(low) if low == high else f"{low}..{high}"
