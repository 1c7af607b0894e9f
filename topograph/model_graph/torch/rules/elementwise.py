"""Operations on elements: functions of one pass it on, sums and products of several join them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from topograph.model_graph.references import Ids
from topograph.packages import require

if TYPE_CHECKING:
    from topograph.model_graph.torch.reading import ModelReading

torch: Any = require("torch", "torch")

HANDED_ON = frozenset({
    "native_dropout", "dropout", "native_layer_norm", "native_batch_norm", "native_group_norm",
    "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "miopen_batch_norm",
    "_fused_rms_norm", "batch_norm_with_update", "neg", "positive", "_to_copy", "clone", "detach", "alias",
    "lift_fresh",
})  # fmt: skip
"""Normalisations, dropout and copies: the result has the units of the first argument."""

ACTIVATIONS = frozenset({
    "relu", "relu6", "leaky_relu", "prelu", "_prelu_kernel", "rrelu", "rrelu_with_noise", "elu", "selu", "celu", "gelu",
    "silu", "mish", "softplus", "softsign", "tanh", "sigmoid", "log_sigmoid_forward", "log_sigmoid", "hardswish",
    "hardsigmoid", "hardtanh", "tanhshrink", "softshrink", "hardshrink", "threshold", "_softmax", "_log_softmax",
    "_safe_softmax", "softmax", "log_softmax", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt",
    "square", "reciprocal", "abs", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh",
    "atanh", "erf", "erfc", "erfinv", "logit", "clamp", "clamp_min", "clamp_max", "nan_to_num", "pow", "sgn", "sign",
    "round", "floor", "ceil", "trunc", "frac", "isnan", "isinf", "isfinite", "logical_not", "bitwise_not", "signbit",
})  # fmt: skip
"""Functions of one element each: the same units, which a sum behind them leaves as they are."""


_COMPARISONS = (
    "gt", "ge", "lt", "le", "eq", "ne", "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or",
    "bitwise_xor", "fmod", "remainder", "floor_divide", "copysign", "heaviside",
)  # fmt: skip


def _pass_on(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    first = results[0] if isinstance(results, (tuple, list)) else results
    operands = [one for one in args[:2] if isinstance(one, torch.Tensor) and one.shape == first.shape]
    if len(operands) == 2 and all(map(reading.is_live, operands)):
        reading.set_units(first, reading.builder.product([reading.units(one) for one in operands]))
        return
    source = args[0] if reading.is_live(args[0]) else args[1]
    reading.set_units(first, np.broadcast_to(reading.units(source), tuple(first.shape)))


def _activate(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    _pass_on(reading, args, kwargs, results)
    first = results[0] if isinstance(results, (tuple, list)) else results
    reading.builder.close(reading.units(first))


def add(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    """A sum or a difference; a constant adds nothing, and one of −∞ cuts what a softmax then makes 0."""
    live = [reading.units(one) for one in args[:2] if reading.is_live(one)]
    if len(live) == 2:
        reading.set_units(results, reading.builder.sum(live))
        return
    units = np.broadcast_to(live[0], tuple(results.shape))
    constant = args[1] if reading.is_live(args[0]) else args[0]
    if isinstance(constant, torch.Tensor) and results.is_floating_point():
        cut = (constant <= torch.finfo(results.dtype).min / 2).cpu().numpy()
        units = np.where(cut, 0, units)
    reading.set_units(results, units)


def multiply(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    """A product: an edge from each factor; a constant factor cuts where it is 0."""
    live = [reading.units(one) for one in args[:2] if reading.is_live(one)]
    if len(live) == 2:
        reading.set_units(results, product_of(reading, live))
        return
    constant = args[1] if reading.is_live(args[0]) else args[0]
    units = np.broadcast_to(live[0], tuple(results.shape))
    is_zero = (constant == 0).cpu().numpy() if isinstance(constant, torch.Tensor) else constant == 0
    reading.set_units(results, np.where(is_zero, 0, units))


def product_of(reading: ModelReading, factors: Sequence[Ids]) -> Ids:
    """The units of a product, 0 where a factor is a constant 0."""
    spread = np.broadcast_arrays(*factors)
    there = np.logical_and.reduce([one > 0 for one in spread])
    return reading.builder.product([np.where(there, one, 0) for one in spread])


def _join(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    """Any other function of two or three arguments: an edge from each that depends on the input."""
    live = [reading.units(one) for one in args if reading.is_live(one)]
    units = live[0] if len(live) == 1 else reading.builder.product(live)
    reading.set_units(results, np.broadcast_to(units, tuple(results.shape)))


def _compare(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    _join(reading, args, kwargs, results)
    reading.builder.close(reading.units(results))


def _add_product(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    """``a + b · c`` and ``a + b / c``."""
    factors = [reading.units(one) for one in args[1:3] if reading.is_live(one)]
    terms = [reading.units(args[0])] if reading.is_live(args[0]) else []
    if factors:
        terms.append(factors[0] if len(factors) == 1 else product_of(reading, factors))
    reading.set_units(results, np.broadcast_to(reading.builder.sum(terms), tuple(results.shape)))


def _glu(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    axis = args[1] if len(args) > 1 else kwargs.get("dim", -1)
    first, second = np.split(reading.units(args[0]), 2, axis=axis)
    reading.set_units(results, product_of(reading, [first, second]))


RULES = {
    **dict.fromkeys(HANDED_ON, _pass_on),
    **dict.fromkeys(ACTIVATIONS, _activate),
    **dict.fromkeys(("add", "sub", "rsub"), add),
    "mul": multiply,
    **dict.fromkeys(("div", "maximum", "minimum", "fmax", "fmin", "atan2", "lerp", "hypot", "logaddexp"), _join),
    **dict.fromkeys(_COMPARISONS, _compare),
    **dict.fromkeys(("addcmul", "addcdiv"), _add_product),
    "glu": _glu,
}
"""Rules by the name of the operation."""
