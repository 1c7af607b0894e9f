"""What PyTorch itself has for a sparse layer, on any device: a dense product, or one with a CSR array.

Which of the two is faster depends on the device, the operation, the density and the batch, so both are timed once per
case.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from topograph.packages import require

torch: Any = require("torch", "torch")

_REPEATS = 3


class Places:
    """Where the edges of a layer lie in PyTorch's own arrays, on the device; made once per pattern, when asked for.

    Parameters
    ----------
    cuts, outputs
        Those of a `topograph.torch.pattern.WalkOrder`.
    n_outputs
        Number of outputs.
    """

    def __init__(self, cuts: Any, outputs: Any, n_outputs: int) -> None:
        self.shape = (cuts.shape[1], n_outputs)
        self.outputs = outputs
        self.starts = torch.cat([cuts[0], cuts[-1:, -1]]).to(outputs.dtype)
        self._counts = cuts[-1] - cuts[0]

    @cached_property
    def inputs(self) -> Any:
        """The edges' inputs."""
        inputs = torch.arange(self.shape[0], device=self.outputs.device)
        return torch.repeat_interleave(inputs, self._counts, output_size=len(self.outputs))

    @cached_property
    def flat(self) -> Any:
        """The edges' numbers in a dense array of inputs × outputs."""
        return self.inputs * self.shape[1] + self.outputs

    @cached_property
    def by_output(self) -> tuple[Any, Any, Any]:
        """Order of the edges by outputs, where each output's begin there, and their inputs."""
        order = torch.argsort(self.outputs, stable=True)
        counts = torch.bincount(self.outputs, minlength=self.shape[1])
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).to(self.outputs.dtype)
        return order, starts, self.inputs[order].to(self.outputs.dtype)


class Way(Protocol):
    """One way to compute the products of a sparse layer."""

    def multiply(self, x: Any, values: Any, places: Places) -> Any:
        """``x @ W``."""
        ...

    def back(self, delta: Any, values: Any, places: Places) -> Any:
        """``delta @ Wᵀ``."""
        ...

    def differentiate(self, x: Any, delta: Any, places: Places) -> Any:
        """The edges' entries of ``xᵀ @ delta``."""
        ...


class Dense:
    """A dense array that is 0 wherever there is no edge."""

    def multiply(self, x: Any, values: Any, places: Places) -> Any:
        """``x @ W``."""
        return x @ _dense(values, places)

    def back(self, delta: Any, values: Any, places: Places) -> Any:
        """``delta @ Wᵀ``."""
        return delta @ _dense(values, places).T

    def differentiate(self, x: Any, delta: Any, places: Places) -> Any:
        """The edges' entries of ``xᵀ @ delta``."""
        return (x.T @ delta).take(places.flat)


class Compressed:
    """An array in CSR, by inputs."""

    def multiply(self, x: Any, values: Any, places: Places) -> Any:
        """``x @ W``, as W's transpose times x's."""
        order, starts, inputs = places.by_output
        return (_csr(starts, inputs, values[order], places.shape[::-1]) @ x.T.contiguous()).T

    def back(self, delta: Any, values: Any, places: Places) -> Any:
        """``delta @ Wᵀ``."""
        return (_csr(places.starts, places.outputs, values, places.shape) @ delta.T.contiguous()).T

    def differentiate(self, x: Any, delta: Any, places: Places) -> Any:
        """The edges' entries of ``xᵀ @ delta``."""
        pattern = _csr(places.starts, places.outputs, x.new_zeros(len(places.outputs)), places.shape)
        return torch.sparse.sampled_addmm(pattern, x.T.contiguous(), delta, beta=0.0).values()


WAYS: tuple[Way, ...] = (Dense(), Compressed())
_chosen: dict[tuple[Any, ...], Way] = {}
_places: Any = torch.utils.weak.WeakIdKeyDictionary()


def find_places(cuts: Any, outputs: Any, n_outputs: int) -> Places:
    """The places of a pattern's edges, remembered as long as its tensors live and nobody writes into them."""
    version, remembered = (cuts._version, outputs._version), _places.get(outputs)
    if remembered is not None and remembered[0] == version:
        found: Places = remembered[1]
        return found
    places = Places(cuts, outputs, n_outputs)
    _places[outputs] = version, places
    return places


def multiply(x: Any, values: Any, places: Places) -> Any:
    """``x @ W``, the faster way on this device."""
    return _choose("multiply", x, values, places).multiply(x, values, places)


def back(delta: Any, values: Any, places: Places) -> Any:
    """``delta @ Wᵀ``, the faster way on this device."""
    return _choose("back", delta, values, places).back(delta, values, places)


def differentiate(x: Any, delta: Any, places: Places) -> Any:
    """The edges' entries of ``xᵀ @ delta``, the faster way on this device."""
    return _choose("differentiate", x, delta, places).differentiate(x, delta, places)


def _choose(operation: str, first: Any, second: Any, places: Places) -> Way:
    """The faster way of an operation for layers and batches of about this size; timed once per case."""
    edges, batch = len(places.outputs).bit_length(), len(first).bit_length()
    case = operation, str(first.device), first.dtype, places.shape, edges, batch
    if case not in _chosen:
        times = [_time(getattr(way, operation), first, second, places) for way in WAYS]
        _chosen[case] = WAYS[times.index(min(times))]
    return _chosen[case]


def _time(operation: Callable[[Any, Any, Places], Any], first: Any, second: Any, places: Places) -> float:
    """Least seconds of an operation; infinity where the device does not offer it."""
    times = []
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        for _ in range(_REPEATS):
            _wait(first.device)
            began = time.perf_counter()
            try:
                operation(first, second, places)
            except (RuntimeError, NotImplementedError):
                return float("inf")
            _wait(first.device)
            times.append(time.perf_counter() - began)
    return min(times)


def _wait(device: Any) -> None:
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def _dense(values: Any, places: Places) -> Any:
    array = values.new_zeros(places.shape)
    array.view(-1).scatter_(0, places.flat, values)
    return array


def _csr(starts: Any, columns: Any, values: Any, shape: tuple[int, int]) -> Any:
    return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)
