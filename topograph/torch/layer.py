"""`SparseLinear`: a linear layer that has its edges and nothing else."""

from __future__ import annotations

from operator import is_
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from topograph.checks import check_flag
from topograph.errors import InvalidMaskError, InvalidParameterError, TopologyMismatchError
from topograph.graph import BipartiteGraph
from topograph.packages import require
from topograph.torch.operators import Pattern, sparse_product
from topograph.torch.pattern import walk_order

torch: Any = require("torch", "torch")
_Module: Any = torch.nn.Module
_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
_DERIVED = ("starts", "inputs", "positions", "cuts")  # fields of WalkOrder that the graph's own arrays give
_WALK = (*_DERIVED, "indices")  # the buffers that are a WalkOrder


class SparseLinear(_Module):  # type: ignore[misc, unused-ignore]
    """A linear layer on the edges of a graph: ``y_j = b_j + Σ w_ij x_i`` over the edges (i, j).

    On a processor, time and memory are in proportion to the edges, forward and backward: compiled kernels do the work,
    on as many threads as ``torch.set_num_threads`` allows, with the same bits for any number of them. On another device
    it is PyTorch's dense or CSR product, whichever is faster there. ``torch.compile`` sees one operator. The parameter
    ``values`` holds w, in the order of ``graph.edges()``, so every optimizer trains it as it is.

    The state dict holds the values, the bias and the pattern (``indptr``, ``indices``, ``shape``, as of a CSR matrix of
    inputs × outputs); loading one with another pattern of the same sizes changes the pattern.

    Parameters
    ----------
    graph
        The edges: inputs on the left, outputs on the right; anything `BipartiteGraph.from_mask` takes.
    bias
        Whether there is a bias.
    device, dtype
        Of the values and the bias, as for ``torch.nn.Linear``: float32, float64, bfloat16 or float16.

    Raises
    ------
    InvalidParameterError
        When the dtype is not one of these, or the device is not there or keeps no values.
    InvalidMaskError
        When the graph cannot be read.

    Notes
    -----
    Samples may have the layer's dtype, or bfloat16 or float16 (as under autocast); the result has theirs. Sums are
    float32 at least. Values and bias start uniform in ±1/√(edges of the output), which is what ``torch.nn.Linear`` does
    when every edge is there.

    Examples
    --------
    >>> import torch
    >>> import topograph as tg
    >>> graph = tg.construct("random_regular", 64, 32, degree=4, seed=0)
    >>> layer = SparseLinear(graph)
    >>> layer(torch.ones(10, 64)).shape, layer.values.shape
    (torch.Size([10, 32]), torch.Size([256]))
    >>> layer.graph == graph
    True
    """

    def __init__(self, graph: Any, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        graph = BipartiteGraph.from_mask(graph)
        check_flag("bias", bias)
        dtype = torch.get_default_dtype() if dtype is None else dtype
        if dtype not in _DTYPES:
            raise InvalidParameterError(
                f"dtype must be one of {', '.join(str(one) for one in _DTYPES)}, but got {dtype!r}"
            )
        device = _checked_device(device)
        self.in_features, self.out_features = graph.shape
        self.values = torch.nn.Parameter(torch.empty(graph.n_edges, device=device, dtype=dtype))
        if bias:
            self.bias = torch.nn.Parameter(torch.empty(graph.n_right, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.register_buffer("indptr", None)
        self.register_buffer("indices", None)
        self.register_buffer("shape", torch.tensor(graph.shape))
        for name in _DERIVED:
            self.register_buffer(name, None, persistent=False)
        self._set_pattern(graph)
        self.reset_parameters()

    @classmethod
    def from_linear(cls, linear: Any, graph: Any = None) -> Self:
        """A sparse layer with the weights that a dense one has on the edges, and its bias.

        Parameters
        ----------
        linear
            A ``torch.nn.Linear``.
        graph
            The edges; by default where the weight is not 0.

        Raises
        ------
        TopologyMismatchError
            When the sizes differ.
        """
        weight = linear.weight.detach().T
        chosen = BipartiteGraph.from_mask((weight != 0).cpu().numpy() if graph is None else graph)
        if chosen.shape != tuple(weight.shape):
            raise TopologyMismatchError(
                f"the layer has {weight.shape[0]} inputs and {weight.shape[1]} outputs, but the graph is "
                f"{chosen.n_left} × {chosen.n_right}"
            )
        layer = cls(chosen, linear.bias is not None, weight.device, weight.dtype)
        edges = torch.from_numpy(chosen.edges()).to(weight.device)
        with torch.no_grad():
            layer.values.copy_(weight[edges[:, 0], edges[:, 1]])
            if linear.bias is not None:
                layer.bias.copy_(linear.bias)
        layer.values.requires_grad_(linear.weight.requires_grad)
        if linear.bias is not None:
            layer.bias.requires_grad_(linear.bias.requires_grad)
        layer.train(linear.training)
        return layer

    @property
    def graph(self) -> BipartiteGraph:
        """The edges as a graph."""
        arrays = self.indptr.cpu().numpy(), self.indices.cpu().numpy()
        return BipartiteGraph(self.in_features, self.out_features, *arrays)

    @property
    def weight(self) -> Any:
        """The weight that ``torch.nn.Linear`` would have, ``(outputs, inputs)``: dense, made anew at every call."""
        edges = self._edges()
        dense = self.values.new_zeros((self.out_features, self.in_features))
        return dense.index_put((edges[:, 1], edges[:, 0]), self.values)

    def to_linear(self) -> Any:
        """The same layer as a ``torch.nn.Linear``, with zeros wherever there is no edge."""
        linear = torch.nn.Linear(
            self.in_features, self.out_features, self.bias is not None, self.values.device, self.values.dtype
        )
        with torch.no_grad():
            linear.weight.copy_(self.weight)
            if self.bias is not None:
                linear.bias.copy_(self.bias)
        return linear.train(self.training)

    def reset_parameters(self) -> None:
        """Draw values and bias anew, uniform in ±1/√(edges of the output)."""
        degrees = torch.bincount(self.indices, minlength=self.out_features).clamp_min(1)
        bound = degrees.to(self.values.dtype).rsqrt()
        with torch.no_grad():
            self.values.uniform_(-1, 1).mul_(bound[self.indices])
            if self.bias is not None:
                self.bias.uniform_(-1, 1).mul_(bound)

    def forward(self, x: Any) -> Any:
        """Outputs for samples ``(…, inputs)``.

        Raises
        ------
        InvalidParameterError
            When the samples' width or dtype does not fit.
        """
        values = self.values  # a module looks for its attributes in several places
        if not isinstance(x, torch.Tensor) or x.layout != torch.strided:
            kind = f"a tensor of layout {x.layout}" if isinstance(x, torch.Tensor) else f"a {type(x).__name__}"
            raise InvalidParameterError(f"samples must be a dense torch.Tensor, but got {kind}")
        if values.dtype not in _DTYPES:
            raise InvalidParameterError(
                f"the layer must be one of {', '.join(str(one) for one in _DTYPES)}, but was turned into {values.dtype}"
            )
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise InvalidParameterError(
                f"samples must have {self.in_features} inputs in their last dimension, but got shape {list(x.shape)}"
            )
        if x.dtype != values.dtype and x.dtype not in (torch.bfloat16, torch.float16):
            raise InvalidParameterError(
                f"samples must be {values.dtype}, as the layer, or bfloat16 or float16, but got {x.dtype}"
            )
        return sparse_product(x, values, self.bias, self._pattern(), self.out_features)

    def _pattern(self) -> Pattern:
        """The edges; the same object as long as the buffers are the same."""
        if torch.compiler.is_compiling():
            return Pattern((self.starts, self.inputs, self.positions, self.cuts, self.indices))
        tensors = [*map(self._buffers.__getitem__, _WALK)]
        kept: Pattern | None = self.__dict__.get("_kept_pattern")
        if kept is None or not all(map(is_, kept, tensors)):
            kept = self.__dict__["_kept_pattern"] = Pattern(tensors)
        return kept

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and pickled: not what can be made again."""
        return {name: value for name, value in self.__dict__.items() if name != "_kept_pattern"}

    def rewire(self, graph: Any, optimizer: Any = None, new_values: float | npt.ArrayLike = 0.0) -> Self:
        """Change the edges in place; edges that stay keep their values, and their part of the optimizer's memory.

        The parameter stays the same object, so an optimizer goes on with it.

        Parameters
        ----------
        graph
            The new edges, of the same sizes.
        optimizer
            The optimizer that trains the layer: what it remembers per edge (momentum, squares) moves along, and is 0
            on new edges. Without it, an optimizer that has taken steps remembers edges that are gone.
        new_values
            Value of each new edge, or an array of them in the order of ``graph.edges()``.

        Raises
        ------
        TopologyMismatchError
            When the sizes differ.
        InvalidParameterError
            When there are not as many new values as new edges, or the optimizer is not one of PyTorch's.

        Examples
        --------
        >>> import topograph as tg
        >>> graph = tg.construct("random_regular", 64, 32, degree=4, seed=0)
        >>> layer = SparseLinear(graph)
        >>> layer.rewire(tg.construct("random_regular", 64, 32, degree=4, seed=1)).values.shape
        torch.Size([256])
        """
        if optimizer is not None and not hasattr(optimizer, "state"):
            raise InvalidParameterError(f"optimizer must be a torch.optim.Optimizer, but got {optimizer!r}")
        graph = BipartiteGraph.from_mask(graph)
        if graph.shape != (self.in_features, self.out_features):
            raise TopologyMismatchError(
                f"the layer is {self.in_features} × {self.out_features}, but the new graph is "
                f"{graph.n_left} × {graph.n_right}"
            )
        old = self._edges().cpu().numpy() @ [self.out_features, 1]
        new = graph.edges().astype(np.int64) @ [self.out_features, 1]
        _, before, after = np.intersect1d(old, new, assume_unique=True, return_indices=True)
        fresh = np.ones(len(new), dtype=bool)
        fresh[after] = False
        given = np.asarray(new_values, dtype=np.float64)
        if given.ndim and given.shape != (np.count_nonzero(fresh),):
            raise InvalidParameterError(
                f"new_values must be one number or one per new edge ({np.count_nonzero(fresh)}), "
                f"but got shape {given.shape}"
            )
        device = self.values.device
        source, target = torch.from_numpy(before).to(device), torch.from_numpy(after).to(device)

        def moved(tensor: Any) -> Any:
            there = tensor.new_zeros(len(new))
            there[target] = tensor[source]
            return there

        with torch.no_grad():
            values = moved(self.values.detach())
            filled = torch.from_numpy(np.broadcast_to(given, (int(np.count_nonzero(fresh)),)).copy())
            values[torch.from_numpy(fresh).to(device)] = filled.to(values)
            for memory in [optimizer.state[self.values]] if optimizer and self.values in optimizer.state else []:
                for name, tensor in memory.items():
                    if isinstance(tensor, torch.Tensor) and tensor.shape == self.values.shape and tensor.dim():
                        memory[name] = moved(tensor)
            gradient = self.values.grad
            self.values.grad = None
            self.values.data = values
            if gradient is not None:
                self.values.grad = moved(gradient)
        self._set_pattern(graph)
        return self

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        density = len(self.values) / (self.in_features * self.out_features)
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, edges={len(self.values)}, "
            f"density={density:.2%}, bias={self.bias is not None}"
        )

    def _edges(self) -> Any:
        """The edges as a tensor, ``(edges, 2)``."""
        inputs = torch.arange(self.in_features, device=self.indices.device)
        inputs = torch.repeat_interleave(inputs, self.indptr.diff(), output_size=len(self.indices))
        return torch.stack([inputs, self.indices.long()], 1)

    def _set_pattern(self, graph: BipartiteGraph) -> None:
        device = self.values.device

        def tensor(array: Any) -> Any:
            return torch.from_numpy(np.array(array)).to(device)

        self.indptr, self.indices = tensor(graph.indptr), tensor(graph.indices)
        order = walk_order(graph)
        for name in _DERIVED:
            setattr(self, name, tensor(getattr(order, name)))

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing: Any,
        unexpected: Any,
        errors: Any,
    ) -> None:
        indptr, indices = state_dict.get(f"{prefix}indptr"), state_dict.get(f"{prefix}indices")
        values = state_dict.get(f"{prefix}values")
        if indptr is not None and indices is not None and values is not None:
            same = indptr.shape == self.indptr.shape and indices.shape == self.indices.shape
            if not (same and bool((indptr == self.indptr).all()) and bool((indices == self.indices).all())):
                try:
                    arrays = indptr.cpu().numpy(), indices.cpu().numpy()
                    graph = BipartiteGraph(self.in_features, self.out_features, *arrays)
                    if values.shape != (graph.n_edges,):
                        raise InvalidMaskError(f"it has {graph.n_edges} edges, but values of shape {values.shape}")
                except InvalidMaskError as error:
                    errors.append(f"{prefix.rstrip('.') or 'the layer'}: its pattern does not fit: {error}")
                    return
                self.values.grad = None
                self.values.data = self.values.new_zeros(graph.n_edges)
                self._set_pattern(graph)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)


def _checked_device(device: Any) -> Any:
    """The device that tensors are made on: one that PyTorch has, and that keeps values, which the pattern needs."""
    try:
        chosen = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InvalidParameterError(f"device must be one that PyTorch has here, but got {device!r}: {error}") from error
    if chosen.type == "meta":
        raise InvalidParameterError(
            "device='meta' keeps no values, but the pattern of a sparse layer is made of values"
        )
    return chosen
