"""`sparse_product`: the product of samples with a sparse layer, an operator that PyTorch knows by name.

Autograd, ``torch.compile`` and export see one opaque node with known shapes. On a processor the compiled kernels of
`topograph.torch.kernels` run it; on any other device what PyTorch has (`topograph.torch.peers`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.packages import require
from topograph.torch import peers
from topograph.torch.crew import scratch_rows, share_work

torch: Any = require("torch", "torch")
Tensor: Any = torch.Tensor

_PATTERN = "Tensor starts, Tensor inputs, Tensor positions, Tensor cuts, Tensor outputs"
_LIBRARY = torch.library.Library("topograph", "DEF")
_LIBRARY.define(f"sparse_product(Tensor x, Tensor values, Tensor? bias, {_PATTERN}, SymInt n_outputs) -> Tensor")
_LIBRARY.define(
    f"sparse_gradients(Tensor delta, Tensor x, Tensor values, {_PATTERN}, bool of_inputs, bool of_values) "
    "-> (Tensor, Tensor)"
)
_Arrays = tuple[npt.NDArray[Any], ...]
_PLAIN = (torch.Tensor, torch.nn.Parameter)
# what traces or transforms; a release without these names takes the dispatcher's way
_MODES: Any = getattr(torch._C, "_len_torch_dispatch_stack", lambda: 1)
_TRANSFORMS: Any = getattr(torch._C._functorch, "peek_interpreter_stack", lambda: 0)
_NUMBERS = {torch.float32: np.float32, torch.float64: np.float64}
_WORTH_A_THREAD = 1_000_000  # edges times samples


class Pattern(tuple[Any, ...]):
    """The fields of a `topograph.torch.pattern.WalkOrder` as tensors, and on a processor as arrays, too."""

    _kept: tuple[int, _Arrays] | None = None

    @property
    def arrays(self) -> _Arrays:
        """The same memory as the kernels take it: made once, since that takes a good part of a small layer's time."""
        address = self[0].data_ptr()  # `share_memory_` moves it
        if self._kept is None or self._kept[0] != address:
            self._kept = address, _as_arrays(*self)
        return self._kept[1]


def _as_arrays(starts: Any, inputs: Any, positions: Any, cuts: Any, outputs: Any) -> _Arrays:
    return starts.numpy(), _unsigned(inputs), _unsigned(positions), cuts.numpy(), _unsigned(outputs)


def sparse_product(x: Any, values: Any, bias: Any, pattern: Pattern, n_outputs: int) -> Any:
    """``x @ W + bias`` for samples ``(…, inputs)``, W being 0 wherever there is no edge.

    Parameters
    ----------
    x
        Samples; float32, float64, bfloat16 or float16. The result has their dtype; sums are float32 at least.
    values
        W on the edges, in the order of ``graph.edges()``.
    bias
        Shape ``(n_outputs,)``, or None.
    pattern
        The edges.
    n_outputs
        Number of outputs.
    """
    if _is_eager(x, values):
        return _Eager.apply(x, values, bias, pattern, n_outputs)
    return torch.ops.topograph.sparse_product(x, values, bias, *pattern, n_outputs)


def sparse_gradients(
    delta: Any, x: Any, values: Any, pattern: Pattern, of_inputs: bool, of_values: bool
) -> tuple[Any, Any]:
    """The gradients at the samples, ``delta @ Wᵀ``, and of the values; an empty tensor for one that is not wanted.

    Parameters
    ----------
    delta
        The gradient at the result of `sparse_product`.
    x, values, pattern
        As there.
    of_inputs, of_values
        Which of the two gradients to compute.
    """
    both: tuple[Any, Any]
    if _is_eager(x, values) and not torch.is_grad_enabled():
        both = _two_gradients(delta, x, values, pattern.arrays, of_inputs, of_values)
    else:
        both = torch.ops.topograph.sparse_gradients(delta, x, values, *pattern, of_inputs, of_values)
    return both


def _is_eager(x: Any, values: Any) -> bool:
    """Whether these are plain tensors on a processor that nobody traces.

    Then the dispatcher has nothing to decide, and going through it twice costs a fifth of a small layer's step.
    """
    if torch.compiler.is_compiling() or x.device.type != "cpu" or values.device.type != "cpu":
        return False
    plain = type(x) in _PLAIN and type(values) in _PLAIN
    return plain and not _MODES() and _TRANSFORMS() is None


def _product_on_processor(
    x: Any, values: Any, bias: Any, starts: Any, inputs: Any, positions: Any, cuts: Any, outputs: Any, n_outputs: int
) -> Any:
    return _multiply(x, values, bias, _as_arrays(starts, inputs, positions, cuts, outputs), n_outputs)


def _gradients_on_processor(
    delta: Any, x: Any, values: Any, starts: Any, inputs: Any, positions: Any, cuts: Any, outputs: Any,
    of_inputs: bool, of_values: bool,
) -> tuple[Any, Any]:  # fmt: skip
    arrays = _as_arrays(starts, inputs, positions, cuts, outputs)
    return _two_gradients(delta, x, values, arrays, of_inputs, of_values)


