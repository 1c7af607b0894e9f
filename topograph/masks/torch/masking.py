"""A fixed mask on a PyTorch weight: put there, and taken off again."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np

from topograph.errors import InvalidParameterError, TopologyMismatchError, UnknownNameError
from topograph.masks.live import Mask
from topograph.masks.torch.swapping import is_sparse
from topograph.packages import require


def fix_masks(model: Any, masks: Mapping[str, Mask]) -> None:
    """Mask weights by name; a mask of ours that is there already is replaced.

    Each becomes the parametrization ``weight = original · mask``. The mask is a buffer, saved with the model. A tensor
    that several layers share is masked in all of them. A sparse layer is rewired. Nothing is changed by a call that
    fails.

    Raises
    ------
    TopologyMismatchError
        When two names of one tensor are given different masks, or a mask does not have its weight's shape.
    InvalidParameterError
        When a weight is computed by hooks, as by ``torch.nn.utils.prune``, or cannot hold a mask: of a compiled
        TorchScript program, a sparse or a quantized one, or one made in inference mode.
    """
    torch, parametrize = require("torch", "torch"), require("torch.nn.utils.parametrize", "torch")
    if isinstance(model, torch.jit.ScriptModule):
        raise InvalidParameterError(
            f"a {type(model).__name__} of TorchScript is a finished program, whose weights cannot be masked; mask the "
            "model that it was made from, then script or trace that"
        )
    tied = _tied_weights(model)
    wanted: dict[str, Mask] = {}
    for name, mask in masks.items():
        for twin in tied.get(name, (name,)):
            if twin in wanted and not np.array_equal(wanted[twin], mask):
                raise TopologyMismatchError(
                    f"{name} and {twin} are one tensor, but their masks differ; give them the same mask"
                )
            wanted[twin] = mask
    for name, mask in wanted.items():
        if not is_sparse(_owner(model, name)[0]):
            _check_weight(model, name, mask)
    for name, mask in wanted.items():
        owner, weight = _owner(model, name)
        if is_sparse(owner):
            owner.rewire(mask.T)
            continue
        device = _first_tensor(owner, weight).device
        fixed = torch.from_numpy(np.array(mask, order="C")).to(device)
        step = mask_of(owner, weight)
        if step is not None:
            step.mask = fixed
        else:
            order = next((other.order for other in _masks_of(owner)), tuple(owner._parameters))
            step = fixed_mask()(fixed, order)
            parametrize.register_parametrization(owner, weight, step)
            step.is_registered = True
            _adapt(owner)
        steps = owner.parametrizations[weight]
        if len(steps) == 1 and steps.is_tensor:  # so that what is saved is clean, too
            with torch.no_grad():
                steps.original.masked_fill_(~fixed, 0)


def remove_masks(model: Any, names: Iterable[str]) -> None:
    """Make the masks of weights final: plain parameters under their own names again, 0 where there is no edge.

    The parameters stay the same objects, so that an optimizer goes on with them. Nothing is changed by a call that
    fails.

    Raises
    ------
    InvalidParameterError
        When a weight has no mask of ours, or is parametrized by something else, too.
    """
    parametrize = require("torch.nn.utils.parametrize", "torch")
    tied = _tied_weights(model)
    wanted = list(dict.fromkeys(twin for name in names for twin in tied.get(name, (name,))))
    for name in wanted:
        owner, weight = _owner(model, name)
        if mask_of(owner, weight) is None:
            raise InvalidParameterError(f"{name} has no mask that apply_to put there, so there is none to remove")
        others = [type(step).__name__ for step in owner.parametrizations[weight] if not isinstance(step, fixed_mask())]
        if others:
            raise InvalidParameterError(
                f"{name} is computed by {', '.join(others)}, too; torch.nn.utils.parametrize.remove_parametrizations("
                f"module, {weight!r}) makes both final"
            )
    for name in wanted:
        owner, weight = _owner(model, name)
        order = next(step.order for step in _masks_of(owner))
        parametrize.remove_parametrizations(owner, weight, leave_parametrized=True)
        # as in a model that never had a mask: optimizers know parameters by their order
        ranks = {parameter: rank for rank, parameter in enumerate(order)}
        for parameter in sorted(owner._parameters, key=lambda own: ranks.get(own, len(ranks))):
            owner._parameters[parameter] = owner._parameters.pop(parameter)


def mask_of(owner: Any, weight: str) -> Any:
    """The parametrization of ours on a module's weight; None when there is none."""
    parametrize = require("torch.nn.utils.parametrize", "torch")
    steps = owner.parametrizations[weight] if parametrize.is_parametrized(owner, weight) else ()
    return next((step for step in steps if isinstance(step, fixed_mask())), None)


