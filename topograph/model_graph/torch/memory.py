"""`UnitMemory` and `WeightMemory`: which units and which weights lie at each place of PyTorch's memory.

Views, slices and changes in place need no rule: a tensor's units are those at its places in its storage.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import UnsupportedModelError
from topograph.model_graph.operators import Pattern
from topograph.model_graph.references import Ids
from topograph.model_graph.weights import MaskedTensor, ModelWeights
from topograph.packages import require

torch: Any = require("torch", "torch")


class Memory:
    """A whole number for every element of every storage, 0 where nothing was written."""

    def __init__(self) -> None:
        self._shadows: dict[int, Any] = {}
        self._alive: list[Any] = []  # so that no storage's place is used again

    def knows(self, tensor: Any) -> bool:
        """Whether something was written to the tensor's storage."""
        return _key(tensor) in self._shadows

    def read(self, tensor: Any) -> Any:
        """Numbers of a tensor's elements, as a tensor of whole numbers of the same shape."""
        shadow = self._shadows.get(_key(tensor))
        if shadow is None:
            return torch.zeros(tensor.shape, dtype=torch.int64)
        return self._at(shadow, tensor)

    def write(self, tensor: Any, numbers: Any) -> None:
        """Set the numbers of a tensor's elements."""
        key = _key(tensor)
        if key not in self._shadows:
            if not bool((numbers != 0).any()):
                return
            length = tensor.untyped_storage().nbytes() // tensor.element_size()
            self._shadows[key] = torch.zeros(length, dtype=torch.int64)
            self._alive.append(tensor)
        self._at(self._shadows[key], tensor).copy_(numbers)

    def keep(self, tensor: Any) -> None:
        """Keep a tensor's storage from being used again."""
        self._alive.append(tensor)

    def _at(self, shadow: Any, tensor: Any) -> Any:
        length = tensor.untyped_storage().nbytes() // tensor.element_size()
        if length != shadow.numel():
            raise UnsupportedModelError(
                f"a tensor is read as {tensor.dtype}, whose elements have another size than those that were written; "
                "such views, as of complex numbers, cannot be followed"
            )
        return shadow.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


class UnitMemory(Memory):
    """Units of the elements of tensors."""

    def units(self, tensor: Any) -> Ids:
        """Units as a NumPy array."""
        return np.asarray(self.read(tensor).numpy())

    def holds(self, tensor: Any) -> bool:
        """Whether any element depends on the input."""
        return self.knows(tensor) and bool((self.read(tensor) != 0).any())


