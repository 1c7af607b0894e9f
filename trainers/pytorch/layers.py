"""One layer of many networks: dense arrays under masks, or the edges of all in one block-diagonal graph or array.

Values of neurons are ``(networks, samples, neurons)`` in both. Only the trainer imports this module, when it trains.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.packages import require
from topograph.torch.operators import Pattern, sparse_gradients, sparse_product
from topograph.torch.pattern import walk_order
from trainers.rewiring.carried import Carried

torch: Any = require("torch", "torch")


class StackedLayer(Protocol):
    """One layer of all networks of a stack."""

    weights: Any
    gradient: Any

    @property
    def n_edges(self) -> list[int]:
        """Number of edges of each network."""
        ...

    def forward(self, x: Any, bias: Any, drop: Any = None, *, learning: bool = False) -> Any:
        """Z = x w + b, with the weights multiplied by ``drop`` where it is given; ``learning``: `backward` follows."""
        ...

    def backward(self, x: Any, delta: Any, further: bool, drop: Any = None) -> Any:
        """Write the gradient xᵀ δ on the edges, 0 elsewhere, into ``gradient``.

        Returns the gradient at the inputs, δ wᵀ, where it goes further back; else None.
        """
        ...

    def spread(self, values: Sequence[npt.NDArray[np.floating[Any]]]) -> Any:
        """The inverse of `of_each`: values of each network's edges laid out as ``weights``, 0 elsewhere."""
        ...

    def noise(self, generators: Sequence[Any]) -> Any:
        """Uniform numbers in [0, 1) laid out as ``weights``, those of each network from its generator."""
        ...

    def of_each(self, values: Any) -> list[npt.NDArray[np.floating[Any]]]:
        """Values laid out as ``weights`` for each network, in the order of ``graph.edges()``."""
        ...

    def keep(self, kept: Any, values: Any, chosen: npt.NDArray[np.bool_]) -> None:
        """Copy the values of the networks that are chosen into ``kept``."""
        ...

    def rewire(self, number: int, carried: Carried, memory: Sequence[Any]) -> None:
        """Give a network new edges; ``memory`` are arrays laid out as ``weights`` in which new edges begin at 0."""
        ...