def masks_on(model: Any, name: str) -> list[tuple[Any, Any]]:
    """Our parametrization of a weight, and the parameter below it; and those of all weights in the same memory.

    Raises
    ------
    InvalidParameterError
        When a mask of ours is missing, or something else is computed there, too.
    """
    found = []
    for twin in _tied_weights(model).get(name, (name,)):
        owner, weight = _owner(model, twin)
        if is_sparse(owner):
            raise InvalidParameterError(
                f"{name} is a SparseLinear, which holds edges only; apply its mask with sparse=False"
            )
        step = mask_of(owner, weight)
        if step is None:
            raise InvalidParameterError(f"{name} has no mask that apply_to put there")
        steps = owner.parametrizations[weight]
        if len(steps) > 1 or not steps.is_tensor:
            others = [type(one).__name__ for one in steps if one is not step]
            raise InvalidParameterError(
                f"{name} is computed by {', '.join(others)}, too, so an edge has no parameter of its own"
            )
        found.append((step, steps.original))
    return found


def _masks_of(owner: Any) -> list[Any]:
    """All parametrizations of ours on a module."""
    steps = (mask_of(owner, weight) for weight in getattr(owner, "parametrizations", ()))
    return [step for step in steps if step is not None]


def _owner(model: Any, name: str) -> tuple[Any, str]:
    path, _, weight = name.rpartition(".")
    return model.get_submodule(path), weight


def _first_tensor(owner: Any, weight: str) -> Any:
    if weight in owner._parameters:
        return owner._parameters[weight]
    return next(owner.parametrizations[weight].parameters())


def _check_weight(model: Any, name: str, mask: Mask) -> None:
    """Refuse a weight that cannot be masked, before any is."""
    parametrize = require("torch.nn.utils.parametrize", "torch")
    owner, weight = _owner(model, name)
    if owner._parameters.get(weight) is None and not parametrize.is_parametrized(owner, weight):
        if f"{weight}_orig" in owner._parameters and f"{weight}_mask" in owner._buffers:
            raise InvalidParameterError(
                f"{name} is pruned by torch.nn.utils.prune; make that final with "
                f"torch.nn.utils.prune.remove(module, {weight!r}), then put the mask there"
            )
        if callable(getattr(owner, weight, None)):
            raise InvalidParameterError(
                f"{name} is quantized, so it cannot be trained under a mask; put the mask on the model before it is "
                "quantized"
            )
        if hasattr(owner, weight):
            raise InvalidParameterError(
                f"{name} is computed from other tensors by a hook, such as the old weight_norm or spectral_norm; use "
                "those of torch.nn.utils.parametrizations, on which a mask may lie"
            )
        raise UnknownNameError.among("weight", name, (known for known, _ in model.named_parameters()))
    tensor = getattr(owner, weight)
    if str(tensor.layout) != "torch.strided":
        raise InvalidParameterError(
            f"{name} is a tensor of layout {tensor.layout}; make it dense with to_dense() first"
        )
    if tensor.is_inference():
        raise InvalidParameterError(
            f"{name} was made under torch.inference_mode, so it cannot be changed; make the model outside of it"
        )
    shape = tuple(tensor.shape)
    if shape != mask.shape:
        raise TopologyMismatchError(f"{name} has shape {shape}, but its mask has {mask.shape}")


def _tied_weights(model: Any) -> dict[str, tuple[str, ...]]:
    """Name of a weight → the names of all weights that lie in the same memory, its own among them."""
    parametrize = require("torch.nn.utils.parametrize", "torch")
    is_lazy = require("torch.nn.parameter", "torch").is_lazy
    names: dict[Any, list[str]] = {}
    for path, owner in model.named_modules(remove_duplicate=False):
        if path.endswith("parametrizations") or ".parametrizations." in f".{path}.":
            continue
        prefix = f"{path}." if path else ""
        raw = {name: tensor for name, tensor in owner._parameters.items() if tensor is not None}
        if parametrize.is_parametrized(owner):
            raw |= {name: steps.original for name, steps in owner.parametrizations.items() if steps.is_tensor}
        for name, tensor in raw.items():
            is_real = not is_lazy(tensor) and str(tensor.layout) == "torch.strided" and not tensor.is_meta
            is_real = is_real and tensor.numel() and hasattr(tensor, "data_ptr")
            key = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride()) if is_real else id(tensor)
            names.setdefault(key, []).append(prefix + name)
    return {name: tuple(twins) for twins in names.values() if len(twins) > 1 for name in twins}


