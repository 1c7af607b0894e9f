"""Keras layers described by class and configuration, and the layouts of their weights. Keras is not imported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from topograph.errors import InvalidMaskError, InvalidParameterError
from topograph.masks.geometry import Geometry
from topograph.masks.layout import Layout, einsum_layout, keras_layout
from topograph.masks.weights import Part

_GATES = {"LSTM": ("input", "forget", "cell", "output"), "GRU": ("update", "reset", "new")}
_NAMES: dict[str, tuple[str, ...]] = {
    "SeparableConv": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "Recurrent": ("kernel", "recurrent_kernel", "bias"),
    "Embedding": ("embeddings",),
    "Normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}
_NO_LAYER = ("bias", "gamma", "beta", "moving_mean", "moving_variance", "mean", "variance", "count")
_HEADS = ("query", "key", "value", "attention_output")
_DEEPEST = 32


@dataclass(frozen=True)
class KerasLayer:
    """A layer as its configuration describes it.

    Parameters
    ----------
    kind
        The class, such as ``"Conv2D"``; empty when unknown.
    config
        Its constructor's arguments.
    input_shape
        Shape of the input it was built for, batch first; empty when unknown.
    """

    kind: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    input_shape: tuple[Any, ...] = ()

    @property
    def is_recurrent(self) -> bool:
        """Whether its weights hold gates, or could."""
        return any(word in self.kind for word in ("LSTM", "GRU", "RNN"))

    def variable_name(self, number: int) -> str:
        """The name of its n-th variable: newer files number them."""
        key = "Recurrent" if self.is_recurrent else next((key for key in _NAMES if key in self.kind), "")
        known = self.kind.endswith("Dense") or "Conv" in self.kind or "Attention" in self.kind
        names = _NAMES.get(key) or (("kernel", "bias") if known else ())
        if names == ("kernel", "bias") and "int" in str(self.config.get("dtype")):  # quantized: scales come behind
            names = (
                *(names if self.config.get("use_bias", True) else ("kernel",)),
                "kernel_scale",
                "kernel_zero",
                "g_idx",
            )
        if self.kind == "MaskedDense":  # ours, in trainers.keras
            names = ("kernel", "bias", "mask") if self.config.get("use_bias", True) else ("kernel", "mask")
        return names[number] if number < len(names) else str(number)


def layers_of_config(model: Any) -> dict[str, KerasLayer]:
    """Path → layer for every layer in a model's configuration, in its order.

    Raises
    ------
    InvalidMaskError
        When it is nested beyond reason.
    """
    return dict(_walk(model, (), 0)) if isinstance(model, Mapping) else {}


def _walk(node: Mapping[str, Any], path: tuple[str, ...], depth: int) -> Iterator[tuple[str, KerasLayer]]:
    if depth > _DEEPEST:
        raise InvalidMaskError(f"the configuration is nested more than {_DEEPEST} deep")
    config = node.get("config")
    # Keras 2 kept a bare list of layers for a Sequential model
    config = {"layers": config} if isinstance(config, list) else config
    if not isinstance(config, Mapping):
        return
    if path:
        layer = KerasLayer(str(node.get("class_name", "")), config, _input_shape(node))
        yield "/".join(path), layer
    children = config.get("layers")
    for child in children if isinstance(children, list) else []:
        if isinstance(child, Mapping):
            yield from _walk(child, (*path, _name(child)), depth + 1)
    wrapped = config.get("layer")
    if isinstance(wrapped, Mapping):
        inner = _name(wrapped)
        names = [inner]
        if node.get("class_name") == "Bidirectional":
            stem = inner.removeprefix("forward_")
            names = [f"forward_{stem}", f"backward_{stem}"]
        for name in names:
            yield from _walk(wrapped, (*path, name), depth + 1)


def _name(node: Mapping[str, Any]) -> str:
    config = node.get("config")
    name = config.get("name") if isinstance(config, Mapping) else None
    return str(name or node.get("name") or node.get("class_name", ""))


def _input_shape(node: Mapping[str, Any]) -> tuple[Any, ...]:
    build = node.get("build_config")
    shape = build.get("input_shape") if isinstance(build, Mapping) else None
    return tuple(shape) if isinstance(shape, (list, tuple)) else ()


def owner_of(path: str, layers: Mapping[str, KerasLayer]) -> tuple[int, KerasLayer]:
    """The innermost layer that a variable's path leads through, and its place in the order."""
    parts = path.split("/")
    order = {name: number for number, name in enumerate(layers)} if layers else {}
    for end in range(len(parts) - 1, 0, -1):
        prefix = "/".join(parts[:end])
        if prefix in layers:
            return order[prefix], layers[prefix]
    return len(order), KerasLayer(guess_kind(parts))


