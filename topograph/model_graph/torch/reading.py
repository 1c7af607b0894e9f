"""`ModelReading`: follows every operation of a running PyTorch model, and writes down which units lead to which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from topograph.errors import UnsupportedModelError
from topograph.model_graph.builder import GraphBuilder
from topograph.model_graph.references import Ids
from topograph.model_graph.torch.memory import UnitMemory, WeightMemory
from topograph.packages import require

torch: Any = require("torch", "torch")
_dispatch: Any = require("torch.utils._python_dispatch", "torch")
_tree: Any = require("torch.utils._pytree", "torch")


class ModelReading(_dispatch.TorchDispatchMode):  # type: ignore[misc, name-defined, unused-ignore]
    """Within it, each operation is done, and its rule says what units its result has.

    What does not depend on the input is computed and stays a number. What a rule cannot read becomes an error only
    where it is used: the positions that a max pooling gives, for example, seldom are.

    Parameters
    ----------
    weights
        Where the masked weights lie.
    rules
        From the name of an operation to its rule, ``rule(reading, args, kwargs, results)``.
    """

    def __init__(self, weights: WeightMemory, rules: Mapping[str, Callable[..., None]]) -> None:
        super().__init__()
        self.builder = GraphBuilder()
        self.weights = weights
        self.memory = UnitMemory()
        self.where: list[str] = []
        self.refusal = ""
        self.tables: set[str] = set()
        self._rules = rules
        self._opaque: dict[int, str] = {}
        self._from_indices: set[int] = set()
        self._hidden = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """PyTorch's own switch: wrapped, the first operation would load its compiler, which takes seconds."""
        return False

    # ------------------------------------------------------------------ what rules ask

    def is_live(self, value: Any) -> bool:
        """Whether a value depends on the input."""
        return isinstance(value, torch.Tensor) and self.memory.holds(value)

    def units(self, value: Any) -> Ids:
        """Units of a tensor's elements; 0 for a constant."""
        return self.memory.units(value)

    def set_units(self, result: Any, units: Ids) -> None:
        """Say what units a result has."""
        self.memory.write(result, torch.from_numpy(np.ascontiguousarray(units).reshape(tuple(result.shape))))

    def is_index(self, value: Any) -> bool:
        """Whether a value is, or was computed from, whole numbers that are the model's input."""
        return isinstance(value, torch.Tensor) and value.untyped_storage().data_ptr() in self._from_indices

    def why_opaque(self, value: Any) -> str:
        """Why a tensor that depends on the input has no units; empty where it does not, or has."""
        return self._opaque.get(value.untyped_storage().data_ptr(), "")

    def place(self) -> str:
        """The module that is running, in words."""
        return f" in {self.where[-1]}" if self.where else ""

    # ------------------------------------------------------------------ inputs

    def add_input(self, tensor: Any) -> None:
        """A tensor of the example: units where it holds numbers; whole numbers look up others."""
        if tensor.is_floating_point():
            self.set_units(tensor, self.builder.inputs(tuple(tensor.shape)))
        else:
            self.mark_index(tensor)

    def mark_index(self, tensor: Any) -> None:
        """Note that a tensor holds, or was computed from, the model's whole numbers."""
        self.memory.keep(tensor)
        self._from_indices.add(tensor.untyped_storage().data_ptr())

    # ------------------------------------------------------------------ modules as a whole

    def hide(self) -> None:
        """From here on operations are done without being read: a module that is read as a whole begins."""
        self._hidden += 1

    def show(self) -> None:
        """The module ends."""
        self._hidden -= 1

    # ------------------------------------------------------------------ every operation

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Do the operation, then read it."""
        kwargs = dict(kwargs or {})
        results = function(*args, **kwargs)
        if not self._hidden:
            try:
                self._read(function, args, kwargs, results)
            except UnsupportedModelError as error:
                self.refusal = str(error)  # frameworks on top write around the words of errors
                raise
        return results

    def _read(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
        name = function._schema.name.removeprefix("aten::")
        tensors = [leaf for leaf in _tree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        outputs = [leaf for leaf in _tree.tree_leaves(results) if isinstance(leaf, torch.Tensor)]
        for output in outputs:
            self.memory.keep(output)
        if not self.is_writing(function) and _share_memory(tensors, outputs):
            return  # a view: its units are there
        live = [tensor for tensor in tensors if self.is_live(tensor)]
        if not live:
            self._read_constant(name, tensors, args, kwargs, outputs)
            return
        for tensor in tensors:
            words = self.why_opaque(tensor)
            if words:
                raise UnsupportedModelError(words)
        rule = self._rules.get(name.removesuffix("_"))
        if rule is None:
            words = f"the operation {function._schema.name}{self.place()} cannot be read as edges"
            if any(output.is_floating_point() or output.is_complex() for output in outputs) or not outputs:
                raise UnsupportedModelError(words)
            for output in outputs:  # numbers that only choose: an error where they do
                self._opaque[output.untyped_storage().data_ptr()] = (
                    f"what the model computes depends on {function._schema.name}{self.place()}, which chooses by the "
                    "values of its input: this cannot be read as edges"
                )
            return
        rule(self, args, kwargs, results)
        words = f"the operation {function._schema.name}{self.place()} has a further result that cannot be read as edges"
        for output in outputs[1:]:
            if not self.is_live(output):
                self._opaque[output.untyped_storage().data_ptr()] = words

    def _read_constant(
        self, name: str, tensors: Sequence[Any], args: Sequence[Any], kwargs: Mapping[str, Any], outputs: Sequence[Any]
    ) -> None:
        """An operation on constants: weights stay known; what is computed from whole numbers of the input is marked."""
        from topograph.model_graph.torch.constants import carry_weights

        for tensor in tensors:
            words = self.why_opaque(tensor)
            if words:
                for output in outputs:
                    self._opaque[output.untyped_storage().data_ptr()] = words
                return
        if any(self.is_index(tensor) for tensor in tensors):
            if self._looks_up(name, args, outputs):
                return
            for output in outputs:
                self.mark_index(output)
        if any(self.weights.knows(tensor) or self.weights.is_obscured(tensor) for tensor in tensors):
            carry_weights(self, name.removesuffix("_"), tensors, args, kwargs, outputs)

    def _looks_up(self, name: str, args: Sequence[Any], outputs: Sequence[Any]) -> bool:
        """An embedding of the model's whole numbers: its rows are inputs of the network."""
        is_embedding = name == "embedding" and self.is_index(args[1])
        is_row = name == "index" and not self.is_index(args[0]) and args[0].is_floating_point()
        if not is_embedding and not is_row:
            return False
        if self.weights.knows(args[0]):
            self.tables.update(self.weights.names(args[0]))
        self.set_units(outputs[0], self.builder.inputs(tuple(outputs[0].shape)))
        return True

    @staticmethod
    def is_writing(function: Any) -> bool:
        """Whether an operation changes one of its arguments."""
        return any(a.alias_info is not None and a.alias_info.is_write for a in function._schema.arguments)


def _share_memory(tensors: Sequence[Any], outputs: Sequence[Any]) -> bool:
    places = {tensor.untyped_storage().data_ptr() for tensor in tensors if tensor.numel()}
    return bool(outputs) and all(output.untyped_storage().data_ptr() in places for output in outputs)