def _adapt(owner: Any) -> None:
    """Teach the class that PyTorch made for a parametrized module what PyTorch leaves open; it goes with the masks.

    It loads the state dict of a model that has no mask, and it copies recurrent layers, which keep the last computed
    weights in a list that cannot be copied.
    """
    made = type(owner)
    if "_load_from_state_dict" in vars(made):
        return

    def load_plain(self: Any, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        for weight in getattr(self, "parametrizations", ()):
            step, plain = mask_of(self, weight), f"{prefix}{weight}"
            steps = self.parametrizations[weight]
            if step is not None and len(steps) == 1 and plain in state:
                state[f"{prefix}parametrizations.{weight}.original"] = state.pop(plain)
                state.setdefault(f"{prefix}parametrizations.{weight}.0.mask", step.mask)
        super(made, self)._load_from_state_dict(state, prefix, *rest)

    made._load_from_state_dict = load_plain
    if "_flat_weights" in vars(owner):

        def deepcopy(self: Any, memo: dict[int, Any]) -> Any:
            twin = self.__new__(type(self))
            memo[id(self)] = twin
            state = {
                key: value for key, value in vars(self).items() if key not in ("_flat_weights", "_flat_weight_refs")
            }
            twin.__dict__ = copy.deepcopy(state, memo)
            names = twin._flat_weights_names
            twin.__dict__ |= {"_flat_weights": [None] * len(names), "_flat_weight_refs": [_no_tensor] * len(names)}
            return twin  # the next forward pass fills the list again

        made.__deepcopy__ = deepcopy


def _no_tensor() -> None:
    """Stands for a weak reference to a tensor that is gone."""


@cache
def fixed_mask() -> Any:
    """The class of the parametrization: it can be made only where PyTorch is."""
    torch = require("torch", "torch")

    class FixedMask(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        """``weight = original · mask``.

        With ``passes_gradient``, the gradient of the original is that of the weight, at removed edges too.
        """

        def __init__(self, mask: Any, order: tuple[str, ...]) -> None:
            super().__init__()
            self.register_buffer("mask", mask)
            self.order = order
            self.is_registered = False
            self.passes_gradient = False

        def forward(self, original: Any) -> Any:
            """The weight that the model computes with; removed edges are exactly 0, even where a NaN was."""
            if self.passes_gradient:
                return torch.where(self.mask, original, original - original.detach())
            return torch.where(self.mask, original, torch.zeros((), dtype=original.dtype, device=original.device))

        def right_inverse(self, weight: Any) -> Any:
            """The value kept when a weight is assigned: the weight itself, without the removed edges.

            Until it is registered it gives the parameter itself, so that tensors in shared memory stay in it.
            """
            return self.forward(weight) if self.is_registered else weight

    return FixedMask


def plain_state_dict(state: Any) -> dict[str, Any]:
    """The state dict of a masked model under the keys of a model that never had a mask, 0 where there is no edge.

    Parameters
    ----------
    state
        A masked model, or what its ``state_dict()`` gave, also with further names before the model's own. Entries that
        belong to no mask stay as they are.

    Examples
    --------
    >>> import torch, topograph as tg
    >>> model = torch.nn.Linear(4, 3)
    >>> names = tg.MaskSet.build(model, "random_regular", density=0.5).apply_to(model)
    >>> torch.nn.Linear(4, 3).load_state_dict(plain_state_dict(model))
    <All keys matched successfully>
    """
    torch = require("torch", "torch")
    table = state.state_dict() if hasattr(state, "state_dict") else state
    plain: dict[str, Any] = {}
    for name, value in table.items():
        before, marker, after = name.partition("parametrizations.")
        weight, _, rest = after.partition(".")
        stem = f"{before}{marker}{weight}"
        steps = {key.removeprefix(stem) for key in table if key.startswith(f"{stem}.")} if marker else set()
        if steps != {".original", ".0.mask"}:
            plain[name] = value
        elif rest == "original":
            plain[before + weight] = torch.where(table[f"{stem}.0.mask"], value, torch.zeros((), dtype=value.dtype))
    return plain
