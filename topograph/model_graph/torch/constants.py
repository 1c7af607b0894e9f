"""What operations on constants do to the weights in them: moves and masks keep them known, the rest hides them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from topograph.model_graph.torch.rules.elementwise import ACTIVATIONS, HANDED_ON
from topograph.model_graph.torch.rules.moving import MOVES, moved
from topograph.packages import require

if TYPE_CHECKING:
    from topograph.model_graph.torch.reading import ModelReading

torch: Any = require("torch", "torch")

_MASKING = frozenset({"mul", "div", "add", "sub"})


def carry_weights(
    reading: ModelReading,
    name: str,
    tensors: Sequence[Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    outputs: Sequence[Any],
) -> None:
    """Write down which weights lie in the results of an operation on constants."""
    memory = reading.weights
    result = outputs[0] if outputs else None
    words = next(filter(None, map(memory.is_obscured, tensors)), "")
    holders = [tensor for tensor in tensors if memory.knows(tensor)]
    if result is None or words:
        for output in outputs:
            memory.obscure(output, words)
        return
    if name in MOVES:
        memory.write(result, moved(name, args, kwargs, memory.read))
        return
    same_shape = [tensor for tensor in holders if tensor.shape == result.shape]
    others = [tensor for tensor in tensors if tensor is not same_shape[0]] if same_shape else []
    is_scaled = name in _MASKING and not any(memory.knows(other) and other.shape == result.shape for other in others)
    if same_shape and (name in HANDED_ON | ACTIVATIONS or is_scaled):
        numbers = memory.read(same_shape[0])
        if name == "mul":
            for other in others:
                numbers = torch.where((other == 0).cpu(), 0, numbers)
        memory.write(result, numbers)
        return
    if result.dim() >= 2 and result.is_floating_point():
        for output in outputs:
            memory.obscure(
                output,
                f"a weight is computed from other weights by aten::{name}{reading.place()}, so that its mask no longer "
                "says which edges there are: this cannot be read as edges",
            )