class WeightMemory(Memory):
    """Weights behind the elements of constant tensors, and the patterns that they make.

    Parameters
    ----------
    weights
        The masks of the model.
    """

    def __init__(self, weights: ModelWeights) -> None:
        super().__init__()
        self.weights = weights
        self._plain: dict[int, list[tuple[int, MaskedTensor]]] = {}
        self._patterns: dict[Any, Pattern] = {}
        self._free: set[int] = set()
        self._obscured: dict[int, str] = {}
        self._ordered = list(weights.tensors.values())
        self._starts = [tensor.first for tensor in self._ordered]
        empty = np.zeros(0, dtype=bool)
        self._mask = np.concatenate([empty, *(tensor.mask.ravel() for tensor in self._ordered)])
        self._counted = np.concatenate([empty, *(tensor.counted.ravel() for tensor in self._ordered)])

    def register(self, masked: MaskedTensor, tensor: Any) -> None:
        """A weight of the model lies in this tensor."""
        self.keep(tensor)
        if tensor.is_contiguous():
            self._plain.setdefault(_key(tensor), []).append((tensor.storage_offset(), masked))
        else:
            numbers = torch.arange(masked.mask.size).reshape(masked.shape) + masked.first + 1
            self.write(tensor, numbers)

    def register_free(self, tensor: Any) -> None:
        """A parameter without a mask lies in this tensor: it joins whatever it can."""
        self.keep(tensor)
        self._free.add(_key(tensor))

    def knows(self, tensor: Any) -> bool:
        """Whether a masked weight lies in the tensor's storage."""
        return super().knows(tensor) or self._plain_at(tensor) is not None

    def read(self, tensor: Any) -> Any:
        """Numbers of the weights, from 1; 0 where there is none."""
        at = self._plain_at(tensor)
        if at is None:
            return super().read(tensor)
        offset, masked = at
        numbers = torch.arange(masked.mask.size, dtype=torch.int64)
        own = numbers.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset() - offset)
        return own + (masked.first + 1)

    def _plain_at(self, tensor: Any) -> tuple[int, MaskedTensor] | None:
        low = tensor.storage_offset()
        for offset, masked in self._plain.get(_key(tensor), ()):
            if offset <= low < offset + masked.mask.size:
                return offset, masked
        return None

    def names(self, tensor: Any) -> set[str]:
        """Names of the masked weights in a tensor of which a layer was read."""
        numbers = self.read(tensor).numpy().ravel() - 1
        counted = numbers[(numbers >= 0) & self._counted[numbers]]
        owners = np.unique(np.searchsorted(self._starts, counted, side="right") - 1)
        return {self._ordered[owner].name for owner in owners.tolist()}

    def obscure(self, tensor: Any, words: str) -> None:
        """Note that a tensor was computed from weights in a way that hides which weight is where."""
        self.keep(tensor)
        self._obscured[_key(tensor)] = words

    def is_obscured(self, tensor: Any) -> str:
        """How the weights in a tensor were hidden; empty where they were not."""
        return self._obscured.get(_key(tensor), "")

    def pattern(self, tensor: Any, arrange: Any) -> Pattern:
        """The edges of a constant operand.

        Parameters
        ----------
        tensor
            The operand.
        arrange
            From an array of its shape to ``groups × inputs × outputs``; a function of the module, for one pattern is
            shared by all uses of one operand by one function.

        Raises
        ------
        UnsupportedModelError
            When it was computed from weights, and nobody knows which is where.
        """
        words = self.is_obscured(tensor)
        if words:
            raise UnsupportedModelError(words)
        key = _key(tensor), tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), arrange
        if key not in self._patterns:
            self._patterns[key] = self._made(tensor, arrange)
        return self._patterns[key]

    def _made(self, tensor: Any, arrange: Any) -> Pattern:
        if not self.knows(tensor):
            is_free = _key(tensor) in self._free
            there = np.ones(tensor.shape, dtype=bool) if is_free else (tensor != 0).cpu().numpy()
            return Pattern(np.ascontiguousarray(arrange(there)))
        at = self._plain_at(tensor)
        if at is not None:
            offset, masked = at
            return self._plain_pattern(tensor, masked, tensor.storage_offset() - offset, arrange)
        numbers = np.asarray(arrange(self.read(tensor).numpy()))
        edges = np.asarray(self._mask[numbers - 1] & (numbers > 0))
        counted = np.asarray(self._counted[numbers - 1] & (numbers > 0))
        if not counted.any():
            return Pattern(edges)
        owner = self._ordered[int(np.searchsorted(self._starts, numbers[counted].min() - 1, side="right")) - 1]
        return Pattern(edges, owner.name, np.where(counted, numbers - 1, -1).astype(self._kind))

    def _plain_pattern(self, tensor: Any, masked: MaskedTensor, offset: int, arrange: Any) -> Pattern:
        """The edges of a view of one weight as it lies."""

        def seen(flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
            view = torch.from_numpy(flat).as_strided(tensor.shape, tensor.stride(), offset)
            return np.ascontiguousarray(arrange(view.numpy()))

        edges, counted = seen(masked.mask.ravel()), seen(masked.counted.ravel())
        if not counted.any():
            return Pattern(edges)
        numbers = seen(np.arange(masked.mask.size, dtype=self._kind)) + self._kind(masked.first)
        if not counted.all():
            numbers[~counted] = -1
        return Pattern(edges, masked.name, numbers)

    @property
    def _kind(self) -> Any:
        return np.int32 if self._mask.size < 2**31 else np.int64


def _key(tensor: Any) -> int:
    return int(tensor.untyped_storage().data_ptr())


def pattern_of_graph(memory: WeightMemory, name: str, layer: Any) -> Pattern:
    """The edges of a `topograph.torch.SparseLinear`, by the name of the weight that it stands for."""
    masked = memory.weights.tensors.get(name)
    if masked is None:
        return Pattern(layer.graph.to_mask()[None])
    numbers = np.arange(masked.mask.size).reshape(masked.shape).T[None] + masked.first
    return Pattern(masked.mask.T[None], name, np.where(masked.counted.T[None], numbers, -1))
