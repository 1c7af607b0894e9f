"""Live models: `ModelKind`, an entry point of the group ``topograph.live_models``, and who reads a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.masks.source import Source
from topograph.plugins import named_plugins

GROUP = "topograph.live_models"
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Same:
    """One object, equal to itself alone, and alive as long as it is compared with others."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


@dataclass(frozen=True)
class ImposedMask:
    """A mask that lies on a weight of a model, looked up when it is asked for.

    Parameters
    ----------
    version
        What tells it from another mask without reading it.
    mask, values
        Give the mask, and the weight that the model computes with, as arrays of one shape.
    slots
        ``slots(optimizer)`` gives what an optimizer remembers of the weight: name → array.
    """

    version: Any
    mask: Callable[[], Mask]
    values: Callable[[], npt.NDArray[Any]]
    slots: Callable[[Any], dict[str, npt.NDArray[Any]]]


@dataclass(frozen=True)
class ModelKind:
    """One framework's models in memory.

    Parameters
    ----------
    name
        The name it is listed by.
    type_name
        The class in words, for messages and tables, such as ``"torch.nn.Module"``.
    summary
        One line for the table of `topograph.masks.describe_formats`.
    recognises
        Whether an object is such a model; it must not import the framework.
    source
        The model's layers as a `Source`.
    fix_masks
        ``fix_masks(model, masks)`` puts masks on weights by name and keeps them there while the model trains; None when
        that is not possible.
    remove_masks
        ``remove_masks(model, names)`` makes the masks of weights final; None when that is not possible.
    imposed
        ``imposed(model)`` gives the masks that lie on weights, by the weights' names; None when none can.
    swap_layers
        ``swap_layers(model, masks)`` replaces layers, by the names of their weights, by sparse ones; None when that is
        not possible.
    extra
        The extra of topograph that brings the framework.
    """

    name: str
    type_name: str
    summary: str
    recognises: Callable[[Any], bool]
    source: Callable[[Any], Source]
    fix_masks: Callable[[Any, Mapping[str, Mask]], None] | None = None
    remove_masks: Callable[[Any, Iterable[str]], None] | None = None
    imposed: Callable[[Any], dict[str, ImposedMask]] | None = None
    swap_layers: Callable[[Any, Mapping[str, Mask]], None] | None = None
    extra: str = ""


def available_models() -> dict[str, ModelKind]:
    """Name → kind of live model for everything registered as ``topograph.live_models``.

    Raises
    ------
    PluginError
        When an entry point names something that is not a `ModelKind`.

    Examples
    --------
    >>> sorted(available_models())
    ['igraph', 'keras', 'networkx', 'torch']
    """
    return named_plugins(GROUP, ModelKind)


def kind_of(model: Any) -> ModelKind | None:
    """The kind of a live model; None when the object is not one."""
    return next((kind for kind in available_models().values() if kind.recognises(model)), None)


def root_packages(value: Any) -> set[str]:
    """The top-level packages of an object's class and of its bases."""
    return {part.__module__.split(".")[0] for part in type(value).__mro__}
