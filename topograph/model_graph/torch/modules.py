"""Modules that are read as a whole: normalisations pass each element on, sparse layers are their own graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from topograph.masks.torch.swapping import is_sparse
from topograph.model_graph.torch.memory import pattern_of_graph
from topograph.model_graph.torch.reading import ModelReading
from topograph.packages import require

torch: Any = require("torch", "torch")

_NORM_CLASSES = ("Norm", "Norm1d", "Norm2d", "Norm3d", "Normalization")
_NORMALISATIONS = frozenset({"rms_norm", "local_response_norm", "normalize", "group_norm", "instance_norm"})


@contextmanager
def followed_modules(reading: ModelReading, model: Any) -> Iterator[None]:
    """Within it, the reading knows which module runs, and is told what the whole ones do."""
    names = {module: name for name, module in model.named_modules()}

    def before(module: Any, args: Any) -> None:
        if module not in names:
            return
        reading.where.append(f"{names[module] or 'the model'} ({type(module).__name__})")
        if _is_whole(module):
            reading.hide()

    def after(module: Any, args: Any, output: Any) -> None:
        if module not in names:
            return
        reading.where.pop()
        if not _is_whole(module):
            return
        reading.show()
        if not isinstance(output, torch.Tensor):
            return
        reading.memory.keep(output)
        if is_sparse(module):
            _read_sparse(reading, names[module], module, args[0], output)
        else:
            _pass_on(reading, args, output)

    register = torch.nn.modules.module
    handles = [register.register_module_forward_pre_hook(before), register.register_module_forward_hook(after)]
    try:
        with _Functions(reading):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _is_whole(module: Any) -> bool:
    """Whether a module is a normalisation, by its name, or a sparse layer of ours."""
    return is_sparse(module) or (type(module).__name__.endswith(_NORM_CLASSES) and not any(module.children()))


def _pass_on(reading: ModelReading, args: Any, output: Any) -> None:
    if args and reading.is_live(args[0]) and args[0].shape == output.shape:
        reading.set_units(output, reading.units(args[0]))


def _read_sparse(reading: ModelReading, name: str, module: Any, values: Any, output: Any) -> None:
    """A `SparseLinear`: its edges are its graph."""
    if not reading.is_live(values):
        return
    units = reading.units(values)
    pattern = pattern_of_graph(reading.weights, f"{name}.weight" if name else "weight", module)
    targets = reading.builder.contract(units.reshape(-1, 1, units.shape[-1]), pattern)
    reading.set_units(output, targets.reshape(tuple(output.shape)))


class _Functions(torch.overrides.TorchFunctionMode):  # type: ignore[misc, name-defined, unused-ignore]
    """Normalisations that are called as functions, which PyTorch composes of smaller operations."""

    def __init__(self, reading: ModelReading) -> None:
        super().__init__()
        self._reading = reading

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Do a normalisation unread, then pass its input's units on."""
        if getattr(function, "__name__", "") not in _NORMALISATIONS:
            return function(*args, **(kwargs or {}))
        self._reading.hide()
        try:
            output = function(*args, **(kwargs or {}))
        finally:
            self._reading.show()
        if isinstance(output, torch.Tensor):
            self._reading.memory.keep(output)
            _pass_on(self._reading, args, output)
        return output
