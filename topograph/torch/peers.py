"""What PyTorch itself has for a sparse layer, on any device: a dense product, or one with a CSR array.

Which of the two is faster depends on the device, the density and the batch, so `choose` times both once per case.
"""

from __future__ import annotations

import time
import warnings
from typing import Any, Protocol

from topograph.packages import require

torch: Any = require("torch", "torch")

_REPEATS = 3


class Way(Protocol):
    """One way to compute the products of a sparse layer; ``cuts`` and ``outputs`` are those of a `WalkOrder`."""

    def multiply(self, x: Any, values: Any, cuts: Any, outputs: Any, n_outputs: int) -> Any:
        """``x @ W``."""
        ...

    def back(self, delta: Any, values: Any, cuts: Any, outputs: Any) -> Any:
        """``delta @ Wᵀ``."""
        ...

    def differentiate(self, x: Any, delta: Any, cuts: Any, outputs: Any) -> Any:
        """The edges' entries of ``xᵀ @ delta``."""
        ...


class Dense:
    """A dense array that is 0 wherever there is no edge."""

    def multiply(self, x: Any, values: Any, cuts: Any, outputs: Any, n_outputs: int) -> Any:
        """``x @ W``."""
        return x @ _dense(values, cuts, outputs, n_outputs)

    def back(self, delta: Any, values: Any, cuts: Any, outputs: Any) -> Any:
        """``delta @ Wᵀ``."""
        return delta @ _dense(values, cuts, outputs, delta.shape[1]).T

    def differentiate(self, x: Any, delta: Any, cuts: Any, outputs: Any) -> Any:
        """The edges' entries of ``xᵀ @ delta``."""
        return (x.T @ delta)[_owners(cuts, outputs), outputs]


class Compressed:
    """An array in CSR, by inputs."""

    def multiply(self, x: Any, values: Any, cuts: Any, outputs: Any, n_outputs: int) -> Any:
        """``x @ W``, as W's transpose times x's."""
        order = torch.argsort(outputs, stable=True)
        counts = torch.bincount(outputs, minlength=n_outputs)
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).to(outputs.dtype)
        inputs = _owners(cuts, outputs)[order].to(outputs.dtype)
        return (_csr(starts, inputs, values[order], (n_outputs, cuts.shape[1])) @ x.T.contiguous()).T

    def back(self, delta: Any, values: Any, cuts: Any, outputs: Any) -> Any:
        """``delta @ Wᵀ``."""
        array = _csr(_starts(cuts, outputs), outputs, values, (cuts.shape[1], delta.shape[1]))
        return (array @ delta.T.contiguous()).T

    def differentiate(self, x: Any, delta: Any, cuts: Any, outputs: Any) -> Any:
        """The edges' entries of ``xᵀ @ delta``."""
        pattern = _csr(_starts(cuts, outputs), outputs, x.new_zeros(len(outputs)), (cuts.shape[1], delta.shape[1]))
        return torch.sparse.sampled_addmm(pattern, x.T.contiguous(), delta, beta=0.0).values()


WAYS: tuple[Way, ...] = (Dense(), Compressed())
_chosen: dict[tuple[Any, ...], Way] = {}


def choose(x: Any, values: Any, cuts: Any, outputs: Any, n_outputs: int) -> Way:
    """The faster way on this device for layers and batches of about this size; timed once per case."""
    case = (
        str(x.device), x.dtype, cuts.shape[1], n_outputs, len(values).bit_length(), len(x).bit_length()
    )  # fmt: skip
    if case not in _chosen:
        times = [_time(way, x, values.to(x.dtype), cuts, outputs, n_outputs) for way in WAYS]
        _chosen[case] = WAYS[times.index(min(times))]
    return _chosen[case]


def _time(way: Way, x: Any, values: Any, cuts: Any, outputs: Any, n_outputs: int) -> float:
    """Least seconds of a product and its gradients; infinity where the device does not offer them."""
    times = []
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        for _ in range(_REPEATS):
            _wait(x.device)
            began = time.perf_counter()
            try:
                delta = way.multiply(x, values, cuts, outputs, n_outputs)
                way.back(delta, values, cuts, outputs)
                way.differentiate(x, delta, cuts, outputs)
            except (RuntimeError, NotImplementedError):
                return float("inf")
            _wait(x.device)
            times.append(time.perf_counter() - began)
    return min(times)


def _wait(device: Any) -> None:
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def _starts(cuts: Any, outputs: Any) -> Any:
    return torch.cat([cuts[0], cuts[-1:, -1]]).to(outputs.dtype)


def _owners(cuts: Any, outputs: Any) -> Any:
    """The edges' inputs."""
    inputs = torch.arange(cuts.shape[1], device=cuts.device)
    return torch.repeat_interleave(inputs, cuts[-1] - cuts[0], output_size=len(outputs))


def _dense(values: Any, cuts: Any, outputs: Any, n_outputs: int) -> Any:
    array = values.new_zeros((cuts.shape[1], n_outputs))
    array[_owners(cuts, outputs), outputs] = values
    return array


def _csr(starts: Any, columns: Any, values: Any, shape: tuple[int, int]) -> Any:
    return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)
