"""`MaskSet`: the named layers that a file or a model holds."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from topograph.checks import Seed
from topograph.constructions import Construction
from topograph.display import html_table
from topograph.errors import InvalidMaskError, TopologyMismatchError, UnknownNameError
from topograph.graph import BipartiteGraph
from topograph.masks.layers import Layer
from topograph.masks.source import Entry, Source, graph_entry
from topograph.topology import Topology


@dataclass(frozen=True)
class MaskSet(Mapping[str, BipartiteGraph]):
    """Layer name → `BipartiteGraph`, in the order of the source.

    Parameters
    ----------
    graphs
        The layers that were read.
    left_out
        Name → reason for everything in the source that is not a mask: nothing is skipped in silence.
    is_chain
        Whether the source says that the layers follow each other, as a topology file does.
    read_as
        Name → orientation, unfolding and edge rule, in words.

    Examples
    --------
    >>> first, second = BipartiteGraph.from_mask([[1, 0], [1, 1]]), BipartiteGraph.from_mask([[1], [1]])
    >>> masks = MaskSet({"fc1": first, "fc2": second})
    >>> masks.to_topology()
    Topology(2-2-1, 5 edges, density 83.3 %)
    """

    graphs: Mapping[str, BipartiteGraph]
    left_out: Mapping[str, str] = field(default_factory=dict)
    is_chain: bool = False
    read_as: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = self.graphs.values() if isinstance(self.graphs, Mapping) else [self.graphs]
        odd = next((type(value).__name__ for value in given if not isinstance(value, BipartiteGraph)), None)
        if odd is not None or not isinstance(self.graphs, Mapping):
            raise InvalidMaskError(
                f"a mask set maps names of layers to graphs, but got a {odd or type(self.graphs).__name__}; "
                "topograph.load(masks) reads arrays by name, and MaskSet.from_topology a topology"
            )

    @classmethod
    def from_topology(cls, topology: Topology) -> MaskSet:
        """The layers ``l1``, ``l2``, … of a topology."""
        return cls({f"l{i}": graph for i, graph in enumerate(topology, start=1)}, is_chain=True)

    @classmethod
    def from_layers(cls, label: str, layers: Iterable[Layer], *, is_chain: bool = False) -> MaskSet:
        """Collect layers that were read one by one.

        Raises
        ------
        InvalidMaskError
            When there is no mask among them; the message says why not, for the first few.
        """
        graphs, left_out, read_as = {}, {}, {}
        for layer in layers:
            if layer.graph is None:
                left_out[layer.name] = layer.reason
                continue
            graphs[layer.name] = layer.graph
            if layer.read_as:
                read_as[layer.name] = layer.read_as
        if not graphs:
            raise nothing_read(label, left_out)
        return cls(graphs, left_out, is_chain, read_as)

    @classmethod
    def build(
        cls,
        model: Any,
        construction: str | Construction | Mapping[str, str | Construction],
        *,
        density: float | None = None,
        sparsity: float | None = None,
        edges: int | None = None,
        densities: float | Sequence[float] | Mapping[str, float] | None = None,
        allocation: str | Callable[[Any], float] = "uniform",
        seed: Seed = 0,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        keep_dense: str | Iterable[str] = (),
        **options: Any,
    ) -> MaskSet:
        """Make a mask for every layer of a model that can hold one; the model is not changed.

        Linear layers, convolutions of any kind, each gate of a recurrent layer, each head of an attention projection,
        and experts become graphs in the orientation and the kernel unfolding in which `topograph.load` reads them. Of
        several names of one tensor, one gets a mask. `left_out` says what gets none, and why.

        Parameters
        ----------
        model
            A live PyTorch or Keras model, the path of a file that `topograph.load` reads, arrays by name, or masks: new
            ones are then made in their shapes.
        construction
            One for all layers, or a mapping from globs over layer names.
        density, sparsity, edges
            Of all the layers together, those kept dense among them: met exactly. ``sparsity`` is 1 − ``density``.
        densities
            Instead: one for all layers, one for each, or a mapping from globs over layer names. Each layer gets the
            nearest whole number of edges, at least 1.
        allocation
            How the layers share the edges: ``"uniform"``, ``"er"``, ``"erk"`` (with the sizes of the kernels),
            ``"balanced"``, ``"degree"``, or a function of a `topograph.masks.MaskableLayer` that gives a positive
            weight; see `topograph.masks.allocate`.
        seed
            Each layer draws from its own child of this seed.
        include, exclude
            Globs over layer names, as for `topograph.load`.
        keep_dense
            ``"first"``, ``"last"`` or globs: layers that keep all their edges.
        **options
            Further options of the construction.

        Raises
        ------
        InvalidParameterError
            When the number of edges cannot be met, or the construction cannot make a layer, which is named.
        InvalidMaskError
            When the model has no layer that can hold a mask.
        UnknownNameError
            When a name or a glob fits nothing.

        Examples
        --------
        >>> import numpy as np
        >>> weights = {"conv.kernel": np.ones((3, 3, 8, 16)), "fc.kernel": np.ones((400, 10))}
        >>> masks = MaskSet.build(weights, "erdos_renyi", density=0.25, allocation="erk", seed=0)
        >>> masks["conv.kernel"], sum(graph.n_edges for graph in masks.values())
        (BipartiteGraph(72 × 16, 88 edges, density 7.64 %, left degrees 0..3, right degrees 1..12), 1288)
        """
        from topograph.masks.building import build_masks

        return build_masks(
            model,
            construction,
            density=density,
            sparsity=sparsity,
            edges=edges,
            densities=densities,
            allocation=allocation,
            seed=seed,
            include=include,
            exclude=exclude,
            keep_dense=keep_dense,
            **options,
        )

    def to_topology(self, names: Iterable[str] | None = None) -> Topology:
        """The layers as a chain, in the order of the source or of ``names``.

        Raises
        ------
        TopologyMismatchError
            When the widths do not match; the message names the layers between which they do not.
        UnknownNameError
            When ``names`` holds a name that no layer has.
        """
        chain = list(self.graphs) if names is None else list(names)
        if not chain:
            raise InvalidMaskError("no mask was read, so there is no topology")
        breaks = [
            f"{first!r} has {self[first].n_right} outputs and {second!r} has {self[second].n_left} inputs"
            for first, second in itertools.pairwise(chain)
            if self[first].n_right != self[second].n_left
        ]
        if breaks:
            raise TopologyMismatchError(
                f"the layers do not chain: {'; '.join(breaks)}. Name those that do: to_topology(names=[…])"
            )
        return Topology(self[name] for name in chain)

    @property
    def content_hash(self) -> str:
        """SHA-256 over the layers' names and hashes, 64 hexadecimal digits: a model's ``topology_id`` in a study."""
        layers = (f"{graph.content_hash} {name}" for name, graph in self.graphs.items())
        return hashlib.sha256("\n".join(["MaskSet", *layers]).encode()).hexdigest()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the masks to ``.npz`` (exact, with names and reasons) or ``.safetensors`` (dense); see `save`."""
        from topograph.masks.writing import save

        return save(self, path)

    def apply_to(self, model: Any, sparse: bool = False) -> tuple[str, ...]:
        """Put the masks on the layers of the same names of a PyTorch or Keras model; see `apply_masks`.

        With ``sparse=True``, linear layers of PyTorch become `topograph.torch.SparseLinear`.
        """
        from topograph.masks.applying import apply_masks

        return apply_masks(self, model, sparse)

    def remove_from(self, model: Any) -> tuple[str, ...]:
        """Make the masks on the layers of these names final: plain weights, 0 without an edge; see `remove_masks`."""
        from topograph.masks.applying import remove_masks

        return remove_masks(self, model)

    def apply_tree(self, params: Any) -> Any:
        """A copy of a tree of JAX arrays, 0 where there is no edge; see `topograph.masks.jax_trees.apply_tree`."""
        from topograph.masks.jax_trees import apply_tree

        return apply_tree(self, params)

    def masked_optimizer(self, optimizer: Any) -> Any:
        """An optimizer of optax that keeps the masks; see `topograph.masks.jax_trees.masked_optimizer`."""
        from topograph.masks.jax_trees import masked_optimizer

        return masked_optimizer(self, optimizer)

    def __getitem__(self, name: str) -> BipartiteGraph:
        try:
            return self.graphs[name]
        except KeyError:
            raise UnknownNameError.among("layer", name, self.graphs) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.graphs)

    def __len__(self) -> int:
        return len(self.graphs)

    def __repr__(self) -> str:
        left_out = f", {len(self.left_out)} left out" if self.left_out else ""
        body = ", ".join(f"{name}: {graph.n_left} × {graph.n_right}" for name, graph in self.graphs.items())
        return f"MaskSet({body}{left_out})"

    def _repr_html_(self) -> str:
        rows = [
            (name, f"{graph.n_left} × {graph.n_right}, density {graph.density:.3%}. {self.read_as.get(name, '')}")
            for name, graph in self.graphs.items()
        ]
        rows += [(name, f"left out: {why}") for name, why in self.left_out.items()]
        return html_table(f"Mask set of {len(self)}", rows)


def mask_set_source(masks: MaskSet, label: str = "the mask set") -> Source:
    """A mask set as a source, to be read again."""
    graphs = [graph_entry(name, graph, masks.read_as.get(name, "")) for name, graph in masks.items()]
    left_out = [Entry.left_out(name, reason) for name, reason in masks.left_out.items()]
    return Source(label, (*graphs, *left_out), masks.is_chain)


def nothing_read(label: str, left_out: Mapping[str, str]) -> InvalidMaskError:
    """The error for a source without a mask; it says why not, for the first few things in it."""
    reasons = [f"{name} ({why})" for name, why in itertools.islice(left_out.items(), 8)]
    more = f" and {len(left_out) - 8} more" if len(left_out) > 8 else ""
    return InvalidMaskError(f"{label}: no mask among {'; '.join(reasons)}{more}" if reasons else f"{label}: is empty")