class MaskedLayer:
    """Dense arrays, 0 wherever there is no edge.

    The gradient is multiplied by the mask, so that weights and the optimizer's memory, which begin at 0 there, stay 0:
    one product per step, where a mask on the weights would cost one on the way forward and one on the way back.
    """

    def __init__(self, graphs: Sequence[BipartiteGraph], values: Sequence[npt.NDArray[Any]], device: Any) -> None:
        self._shape, self._device = graphs[0].shape, device
        self._edges = [graph.edges() for graph in graphs]
        self.weights = self.spread(values)
        self.gradient = torch.empty_like(self.weights)
        self._mask = None
        if any(graph.density < 1 for graph in graphs):
            shared = all(graph == graphs[0] for graph in graphs)  # then a single mask is read, which stays in cache
            # a GPU reads bytes faster; a processor multiplies numbers of one type faster
            kind = torch.bool if device.type == "cuda" else self.weights.dtype
            masks = np.stack([graph.to_mask() for graph in (graphs[:1] if shared else graphs)])
            self._mask = torch.from_numpy(masks).to(device, kind)

    def forward(self, x: Any, bias: Any, drop: Any = None, *, learning: bool = False) -> Any:
        """Z = x w + b."""
        return torch.baddbmm(bias[:, None], x, _dropped(self.weights, drop))

    def backward(self, x: Any, delta: Any, further: bool, drop: Any = None) -> Any:
        """See `StackedLayer`."""
        torch.bmm(x.transpose(1, 2), delta, out=self.gradient)
        if self._mask is not None:
            self.gradient.mul_(self._mask)
        if drop is not None:
            self.gradient.mul_(drop)
        return torch.bmm(delta, _dropped(self.weights, drop).transpose(1, 2)) if further else None

    def spread(self, values: Sequence[npt.NDArray[np.floating[Any]]]) -> Any:
        """See `StackedLayer`."""
        dense = np.zeros((len(values), *self._shape), values[0].dtype)
        for array, edges, each in zip(dense, self._edges, values, strict=True):
            if array.size == len(each):  # all pairs of neurons, row after row
                array.reshape(-1)[:] = each
            else:
                array[edges[:, 0], edges[:, 1]] = each
        return torch.from_numpy(dense).to(self._device)

    @property
    def n_edges(self) -> list[int]:
        """See `StackedLayer`."""
        return [len(edges) for edges in self._edges]

    def noise(self, generators: Sequence[Any]) -> Any:
        """See `StackedLayer`."""
        noise = torch.empty_like(self.weights, requires_grad=False)
        return _noise(noise, noise.unbind(), generators)

    def of_each(self, values: Any) -> list[npt.NDArray[np.floating[Any]]]:
        """Values laid out as ``weights`` for each network, in the order of ``graph.edges()``."""
        dense = values.detach().cpu().numpy()
        return [array[edges[:, 0], edges[:, 1]] for array, edges in zip(dense, self._edges, strict=True)]

    def keep(self, kept: Any, values: Any, chosen: npt.NDArray[np.bool_]) -> None:
        """Copy the values of the networks that are chosen into ``kept``."""
        for number in np.flatnonzero(chosen):
            kept[number].copy_(values[number])

    def rewire(self, number: int, carried: Carried, memory: Sequence[Any]) -> None:
        """Give a network new edges; ``memory`` are arrays laid out as ``weights`` in which new edges begin at 0."""
        before, after = self._edges[number], carried.graph.edges()
        if self._mask is None or not (carried.source < 0).any():
            return
        if len(self._mask) < len(self._edges):  # one mask for all, as long as all have the same edges
            self._mask = self._mask.expand(len(self._edges), -1, -1).clone()
        with torch.no_grad():
            for array in (self.weights, *memory):
                values = array[number].cpu().numpy()[before[:, 0], before[:, 1]]
                moved = np.zeros(carried.graph.shape, values.dtype)
                fresh = carried.fresh if array is self.weights else None
                moved[after[:, 0], after[:, 1]] = carried.values(values, fresh)
                array[number].copy_(torch.from_numpy(moved))
            self._mask[number].copy_(torch.from_numpy(carried.graph.to_mask()))
        self._edges[number] = after


class _Edges:
    """The edges of all networks, one network's after another's."""

    def __init__(self, graphs: Sequence[BipartiteGraph], values: Sequence[npt.NDArray[Any]], device: Any) -> None:
        self._n, self._m = graphs[0].shape
        self._shape = (len(graphs) * self._n, len(graphs) * self._m)
        self._ends = np.cumsum([0, *(graph.n_edges for graph in graphs)])
        self.weights = torch.from_numpy(np.concatenate(values)).to(device)
        self.gradient = torch.zeros_like(self.weights)

    def spread(self, values: Sequence[npt.NDArray[np.floating[Any]]]) -> Any:
        """See `StackedLayer`."""
        return torch.from_numpy(np.concatenate(values)).to(self.weights.device)

    @property
    def n_edges(self) -> list[int]:
        """See `StackedLayer`."""
        return [int(size) for size in np.diff(self._ends)]

    def noise(self, generators: Sequence[Any]) -> Any:
        """See `StackedLayer`."""
        noise = torch.empty_like(self.weights, requires_grad=False)
        return _noise(noise, noise.split(self.n_edges), generators)

    def of_each(self, values: Any) -> list[npt.NDArray[np.floating[Any]]]:
        """Values laid out as ``weights`` for each network, in the order of ``graph.edges()``."""
        return np.split(values.detach().cpu().numpy().copy(), self._ends[1:-1])

    def keep(self, kept: Any, values: Any, chosen: npt.NDArray[np.bool_]) -> None:
        """Copy the values of the networks that are chosen into ``kept``."""
        for number in np.flatnonzero(chosen):
            part = slice(int(self._ends[number]), int(self._ends[number + 1]))
            kept[part].copy_(values[part])

    def rewire(self, number: int, carried: Carried, memory: Sequence[Any]) -> None:
        """Not offered: the trainer refuses it before."""
        raise NotImplementedError