def _multiply(x: Any, values: Any, bias: Any, arrays: _Arrays, m: int) -> Any:
    from topograph.torch.kernels import multiply, multiply_rows

    kind = _sum_dtype(values)
    rows, weights, shift = _as_rows(x, kind), _plain(values, kind), None if bias is None else _plain(bias, kind)
    samples, n = rows.shape
    y = torch.empty((samples, m), dtype=kind)
    starts, inputs, positions, _, _ = arrays
    workers = _workers(len(inputs) * samples)
    given = (
        rows.data_ptr(), weights.data_ptr(), 0 if shift is None else shift.data_ptr(), y.data_ptr(),
        samples, n, m, starts, inputs, positions,
        scratch_rows(multiply_rows(samples, n, m, len(inputs), workers), _NUMBERS[kind]),
    )  # fmt: skip
    share_work(multiply, given, workers)
    return y if x.dim() == 2 and x.dtype == kind else y.to(x.dtype).view(*x.shape[:-1], m)


def _differentiate(
    delta: Any, x: Any, values: Any, arrays: _Arrays, of_inputs: bool, of_values: bool, of_bias: bool
) -> tuple[Any, Any, Any]:
    """The gradients at the samples, of the values and of the bias; None for one that is not wanted."""
    from topograph.torch.kernels import differentiate, differentiate_rows

    kind, number = _sum_dtype(values), values.dtype
    deltas, rows, weights = _as_rows(delta, kind), _as_rows(x, kind) if of_values else None, _plain(values, kind)
    (samples, m), (_, _, _, cuts, outputs) = deltas.shape, arrays
    edges, n = len(outputs), cuts.shape[1]
    make = torch.empty if samples else torch.zeros
    x_gradient: Any = make((samples, n), dtype=kind) if of_inputs else None
    gradient = make(edges, dtype=kind) if of_values else None
    bias_gradient = make(m, dtype=kind) if of_bias else None
    workers = _workers(edges * samples)
    given = (
        *(0 if one is None else one.data_ptr() for one in (rows, deltas, weights, x_gradient, gradient, bias_gradient)),
        samples, n, m, cuts, outputs, scratch_rows(differentiate_rows(n, m, workers), _NUMBERS[kind]),
    )  # fmt: skip
    share_work(differentiate, given, workers)
    if of_inputs and (x_gradient.shape != x.shape or x.dtype != kind):
        x_gradient = x_gradient.to(x.dtype).view(x.shape)
    if number != kind:
        gradient, bias_gradient = (one if one is None else one.to(number) for one in (gradient, bias_gradient))
    return x_gradient, gradient, bias_gradient


def _two_gradients(
    delta: Any, x: Any, values: Any, arrays: _Arrays, of_inputs: bool, of_values: bool
) -> tuple[Any, Any]:
    """Those of the samples and the values, if any is wanted; an empty tensor for one that is not."""
    both: tuple[Any, ...] = None, None
    if of_inputs or of_values:
        both = _differentiate(delta, x, values, arrays, of_inputs, of_values, False)
    x_gradient, gradient = both[:2]
    return (
        x.new_empty(0) if x_gradient is None else x_gradient,
        values.new_empty(0) if gradient is None else gradient,
    )


def _product_on_device(
    x: Any, values: Any, bias: Any, starts: Any, inputs: Any, positions: Any, cuts: Any, outputs: Any, n_outputs: int
) -> Any:
    rows = _as_rows(x, torch.promote_types(x.dtype, values.dtype))
    places = peers.find_places(cuts, outputs, n_outputs)
    y = peers.multiply(rows, values.to(rows.dtype), places)
    y = y if bias is None else y + bias
    return y.to(x.dtype).view(*x.shape[:-1], n_outputs)


def _gradients_on_device(
    delta: Any, x: Any, values: Any, starts: Any, inputs: Any, positions: Any, cuts: Any, outputs: Any,
    of_inputs: bool, of_values: bool,
) -> tuple[Any, Any]:  # fmt: skip
    kind = torch.promote_types(x.dtype, values.dtype)
    rows, deltas = _as_rows(x, kind), _as_rows(delta, kind)
    places = peers.find_places(cuts, outputs, deltas.shape[1])
    weights = values.to(kind)
    x_gradient = peers.back(deltas, weights, places) if of_inputs else deltas[:0, :0]
    gradient = peers.differentiate(rows, deltas, places) if of_values else weights[:0]
    x_gradient = x_gradient.to(x.dtype).view(x.shape) if of_inputs else x.new_empty(0)
    return x_gradient, gradient.to(values.dtype)


def _fake_product(
    x: Any, values: Any, bias: Any, starts: Any, inputs: Any, positions: Any, cuts: Any, outputs: Any, n_outputs: int
) -> Any:
    return x.new_empty((*x.shape[:-1], n_outputs))


def _fake_gradients(
    delta: Any, x: Any, values: Any, starts: Any, inputs: Any, positions: Any, cuts: Any, outputs: Any,
    of_inputs: bool, of_values: bool,
) -> tuple[Any, Any]:  # fmt: skip
    return x.new_empty(x.shape if of_inputs else (0,)), values.new_empty(values.shape if of_values else (0,))


