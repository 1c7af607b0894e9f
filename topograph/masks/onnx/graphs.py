"""ONNX graphs: initializers, oriented by the node that uses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError, InvalidParameterError
from topograph.masks.geometry import Geometry
from topograph.masks.layout import Layout, einsum_layout, keras_layout, torch_layout
from topograph.masks.onnx.tensors import sparse_initializer, stored_initializer
from topograph.masks.source import Entry
from topograph.masks.weights import Part, Stored, Weight

_GATES = {"LSTM": ("input", "output", "forget", "cell"), "GRU": ("update", "reset", "new"), "RNN": ()}
_WEIGHT_INPUT = {"QLinearMatMul": 3, "QLinearConv": 3}
_PASSES_THROUGH = ("Identity", "Cast")
_ZERO_POINT_INPUT = {
    "MatMulInteger": {0: 2, 1: 3},
    "ConvInteger": {1: 3},
    "QLinearMatMul": {0: 2, 3: 5},
    "QLinearConv": {3: 5},
}
"""Node → input of a weight → input of what stands for zero in it."""
_AUTO_PAD = {b"SAME_UPPER": "same", b"SAME_LOWER": "same_lower", b"VALID": "valid"}


@dataclass(frozen=True)
class _Value:
    """A constant on its way to the node that uses it."""

    name: str
    stored: Stored
    turned: bool = False
    mask: Stored | None = None


def model_entries(model: Any, folder: Path) -> list[Entry]:
    """Every initializer of a model, in the order in which the nodes use them.

    Parameters
    ----------
    model
        The parsed ``ModelProto``.
    folder
        The only folder from which external data is read.
    """
    return list(_unique([entry for graph in _graphs(model.graph) for entry in _entries(graph, folder)]))


def _graphs(graph: Any) -> Iterator[Any]:
    """The graph, and those within its branches and loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)
            for inner in attribute.graphs:
                yield from _graphs(inner)


def _entries(graph: Any, folder: Path) -> Iterator[Entry]:
    values = _constants(graph, folder)
    names = {value.name for value in values.values()}
    sizes = _image_sizes(graph)
    done: set[str] = set()
    users: dict[str, str] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            value = values.get(name)
            if value is None:
                continue
            parts = _parts(node, place, value, sizes)
            if parts is None:
                users.setdefault(value.name, node.op_type)
                continue
            if value.name in done or len(value.stored.shape) < 2 or value.stored.problem:
                continue
            done.add(value.name)
            point = _ZERO_POINT_INPUT.get(node.op_type, {}).get(place)
            if point is not None and len(node.input) > point:
                axis = 0 if node.op_type in ("ConvInteger", "QLinearConv") else len(value.stored.shape) - 1
                value = _centred(value, values.get(node.input[point]), axis, 0)
            note = "; ".join(filter(None, [f"{node.op_type} {node.name}".strip(), value.stored.note]))
            weight = Weight(value.name, value.stored, value.mask, note)
            if isinstance(parts, str):
                yield weight.entry("", None, parts)
            else:
                for suffix, layout in parts:
                    yield weight.entry(suffix, layout)
    for value in {value.name: value for value in values.values()}.values():
        if value.name not in done and value.name in names:
            yield Entry.left_out(value.name, _reason(value.stored, users.get(value.name)))


def _reason(stored: Stored, user: str | None) -> str:
    if stored.problem:
        return stored.problem
    count = len(stored.shape)
    if count < 2:
        return f"has {count} dimension{'s' * (count != 1)}, a mask has two or more"
    return f"is used by {user}, not as a layer's weight" if user else "is used by no node"


def _constants(graph: Any, folder: Path) -> dict[str, _Value]:
    """Name → constant: initializers, constant nodes, and what only turns, converts or masks one of them."""
    values: dict[str, _Value] = {}
    for tensor in graph.initializer:
        values[tensor.name] = _Value(tensor.name, stored_initializer(tensor, folder))
    for tensor in graph.sparse_initializer:
        values[tensor.values.name] = _Value(tensor.values.name, sparse_initializer(tensor, folder))
    for node in graph.node:
        if len(node.output) != 1:
            continue
        output = node.output[0]
        first = values.get(node.input[0]) if node.input else None
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value" and attribute.HasField("t"):
                    values[output] = _Value(output, stored_initializer(attribute.t, folder))
        elif first is not None and node.op_type in _PASSES_THROUGH:
            values[output] = first
        elif first is not None and node.op_type in ("DequantizeLinear", "QuantizeLinear"):
            point = values.get(node.input[2]) if len(node.input) > 2 and node.op_type == "DequantizeLinear" else None
            known = _attributes(node)
            values[output] = _centred(first, point, int(known.get("axis", 1)), int(known.get("block_size", 0)))
        elif first is not None and node.op_type == "Transpose" and len(first.stored.shape) == 2:
            if list(_attributes(node).get("perm", (1, 0))) == [1, 0]:
                values[output] = replace(first, turned=not first.turned)
        elif first is not None and node.op_type == "Mul" and len(node.input) == 2:
            second = values.get(node.input[1])
            if second is not None and len(first.stored.shape) > 1 and second.stored.shape == first.stored.shape:
                weight, mask = (second, first) if "mask" in first.name.lower() else (first, second)
                if not (weight.turned or mask.turned or weight.stored.problem or mask.stored.problem):
                    values[output] = replace(weight, mask=mask.stored)
    return values


