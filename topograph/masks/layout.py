"""`Layout`: which axes of a stored tensor are inputs, taps and outputs. Every framework's orientation is one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy.typing as npt

from topograph.errors import InvalidMaskError
from topograph.masks.geometry import Geometry

IN_OUT, OUT_IN = "in_out", "out_in"


@dataclass(frozen=True)
class Layout:
    """How a stored tensor becomes edges from inputs to outputs.

    Parameters
    ----------
    words
        The orientation in words, for the table.
    inputs, taps, outputs
        The axes (after ``part`` was taken) that number inputs, kernel taps and outputs.
    batch
        Axes that number independent groups, each with its own inputs and outputs.
    groups, group_axis
        A grouped convolution: the number of groups, and on which axis they lie (``"inputs"`` or ``"outputs"``).
    part
        Index of the piece of the tensor that this layer is: a gate, a head, a direction.
    geometry
        For a convolution: what the source says of its stride, padding and image.

    Examples
    --------
    >>> import numpy as np
    >>> torch_layout(2).blocks(np.zeros((300, 784))).shape  # groups, inputs, taps, outputs
    (1, 784, 1, 300)
    >>> torch_layout(4, Geometry(groups=2)).blocks(np.zeros((8, 3, 5, 5))).shape
    (2, 3, 25, 4)
    """

    words: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    taps: tuple[int, ...] = ()
    batch: tuple[int, ...] = ()
    groups: int = 1
    group_axis: str = "outputs"
    part: tuple[Any, ...] = ()
    geometry: Geometry | None = None

    def grouped(self, groups: int | None) -> Layout:
        """The same with another number of groups; None changes nothing."""
        return self if groups is None else replace(self, groups=groups)

    def kernel_size(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the tap axes."""
        return tuple(shape[axis] for axis in self.taps)

    def blocks(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The tensor as ``(groups, inputs of a group, taps, outputs of a group)``; a view wherever NumPy can.

        Raises
        ------
        InvalidMaskError
            When the axes or the groups do not fit the shape.
        """
        values = values[self.part] if self.part else values
        axes = (*self.batch, *self.inputs, *self.taps, *self.outputs)
        if sorted(axes) != list(range(values.ndim)):
            raise InvalidMaskError(f"a tensor of shape {values.shape} is not {self.words}")
        shape = [math.prod(values.shape[axis] for axis in part) for part in self._parts]
        turned = values.transpose(axes).reshape(shape)
        if self.groups == 1:
            return turned
        batch, n_inputs, taps, n_outputs = shape
        side, size = ("inputs", n_inputs) if self.group_axis == "inputs" else ("outputs", n_outputs)
        if batch != 1 or size % self.groups:
            raise InvalidMaskError(
                f"{size} {side} (shape {values.shape}, {self.words}) do not divide into {self.groups} groups"
            )
        if side == "inputs":
            return turned.reshape(self.groups, size // self.groups, taps, n_outputs)
        return turned.reshape(n_inputs, taps, self.groups, size // self.groups).transpose(2, 0, 1, 3)

    @property
    def _parts(self) -> tuple[tuple[int, ...], ...]:
        return self.batch, self.inputs, self.taps, self.outputs


def torch_layout(ndim: int, geometry: Geometry | None = None, words: str = "outputs × inputs") -> Layout:
    """PyTorch and ONNX: outputs × inputs, then taps; transposed convolutions are inputs × outputs × taps."""
    taps = tuple(range(2, ndim))
    groups = (geometry and geometry.groups) or 1
    if geometry is not None and geometry.transposed:
        return Layout(_with_taps("inputs × outputs", taps), (0,), (1,), taps, (), groups, "inputs", (), geometry)
    if taps and geometry is None:
        geometry = Geometry()
    return Layout(_with_taps(words, taps), (1,), (0,), taps, (), groups, "outputs", (), geometry)


def keras_layout(
    ndim: int, geometry: Geometry | None = None, *, depthwise: bool = False, words: str = "inputs × outputs"
) -> Layout:
    """Keras and JAX: taps, then inputs × outputs; transposed convolutions are taps × outputs × inputs."""
    taps = tuple(range(ndim - 2))
    if taps and geometry is None:
        geometry = Geometry()
    groups = (geometry and geometry.groups) or 1
    if geometry is not None and geometry.transposed:
        words = "taps × outputs × inputs" if taps else "outputs × inputs"
        return Layout(words, (ndim - 1,), (ndim - 2,), taps, (), groups, "outputs", (), geometry)
    words = f"taps × {words}" if taps else words
    side = "inputs" if depthwise else "outputs"
    return Layout(words, (ndim - 2,), (ndim - 1,), taps, (), groups, side, (), geometry)


def einsum_layout(equation: Any, shape: tuple[int, ...]) -> Layout:
    """``"abc,cde->abde"``: contracted letters are inputs, new ones outputs, shared ones number groups."""
    match = re.fullmatch(r"([a-zA-Z.]+),([a-zA-Z]+)->([a-zA-Z.]+)", str(equation).replace(" ", ""))
    if match is None or len(match[2]) != len(shape):
        return keras_layout(len(shape))
    entering, kernel, leaving = match.groups()
    axes: dict[str, list[int]] = {"inputs": [], "outputs": [], "batch": []}
    for axis, letter in enumerate(kernel):
        role = "outputs" if letter not in entering else "inputs" if letter not in leaving else "batch"
        axes[role].append(axis)
    return Layout(f"einsum {equation}", tuple(axes["inputs"]), tuple(axes["outputs"]), batch=tuple(axes["batch"]))


def expert_layout(orientation: str) -> Layout:
    """Stacked matrices of experts: each of them is a layer of its own, on the diagonal of the graph."""
    outputs, inputs = (1, 2) if orientation == OUT_IN else (2, 1)
    words = "experts × outputs × inputs" if orientation == OUT_IN else "experts × inputs × outputs"
    return Layout(words, (inputs,), (outputs,), batch=(0,))


def layout_of(orientation: str, ndim: int, geometry: Geometry | None = None) -> Layout:
    """The layout of a tensor of which only the orientation is known."""
    if geometry is None:
        return _plain_layout(orientation, ndim)
    return torch_layout(ndim, geometry) if orientation == OUT_IN else keras_layout(ndim, geometry)


@cache
def _plain_layout(orientation: str, ndim: int) -> Layout:
    """One layout for all the tensors of which nothing else is known."""
    return torch_layout(ndim) if orientation == OUT_IN else keras_layout(ndim)


def _with_taps(words: str, taps: tuple[int, ...]) -> str:
    return f"{words} × taps" if taps else words
