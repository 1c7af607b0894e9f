"""`Topology`: the connections of a whole feed-forward network, as a chain of layers."""

from __future__ import annotations

import hashlib
import itertools
import os
import zipfile
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from topograph.checks import Seed, check_at_most_one, check_density, check_generator, check_integer
from topograph.constructions import Construction, allocate_edges, construct, get_construction
from topograph.display import html_table
from topograph.errors import InvalidMaskError, InvalidParameterError, TopologyMismatchError
from topograph.files import whole
from topograph.graph import BipartiteGraph
from topograph.layering import layered_graphs
from topograph.limits import check_nodes, check_zip

FORMAT = "topograph topology 1"


@dataclass(frozen=True, init=False, repr=False)
class Topology(Sequence[BipartiteGraph]):
    """An ordered chain of `BipartiteGraph`: the outputs of each are the inputs of the next.

    Parameters
    ----------
    graphs
        At least one layer, first layer first; anything `BipartiteGraph.from_mask` reads.

    Raises
    ------
    TopologyMismatchError
        When the widths do not chain; the message names the layers.

    Examples
    --------
    >>> topology = Topology.build("regular_rotating", sizes=[784, 300, 10], degrees=[30, 10], seed=0)
    >>> topology
    Topology(784-300-10, 26520 edges, density 11.1 %)
    >>> topology[0].n_edges, len(topology)
    (23520, 2)
    """

    graphs: tuple[BipartiteGraph, ...]

    def __init__(self, graphs: Iterable[Any]) -> None:
        if isinstance(graphs, (str, Mapping, BipartiteGraph)) or not isinstance(graphs, Iterable):
            raise InvalidMaskError(
                f"a topology is made of a list of graphs or masks, but got a {type(graphs).__name__}; a MaskSet has "
                "to_topology()"
            )
        chain = tuple(BipartiteGraph.from_mask(graph) for graph in graphs)
        if not chain:
            raise TopologyMismatchError("a topology has at least one layer, but got none")
        for number, (first, second) in enumerate(itertools.pairwise(chain), start=1):
            if first.n_right != second.n_left:
                raise TopologyMismatchError(
                    f"layers must chain, but layer {number} has {first.n_right} outputs and layer {number + 1} "
                    f"has {second.n_left} inputs (shapes {first.shape}, {second.shape}); masks are inputs × outputs: "
                    "transpose them if yours are outputs × inputs"
                )
            outputs, inputs = first.right_labels, second.left_labels
            if outputs is not None and inputs is not None and outputs != inputs:
                clash = next((a, b) for a, b in zip(outputs, inputs, strict=True) if a != b)
                raise TopologyMismatchError(
                    f"the outputs of layer {number} must be named as the inputs of layer {number + 1}, but "
                    f"{clash[0]!r} meets {clash[1]!r}; bring the neurons into one order, or drop "
                    "the labels with graph.labelled()"
                )
        object.__setattr__(self, "graphs", chain)

    @classmethod
    def build(
        cls,
        construction: str | Construction | Sequence[str | Construction],
        sizes: Sequence[int],
        degrees: Sequence[float] | float | None = None,
        *,
        densities: Sequence[float] | float | None = None,
        edges: int | None = None,
        density: float | None = None,
        sparsity: float | None = None,
        allocation: str = "uniform",
        seed: Seed = 0,
        **options: Any,
    ) -> Topology:
        """Make each layer by a construction.

        Parameters
        ----------
        construction
            One for all layers, or one for each.
        sizes
            Numbers of neurons in each layer, inputs first: at least two.
        degrees
            Outputs of each input: one for each layer, or one number for all.
        densities
            Instead of degrees: the share of edges wanted, for each layer or for all.
        edges, density, sparsity
            Instead of these: the edges of the whole network, or their share of all possible ones, met exactly;
            ``sparsity`` is 1 − ``density``.
        allocation
            How the layers share ``edges`` or ``density``: ``"uniform"``, ``"er"``, ``"erk"``, ``"balanced"`` or
            ``"degree"``, see `topograph.constructions.allocate_edges`.
        seed
            Each layer draws from its own child of this seed.
        **options
            Further options of the construction.

        Raises
        ------
        UnknownNameError, InvalidParameterError

        Examples
        --------
        >>> Topology.build("random_regular", [64, 32, 10], densities=0.25).n_edges
        576
        >>> topology = Topology.build("regular_rotating", [784, 300, 10], edges=10_000, allocation="er")
        >>> [graph.n_edges for graph in topology], topology.n_edges
        ([7776, 2224], 10000)
        """
        sizes = [check_integer("size", size, low=1) for size in _as_list("sizes", sizes)]
        if len(sizes) < 2:
            raise InvalidParameterError(f"sizes must name at least two layers, inputs and outputs, but got {sizes}")
        pairs = len(sizes) - 1
        alone = isinstance(construction, (str, Construction))
        names = [construction] * pairs if alone else _as_list("construction", construction)
        per_layer = {
            "constructions": names,
            "degrees": _broadcast(degrees, pairs),
            "densities": _broadcast(densities, pairs),
        }
        for what, values in per_layer.items():
            if len(values) != pairs:
                raise InvalidParameterError(
                    f"sizes {sizes} make {pairs} layers, but {what} has {len(values)}: {values}"
                )
        check_at_most_one(degrees=degrees, densities=densities, edges=edges, density=density, sparsity=sparsity)
        density = check_density(density, sparsity)
        counts: list[int | None] = [None] * pairs
        if edges is not None or density is not None:
            shapes = list(itertools.pairwise(sizes))
            if density is not None:
                edges = max(pairs, round(density * sum(n * m for n, m in shapes)))
            counts = list(allocate_edges(shapes, check_integer("edges", edges, low=1), allocation))
        generators = check_generator(seed).spawn(pairs)
        return cls(
            construct(get_construction(name), n, m, degree=k, density=share, edges=count, seed=generator, **options)
            for name, n, m, k, share, count, generator in zip(
                names,
                sizes,
                sizes[1:],
                per_layer["degrees"],
                per_layer["densities"],
                counts,
                generators,
                strict=False,
            )
        )

    @classmethod
    def from_edges(
        cls, edges: Iterable[Sequence[Hashable]] | npt.ArrayLike, layers: Iterable[Iterable[Hashable]] | None = None
    ) -> Topology:
        """Read named edges (source, target) of a whole feed-forward network: a pathway, a hierarchy, a wiring diagram.

        Parameters
        ----------
        edges
            Shape ``(n_edges, 2)``: names of neurons, or a DataFrame of two columns, in any order, without duplicates.
        layers
            The names of the neurons of each layer, inputs first, in the order wanted; a name without an edge is a
            neuron without one. Without it the layers follow from the edges: each neuron stands one layer behind the
            furthest of its sources, in the order of appearance.

        Raises
        ------
        InvalidMaskError
            When the edges form a cycle, stand there twice, or use a name that no layer has.
        TopologyMismatchError
            When an edge skips a layer; the message names it.

        Examples
        --------
        >>> edges = [("TP53", "apoptosis"), ("EGFR", "growth"), ("growth", "y"), ("apoptosis", "y")]
        >>> pathway = Topology.from_edges(edges)
        >>> pathway, pathway[0].left_labels
        (Topology(2-2-1, 4 edges, density 66.7 %), ('TP53', 'EGFR'))
        """
        return cls(layered_graphs(edges, layers))

    # ------------------------------------------------------------------ what it is

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of neurons in each layer, inputs first."""
        return (self.graphs[0].n_left, *(graph.n_right for graph in self.graphs))

    @property
    def architecture(self) -> str:
        """The sizes in the usual notation, such as ``"784-300-10"``."""
        return "-".join(str(size) for size in self.sizes)

    @property
    def n_edges(self) -> int:
        """Number of edges of all layers."""
        return sum(graph.n_edges for graph in self.graphs)

    @property
    def density(self) -> float:
        """Share of the possible edges that exist: edges over the sum of n · m of all layers."""
        return self.n_edges / sum(graph.n_left * graph.n_right for graph in self.graphs)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over the layers' hashes, 64 hexadecimal digits: the ``topology_id`` of a study."""
        return hashlib.sha256(
            "\n".join(["Topology", *(graph.content_hash for graph in self.graphs)]).encode()
        ).hexdigest()

    def as_graph(self) -> BipartiteGraph:
        """The whole network as one graph.

        A feed-forward network is bipartite between its even layers (inputs, second hidden, …: left) and its odd ones
        (right), so every metric of a `BipartiteGraph` that does not care about sides has a meaning for it.

        Examples
        --------
        >>> Topology.build("dense", [3, 2, 4]).as_graph().shape
        (7, 2)
        """
        starts = [sum(self.sizes[layer % 2 : layer : 2]) for layer in range(len(self.sizes))]
        pieces = []
        for layer, graph in enumerate(self.graphs):
            edges = graph.edges() + np.array([starts[layer], starts[layer + 1]])
            pieces.append(edges if layer % 2 == 0 else edges[:, ::-1])
        return BipartiteGraph.from_edges(np.concatenate(pieces), sum(self.sizes[::2]), sum(self.sizes[1::2]))

    # ------------------------------------------------------------------ files

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the topology to a file, exactly; returns the path.

        An ``.npz`` file holds the edges and the labels. A ``.safetensors`` file holds dense masks, inputs × outputs,
        without labels; see `topograph.masks.save`. The file appears whole or not at all.
        """
        target = Path(path)
        if target.suffix == ".safetensors":
            from topograph.masks.writing import save

            return save(self, target)
        arrays: dict[str, Any] = {"format": np.array(FORMAT), "sizes": np.array(self.sizes)}
        for number, graph in enumerate(self.graphs, start=1):
            arrays[f"indptr_{number}"], arrays[f"indices_{number}"] = graph.indptr, graph.indices
            for name, labels in zip(_label_names(number), (graph.left_labels, graph.right_labels), strict=True):
                if labels is not None:
                    arrays[name] = np.array(labels, dtype=np.str_)
        with whole(target) as file:
            np.savez_compressed(file, **arrays)
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Topology:
        """Read a file written by `save`.

        Raises
        ------
        InvalidMaskError
            When the file is missing, broken, or something else; no pickle is executed.
        """
        if Path(path).suffix == ".safetensors":
            from topograph.masks.loading import load

            return load(path).to_topology()
        try:
            with zipfile.ZipFile(path) as members:
                check_zip(members, path)
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
                if str(archive["format"]) != FORMAT:
                    raise InvalidMaskError(
                        f"{path}: the format is {archive['format']}, but this version reads {FORMAT!r}"
                    )
                sizes = [int(size) for size in archive["sizes"].ravel()]
                check_nodes(sizes, Path(path).stat().st_size)
                return cls(
                    BipartiteGraph(
                        n,
                        m,
                        archive[f"indptr_{i}"],
                        archive[f"indices_{i}"],
                        *(archive[name].tolist() if name in archive else None for name in _label_names(i)),
                    )
                    for i, (n, m) in enumerate(itertools.pairwise(sizes), start=1)
                )
        except Exception as error:  # a damaged archive raises errors of zipfile, zlib and NumPy
            if isinstance(error, InvalidMaskError) and str(path) in str(error):
                raise
            raise InvalidMaskError(f"{path} is not a topology file: {type(error).__name__}: {error}") from error

    # ------------------------------------------------------------------ a user's model

    def apply_to(self, model: Any, layers: Iterable[str] | None = None, sparse: bool = False) -> tuple[str, ...]:
        """Put the masks on a PyTorch or Keras model, and keep them there while it trains, momentum included.

        Parameters
        ----------
        model
            The model, changed in place.
        layers
            The name of the model's layer for each layer, such as ``["fc1", "fc2"]``; without it, all layers that
            can hold a mask, in order.
        sparse
            Whether to replace linear layers of PyTorch by `topograph.torch.SparseLinear`, whose time and memory are in
            proportion to the edges.

        Returns
        -------
        tuple of str
            The names of the weights that are masked now.

        Raises
        ------
        TopologyMismatchError, UnknownNameError
            When the layers do not fit; see `topograph.masks.applying.apply_masks`, which also says how it works.
        """
        from topograph.masks.applying import apply_masks, match_layers

        return apply_masks(match_layers(self, model, layers), model, sparse)

    def remove_from(self, model: Any, layers: Iterable[str] | None = None) -> tuple[str, ...]:
        """Make the masks final that `apply_to` put there: plain weights, 0 without an edge; returns their names.

        Raises
        ------
        TopologyMismatchError, UnknownNameError, InvalidParameterError
            When the layers do not fit, or have no mask; see `topograph.masks.applying.remove_masks`.
        """
        from topograph.masks.applying import match_layers, remove_masks

        return remove_masks(match_layers(self, model, layers), model)

    # ------------------------------------------------------------------ Python's own protocols

    @overload
    def __getitem__(self, index: int) -> BipartiteGraph: ...
    @overload
    def __getitem__(self, index: slice) -> Topology: ...
    def __getitem__(self, index: int | slice) -> BipartiteGraph | Topology:
        return Topology(self.graphs[index]) if isinstance(index, slice) else self.graphs[index]

    def __len__(self) -> int:
        return len(self.graphs)

    def __iter__(self) -> Iterator[BipartiteGraph]:
        return iter(self.graphs)

    def __repr__(self) -> str:
        return f"Topology({self.architecture}, {self.n_edges} edges, density {100 * self.density:.3g} %)"

    def _repr_html_(self) -> str:
        rows = [
            ("neurons", self.architecture),
            ("edges", f"{self.n_edges:,}"),
            ("density", f"{100 * self.density:.3g} %"),
        ]
        rows += [(f"layer {number}", graph.description) for number, graph in enumerate(self.graphs, start=1)]
        return html_table("Topology", rows)


def _label_names(number: int) -> tuple[str, str]:
    return f"left_labels_{number}", f"right_labels_{number}"


def _broadcast(value: Sequence[float] | float | None, pairs: int) -> list[Any]:
    if value is None or isinstance(value, (int, float, np.number)):
        return [value] * pairs
    return _as_list("degrees or densities", value)


def _as_list(name: str, values: Any) -> list[Any]:
    try:
        return list(values)
    except TypeError:
        raise InvalidParameterError(f"{name} must be a sequence, but got {values!r}") from None