_CLASSES = {
    re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", name).lower(): name
    for name in (
        *("Dense", "EinsumDense", "Embedding", "LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell", "SimpleRNNCell"),
        *(f"{kind}Conv{n}D" for kind in ("", "Depthwise", "Separable") for n in (1, 2, 3)),
        *(f"Conv{n}DTranspose" for n in (1, 2, 3)),
        *(f"ConvLSTM{n}D" for n in (1, 2, 3)),
        *("MultiHeadAttention", "BatchNormalization", "LayerNormalization", "GroupNormalization"),
    )
}


def guess_kind(parts: Sequence[str]) -> str:
    """The class that the parts of a path name by Keras' own habit, such as ``conv2d_1``."""
    for part in reversed(parts):
        stem = re.sub(r"_\d+$", "", part)
        if stem in _CLASSES:
            return _CLASSES[stem]
    return ""


# ------------------------------------------------------------------ layouts


def weight_parts(layer: KerasLayer, path: str, shape: tuple[int, ...]) -> Sequence[Part] | str:
    """The parts of a weight with their layouts, or the reason to set it aside.

    Examples
    --------
    >>> [name for name, _ in weight_parts(KerasLayer("GRU"), "gru/kernel", (5, 9))]
    [':update', ':reset', ':new']
    """
    parents, weight = path.split("/")[:-1], path.rpartition("/")[2]
    weight = weight.split(":")[0]
    if weight in _NO_LAYER:
        return "bias: not a layer's weight" if weight == "bias" else "belongs to a normalisation, not a layer"
    if weight == "embeddings" or layer.kind == "Embedding":
        return "is an embedding table, not a layer; include it by name to read it"
    if layer.kind.endswith("Normalization"):
        return "belongs to a normalisation, not a layer"
    if "Attention" in layer.kind and parents and parents[-1] in _HEADS and len(shape) == 3:
        return _heads(parents[-1], shape)
    if layer.kind == "EinsumDense":
        return [("", einsum_layout(layer.config.get("equation"), shape))]
    if "Conv" in layer.kind and "LSTM" not in layer.kind:
        return [("", _convolution(layer, weight, shape))]
    if layer.is_recurrent or any(word in "/".join(parents) for word in ("lstm_cell", "gru_cell")):
        return _recurrent(layer, "/".join(parents), shape)
    return [("", keras_layout(len(shape)))]


def _heads(which: str, shape: tuple[int, ...]) -> list[Part]:
    output = which == "attention_output"  # heads × size × outputs; the others are inputs × heads × size
    return [
        (f":head{head}", replace(keras_layout(2), part=(head,) if output else (slice(None), head)))
        for head in range(shape[0] if output else shape[1])
    ]


def _recurrent(layer: KerasLayer, parents: str, shape: tuple[int, ...]) -> list[Part]:
    kind = "LSTM" if "LSTM" in layer.kind or "lstm" in parents else "GRU"
    plain = "GRU" not in layer.kind and "gru" not in parents and kind == "GRU"
    gates = () if plain else _GATES[kind]
    layout = keras_layout(len(shape))
    if not gates or shape[-1] % len(gates):
        return [("", layout)]
    step = shape[-1] // len(gates)
    return [
        (f":{gate}", replace(layout, part=(..., slice(number * step, (number + 1) * step))))
        for number, gate in enumerate(gates)
    ]


def _convolution(layer: KerasLayer, weight: str, shape: tuple[int, ...]) -> Layout:
    depthwise = "Depthwise" in layer.kind or weight == "depthwise_kernel"
    geometry = _geometry(layer, len(shape) - 2)
    if weight == "pointwise_kernel":  # lies over what the depthwise step leaves
        return keras_layout(len(shape))
    if depthwise:
        geometry = replace(geometry, groups=shape[-2] or None)
    elif "Transpose" in layer.kind:
        geometry = replace(geometry, transposed=True)
    return keras_layout(len(shape), geometry, depthwise=depthwise)


def _geometry(layer: KerasLayer, dimensions: int) -> Geometry:
    """A convolution's geometry as the configuration gives it; empty where the configuration makes no sense."""
    config = layer.config
    image = layer.input_shape[2:] if config.get("data_format") == "channels_first" else layer.input_shape[1:-1]
    padding = config.get("padding")
    dilation = config.get("dilation_rate")
    if padding == "causal":
        kernel = config.get("kernel_size")
        size = kernel[0] if isinstance(kernel, (list, tuple)) and kernel else kernel
        step = dilation[0] if isinstance(dilation, (list, tuple)) and dilation else dilation or 1
        padding = [((size - 1) * step, 0)] if isinstance(size, int) and isinstance(step, int) else None
    known = len(image) == dimensions and all(isinstance(side, int) for side in image)
    try:
        return Geometry(
            input_size=image if known else None,
            stride=config.get("strides"),
            padding=padding,
            dilation=dilation,
            groups=config.get("groups"),
        )
    except (InvalidParameterError, TypeError):
        return Geometry()