class SparseLayer(_Edges):
    """One block-diagonal graph, walked by the kernels of `topograph.torch`; for a processor."""

    def __init__(self, graphs: Sequence[BipartiteGraph], values: Sequence[npt.NDArray[Any]], device: Any) -> None:
        super().__init__(graphs, values, device)
        starts = np.concatenate([graph.indptr[:-1] + end for graph, end in zip(graphs, self._ends, strict=False)])
        indices = np.concatenate([graph.indices + number * self._m for number, graph in enumerate(graphs)])
        order = walk_order(BipartiteGraph(*self._shape, np.append(starts, self._ends[-1]), indices))
        self._pattern = Pattern(torch.from_numpy(np.array(array)) for array in order)

    def forward(self, x: Any, bias: Any, drop: Any = None, *, learning: bool = False) -> Any:
        """Z = x w + b."""
        product = sparse_product(
            _beside(x), _dropped(self.weights, drop), bias.reshape(-1), self._pattern, self._shape[1]
        )
        return product.view(len(product), len(bias), self._m).transpose(0, 1)

    def backward(self, x: Any, delta: Any, further: bool, drop: Any = None) -> Any:
        """See `StackedLayer`."""
        weights = _dropped(self.weights, drop)
        back, gradient = sparse_gradients(_beside(delta), _beside(x), weights, self._pattern, further, True)
        self.gradient.copy_(_dropped(gradient, drop))
        return back.view(len(back), len(delta), self._n).transpose(0, 1) if further else None


class CsrLayer(_Edges):
    """One block-diagonal array in CSR, by inputs and by outputs; for any device."""

    def __init__(self, graphs: Sequence[BipartiteGraph], values: Sequence[npt.NDArray[Any]], device: Any) -> None:
        super().__init__(graphs, values, device)
        edges = np.concatenate([g.edges() + (number * self._n, number * self._m) for number, g in enumerate(graphs)])
        by_output = np.argsort(edges[:, 1], kind="stable")
        kind = torch.int32 if max(self._shape, default=0) < 2**31 and len(edges) < 2**31 else torch.int64

        def index(array: npt.NDArray[Any]) -> Any:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device, kind)

        self._by_input = index(_starts(edges[:, 0], self._shape[0])), index(edges[:, 1])
        self._by_output = index(_starts(edges[:, 1], self._shape[1])), index(edges[by_output, 0])
        self._turn = torch.from_numpy(by_output).to(device)
        with warnings.catch_warnings():  # PyTorch says once that CSR is in beta
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            _csr(self._by_input, self.weights, self._shape)

    def forward(self, x: Any, bias: Any, drop: Any = None, *, learning: bool = False) -> Any:
        """Z = x w + b."""
        turned = _csr(self._by_output, _dropped(self.weights, drop)[self._turn], self._shape[::-1])
        return (turned @ _columns(x, len(bias))).view(len(bias), self._m, -1).transpose(1, 2) + bias[:, None]

    def backward(self, x: Any, delta: Any, further: bool, drop: Any = None) -> Any:
        """See `StackedLayer`."""
        pattern = _csr(self._by_input, self.gradient, self._shape)
        columns = _columns(x, len(delta))
        product = torch.sparse.sampled_addmm(pattern, columns, _columns(delta, len(delta)).T, beta=0.0)
        self.gradient.copy_(_dropped(product.values(), drop))
        if not further:
            return None
        array = _csr(self._by_input, _dropped(self.weights, drop), self._shape)
        return (array @ _columns(delta, len(delta))).view(len(delta), self._n, -1).transpose(1, 2)


def _noise(whole: Any, parts: Sequence[Any], generators: Sequence[Any]) -> Any:
    for part, generator in zip(parts, generators, strict=True):
        part.uniform_(generator=generator)
    return whole


def _dropped(values: Any, drop: Any) -> Any:
    return values if drop is None else values * drop


def _csr(index: tuple[Any, Any], values: Any, shape: tuple[int, int]) -> Any:
    return torch.sparse_csr_tensor(*index, values, shape, check_invariants=False)


def _beside(values: Any) -> Any:
    """All networks' neurons beside each other, a row per sample."""
    return values.transpose(0, 1).reshape(values.shape[1], -1)


def _columns(values: Any, networks: int) -> Any:
    """All networks' neurons below each other, a column per sample."""
    return values.expand(networks, -1, -1).transpose(1, 2).reshape(-1, values.shape[1])


def _starts(owners: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=size))])