def _remember_product(ctx: Any, inputs: Any, output: Any) -> None:
    x, values, bias, *pattern, ctx.n_outputs = inputs
    ctx.save_for_backward(x, values, *pattern)
    ctx.has_bias = bias is not None


def _product_backward(ctx: Any, delta: Any) -> tuple[Any, ...]:
    x, values, *pattern = ctx.saved_tensors
    return *_three_gradients(ctx, delta, x, values, pattern), *[None] * 6


def _three_gradients(ctx: Any, delta: Any, x: Any, values: Any, pattern: Any) -> tuple[Any, ...]:
    """The gradients at the samples, of the values and of the bias; None for those that are not wanted."""
    of_inputs, of_values = ctx.needs_input_grad[:2]
    of_bias = ctx.has_bias and ctx.needs_input_grad[2]
    both: tuple[Any, Any] = None, None
    if of_inputs or of_values:
        both = torch.ops.topograph.sparse_gradients(delta, x, values, *pattern, of_inputs, of_values)
    of_all = *both, delta.reshape(-1, delta.shape[-1]).sum(0) if of_bias else None
    return tuple(one if wanted else None for one, wanted in zip(of_all, (of_inputs, of_values, of_bias), strict=True))


def _remember_gradients(ctx: Any, inputs: Any, output: Any) -> None:
    delta, x, values, *pattern, ctx.of_inputs, ctx.of_values = inputs
    ctx.save_for_backward(delta, x, values, *pattern)


def _gradients_backward(ctx: Any, u: Any, v: Any) -> tuple[Any, ...]:
    """The gradients are linear in each of delta, x and values, so theirs are the same two operators."""
    delta, x, values, *pattern = ctx.saved_tensors
    of_delta = of_x = of_weights = None
    product, gradients = torch.ops.topograph.sparse_product, torch.ops.topograph.sparse_gradients
    m = delta.shape[-1]
    if ctx.of_inputs:
        of_delta = product(u.contiguous(), values, None, *pattern, m)
        of_weights = gradients(delta, u.contiguous(), values, *pattern, False, True)[1]
    if ctx.of_values:
        more = product(x, v.contiguous(), None, *pattern, m)
        of_delta = more if of_delta is None else of_delta + more
        of_x = gradients(delta, x, v.contiguous(), *pattern, True, False)[0]
    return of_delta, of_x, of_weights, *[None] * 7


class _Eager(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """The same node of autograd, without the dispatcher. The pattern is one object, since every tensor costs time."""

    @staticmethod
    def forward(ctx: Any, x: Any, values: Any, bias: Any, pattern: Pattern, n_outputs: int) -> Any:
        ctx.save_for_backward(x, values)
        ctx.has_bias, ctx.pattern = bias is not None, pattern
        return _multiply(x, values, bias, pattern.arrays, n_outputs)

    @staticmethod
    def backward(ctx: Any, delta: Any) -> Any:
        x, values = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled() or wanted == (False, False, True):  # the gradients are to have gradients
            return *_three_gradients(ctx, delta, x, values, ctx.pattern), None, None
        return *_differentiate(delta, x, values, ctx.pattern.arrays, *wanted), None, None


for _name, _on_processor, _on_device, _fake, _backward, _remember in (
    ("sparse_product", _product_on_processor, _product_on_device, _fake_product, _product_backward, _remember_product),
    (
        "sparse_gradients", _gradients_on_processor, _gradients_on_device, _fake_gradients, _gradients_backward,
        _remember_gradients,
    ),
):  # fmt: skip
    _LIBRARY.impl(_name, _on_processor, "CPU")
    for _device in ("CUDA", "MPS", "XPU"):
        _LIBRARY.impl(_name, _on_device, _device)
    torch.library.register_fake(f"topograph::{_name}", _fake, lib=_LIBRARY)
    torch.library.register_autograd(f"topograph::{_name}", _backward, setup_context=_remember, lib=_LIBRARY)


def _sum_dtype(values: Any) -> Any:
    return torch.float64 if values.dtype == torch.float64 else torch.float32


def _as_rows(samples: Any, kind: Any) -> Any:
    """Samples as a contiguous tensor of two dimensions."""
    return _plain(samples if samples.dim() == 2 else samples.reshape(-1, samples.shape[-1]), kind)


def _plain(tensor: Any, kind: Any) -> Any:
    """A tensor whose memory holds its numbers one after the other."""
    if tensor.dtype == kind and tensor.is_contiguous() and not tensor.is_neg():
        return tensor
    return tensor.detach().to(kind).contiguous().resolve_neg()


def _unsigned(index: Any) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = index.numpy()
    return array.view(f"u{array.itemsize}")


def _workers(products: int) -> int:
    """As many threads as PyTorch may use, where so many edges times samples are worth them."""
    worth = products // _WORTH_A_THREAD
    return min(torch.get_num_threads(), worth + 1) if worth else 1