def _centred(value: _Value, point: _Value | None, axis: int, block: int) -> _Value:
    """Quantized numbers less the one that stands for zero."""
    if point is None or value.stored.problem or point.stored.problem:
        return value
    stored, centre = value.stored, point.stored
    axis += len(stored.shape) if axis < 0 else 0

    def read() -> Any:
        zero = np.asarray(centre.read()).astype(np.int64)
        if zero.size == 1:
            zero = zero.reshape(())
        elif zero.ndim == 1 and axis < len(stored.shape) and zero.size == stored.shape[axis]:
            zero = zero.reshape([-1 if number == axis else 1 for number in range(len(stored.shape))])
        elif block and zero.ndim == len(stored.shape) and zero.shape[axis] * block >= stored.shape[axis]:
            zero = np.take(np.repeat(zero, block, axis=axis), range(stored.shape[axis]), axis=axis)
        else:
            raise InvalidMaskError(f"has zero points of shape {zero.shape}, which do not fit its shape {stored.shape}")
        values = np.asarray(stored.read())
        return (values if values.dtype.kind == "f" else values.astype(np.int64)) - zero

    return replace(value, stored=replace(stored, read=read, note="zero is its zero point"))


def _parts(node: Any, place: int, value: _Value, sizes: Mapping[str, tuple[int, ...]]) -> Sequence[Part] | str | None:
    """The layouts of a constant at a node's input; None when it is not a weight there."""
    kind, shape = node.op_type, value.stored.shape
    known = _attributes(node)
    weight = _WEIGHT_INPUT.get(kind, 1)
    if kind == "Gemm" and place in (0, 1) and len(shape) == 2:
        flipped = bool(known.get("transB" if place else "transA", 0)) is (place == 1)
        return [("", _matrix(2, flipped is not value.turned))]
    if kind in ("MatMul", "MatMulInteger", "QLinearMatMul") and place in (0, weight) and len(shape) >= 2:
        return [("", _matrix(len(shape), (place == 0) is not value.turned))]
    if kind in ("Conv", "ConvInteger", "QLinearConv", "ConvTranspose") and place == weight and len(shape) > 2:
        return [("", torch_layout(len(shape), _geometry(node, known, sizes)))]
    if kind in _GATES and place in (1, 2) and len(shape) == 3:
        return _recurrent(kind, shape)
    if kind == "Einsum" and place == 1 and len(node.input) == 2:
        equation = known.get("equation", b"")
        return [("", einsum_layout(equation.decode("utf-8", "replace"), shape))]
    if kind == "Gather" and place == 0:
        return "is an embedding table, not a layer; include it by name to read it"
    return None


def _matrix(ndim: int, out_in: bool) -> Layout:
    """A matrix, or a stack of them that multiplies each its own inputs."""
    layout = torch_layout(2) if out_in else keras_layout(2)
    lead = ndim - 2
    inputs, outputs = (layout.inputs[0] + lead,), (layout.outputs[0] + lead,)
    return replace(layout, batch=tuple(range(lead)), inputs=inputs, outputs=outputs)


def _geometry(node: Any, known: Mapping[str, Any], sizes: Mapping[str, tuple[int, ...]]) -> Geometry:
    dimensions = len(known["kernel_shape"]) if "kernel_shape" in known else len(known.get("strides", ()))
    padding: Any = _AUTO_PAD.get(known.get("auto_pad", b"NOTSET"))
    transposed = node.op_type == "ConvTranspose"
    if padding is None and "pads" in known:
        pads = list(known["pads"])
        half = len(pads) // 2
        extra = list(known.get("output_padding", ())) or [0] * half
        padding = [(a, b - c) for a, b, c in zip(pads[:half], pads[half:], extra, strict=True)]
    image = sizes.get(node.input[0], ())
    try:
        return Geometry(
            input_size=image if image and (not dimensions or len(image) == dimensions) else None,
            stride=known.get("strides"),
            padding=padding,
            dilation=known.get("dilations"),
            groups=known.get("group"),
            transposed=transposed,
        )
    except InvalidParameterError as error:  # the file's fault, not the caller's
        raise InvalidMaskError(f"the node {node.name!r} is not a valid convolution: {error}") from error


def _recurrent(kind: str, shape: tuple[int, ...]) -> list[Part]:
    """Directions × (gates · hidden) × inputs."""
    gates, layout = _GATES[kind], torch_layout(2)
    ways = ("forward", "reverse") if shape[0] == 2 else ("",) * shape[0]
    parts: list[Part] = []
    for number, way in enumerate(ways):
        label = f":{way}" if way else ""
        if not gates or shape[1] % len(gates):
            parts.append((label, replace(layout, part=(number,))))
            continue
        step = shape[1] // len(gates)
        parts += [
            (f"{label}:{gate}", replace(layout, part=(number, slice(place * step, (place + 1) * step))))
            for place, gate in enumerate(gates)
        ]
    return parts


def _attributes(node: Any) -> dict[str, Any]:
    """The attributes that a layout needs."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.ints:
            found[attribute.name] = list(attribute.ints)
        elif attribute.HasField("s"):
            found[attribute.name] = attribute.s
        elif attribute.HasField("i"):
            found[attribute.name] = attribute.i
    return found


def _image_sizes(graph: Any) -> dict[str, tuple[int, ...]]:
    """Height and width of every value that the file gives a full shape for."""
    sizes = {}
    for info in (*graph.input, *graph.value_info):
        dims = [dim.dim_value for dim in info.type.tensor_type.shape.dim][2:]
        if dims and all(dim > 0 for dim in dims):
            sizes[info.name] = tuple(dims)
    return sizes


def _unique(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Names are unique within a graph; those of an inner graph may repeat them."""
    seen: dict[str, int] = {}
    for entry in entries:
        count = seen[entry.name] = seen.get(entry.name, 0) + 1
        yield entry if count == 1 else replace(entry, name=f"{entry.name}#{count}")
