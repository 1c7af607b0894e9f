"""The compiled work at each neuron: activations, the loss at the outputs, their derivatives, dropout.

These are plain loops that LLVM makes vector instructions of.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba.extending import overload

from topograph.compiling import reordered_part
from topograph.lanes import entries, polynomial_of, power_of_two
from topograph.tiles import LANES
from trainers.numpy_sparse.edges import clear
from trainers.numpy_sparse.flat import (
    LEAKY_RELU,
    MSE,
    RELU,
    SIGMOID,
    SOFTMAX,
    TANH,
    Float,
    Setting,
)


@reordered_part
def activate(values: Float, begin: int, end: int, activation: int, leak: Any) -> None:
    """Pre-activations to values, in place; softmax over the neurons of each sample."""
    y = entries(values, begin, end)
    one, two, zero = y.dtype.type(1), y.dtype.type(2), y.dtype.type(0)
    if activation == SIGMOID:
        for k in range(y.size):
            y[k] = one / (one + _exp(-y[k]))
    elif activation == TANH:
        for k in range(y.size):
            y[k] = two / (one + _exp(-two * y[k])) - one
    elif activation == RELU:
        for k in range(y.size):
            y[k] = zero if y[k] < zero else y[k]
    elif activation == LEAKY_RELU:
        for k in range(y.size):
            y[k] = leak * y[k] if y[k] < zero else y[k]
    elif activation == SOFTMAX:
        for s in range(LANES):
            largest, whole = values[begin, s], zero
            for j in range(begin, end):
                largest = max(largest, values[j, s])
            for j in range(begin, end):
                values[j, s] = _exp(values[j, s] - largest)
                whole += values[j, s]
            for j in range(begin, end):
                values[j, s] /= whole


@reordered_part
def differentiate(values: Float, deltas: Float, begin: int, end: int, activation: int, leak: Any) -> None:
    """Gradients at the values to gradients at the pre-activations, in place."""
    y, d = entries(values, begin, end), entries(deltas, begin, end)
    one, zero = y.dtype.type(1), y.dtype.type(0)
    if activation == SIGMOID:
        for k in range(y.size):
            d[k] *= y[k] * (one - y[k])
    elif activation == TANH:
        for k in range(y.size):
            d[k] *= one - y[k] * y[k]
    elif activation == RELU:
        for k in range(y.size):
            d[k] = d[k] if y[k] > zero else zero
    elif activation == LEAKY_RELU:
        for k in range(y.size):
            d[k] = d[k] if y[k] > zero else leak * d[k]
    elif activation == SOFTMAX:
        for s in range(LANES):
            mean = zero
            for j in range(begin, end):
                mean += deltas[j, s] * values[j, s]
            for j in range(begin, end):
                deltas[j, s] = values[j, s] * (deltas[j, s] - mean)


@reordered_part
def take_loss(
    values: Float, deltas: Float, begin: int, end: int, labels: Any, chosen: Any, batch: int, setting: Setting
) -> tuple[float, int]:
    """Sum of the losses of a tile's samples, how many are right, and the gradient at the outputs' pre-activations."""
    if labels.ndim == 2:  # known when it is compiled
        weighted: tuple[float, int] = _take_weighted_loss(values, deltas, begin, end, labels, chosen, batch, setting)
        return weighted
    zero, one, correct = values.dtype.type(0), values.dtype.type(1), 0
    clear(deltas, begin, end)  # lanes beyond the batch stay 0: they must not count
    summed = 0.0
    scale = values.dtype.type(1 / batch)
    if setting.loss == MSE:
        scale = values.dtype.type(2 / (batch * (end - begin)))
    for s in range(chosen.shape[0]):
        label = labels[chosen[s]] + begin
        correct += _largest(values, begin, end, s) == label
        for j in range(begin, end):
            y = values[j, s]
            difference = y - (one if j == label else zero)
            deltas[j, s] = difference * scale
            if setting.loss == MSE:
                summed += float(difference) * float(difference) / (end - begin)
            elif j == label:
                summed -= math.log(setting.tiny if y < setting.tiny else y)
            elif setting.output_activation == SIGMOID:
                summed -= math.log1p(-float(setting.below_one if y > setting.below_one else y))
    if setting.loss == MSE:  # with cross-entropy the activation's derivative cancels against the loss's
        differentiate(values, deltas, begin, end, setting.output_activation, setting.leak)
    return summed, correct


@reordered_part
def _take_weighted_loss(
    values: Float, deltas: Float, begin: int, end: int, targets: Any, chosen: Any, batch: int, setting: Setting
) -> tuple[float, int]:
    """As `take_loss`, for rows of targets with a weight in the last column."""
    zero, one, correct = values.dtype.type(0), values.dtype.type(1), 0
    clear(deltas, begin, end)
    summed, outputs = 0.0, end - begin
    scale = values.dtype.type(1 / batch)
    if setting.loss == MSE:
        scale = values.dtype.type(2 / (batch * outputs))
    for s in range(chosen.shape[0]):
        weight, label = values.dtype.type(targets[chosen[s], outputs]), 0
        for j in range(outputs):
            y, target = values[begin + j, s], values.dtype.type(targets[chosen[s], j])
            if targets[chosen[s], j] > targets[chosen[s], label]:
                label = j
            difference = y - target
            deltas[begin + j, s] = weight * difference * scale
            if setting.loss == MSE:
                summed += float(weight) * float(difference) * float(difference) / outputs
            else:
                if target > zero:
                    summed -= float(weight * target) * math.log(setting.tiny if y < setting.tiny else y)
                if setting.output_activation == SIGMOID and target < one:
                    below = float(setting.below_one if y > setting.below_one else y)
                    summed -= float(weight * (one - target)) * math.log1p(-below)
        correct += _largest(values, begin, end, s) == label + begin
    if setting.loss == MSE:
        differentiate(values, deltas, begin, end, setting.output_activation, setting.leak)
    return summed, correct


@reordered_part
def _largest(values: Float, begin: int, end: int, s: int) -> int:
    """The row of the first of the outputs that are largest for sample ``s``."""
    best = begin
    for j in range(begin + 1, end):
        if values[j, s] > values[best, s]:
            best = j
    return best


@reordered_part
def drop(values: Float, kept: Any, begin: int, end: int, lane: int, count: int, factor: Any) -> None:
    """Neurons that are kept times a factor, the others 0, for ``count`` samples of a batch from number ``lane``."""
    for i in range(begin, end):
        for s in range(count):
            values[i, s] = values[i, s] * factor if kept[i, lane + s] else values[i, s] * 0


def _exp(x: Any) -> Any:
    """The exponential of one number, written so that a loop over it becomes vector instructions."""
    raise NotImplementedError("compiled code only")


def _make_exp(number: Any, integer: Any, low: float, high: float, degree: int) -> Any:
    # x = n ln 2 + r with |r| ≤ ln 2 / 2; ln 2 in two parts keeps r exact; e^r by its Taylor series
    coarse = number(0.693145751953125)
    fine, per_octave = number(math.log(2) - 0.693145751953125), number(1 / math.log(2))
    low, high, half, zero = number(low), number(high), number(0.5), number(0)
    polynomial = polynomial_of([1 / math.factorial(power) for power in range(degree, -1, -1)])

    def exp(x: Any) -> Any:
        x = low if x < low else (high if x > high else x)  # in this order NaN stays NaN
        octaves = x * per_octave
        n = integer(octaves + (half if octaves >= zero else -half))
        r = (x - number(n) * coarse) - number(n) * fine
        return polynomial(r) * power_of_two(n)

    return exp


_exp32 = _make_exp(np.float32, np.int32, -87.0, 88.0, 7)
_exp64 = _make_exp(np.float64, np.int64, -708.0, 709.0, 13)


@overload(_exp)
def _choose_exp(x: Any) -> Any:
    return _exp32 if x == numba.types.float32 else _exp64
