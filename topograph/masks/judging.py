"""Which tensors are not layers, judged by their shapes, their siblings and how the source names its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.masks.weights import Stored

BY_NAME = "include it by name to read it"
EMBEDDING = f"is an embedding table, not a layer; {BY_NAME}"

_WEIGHT = re.compile(r"\w{0,60}(weights?|kernel)(:\d)?|weight_(ih|hh|hr)(_l\d{1,6})?(_reverse)?|weight_(orig|v)")
_OPTIMIZER = re.compile(
    r"(^|[./])(opt(im(izer)?)?s?(_?states?)?(_dict)?|lr_schedulers?|scheduler|scaler|ema_optimizer)([./]|$)"
)
_TOKENS = re.compile(r"[._/]")
_TABLES = frozenset({"wte", "wpe", "emb", "codebook", "codebooks", "relative_attention_bias"})
_TABLE_PART = re.compile("emb|" + "|".join(sorted(_TABLES)))
_NORM = re.compile(r"(^|[._/])(ln|bn|gn|\w{0,40}norm)_?\d*(_\w{1,20})?[._/](weight|scale|gamma)$", re.IGNORECASE)
_LEARNED_INPUT = re.compile(r"embed|token|query_tokens|latents|prompt", re.IGNORECASE)
_EXPERTS = re.compile(r"(^|[._])(experts?|exps)([._]|$)")
_STEPS = ("step", "count", "steps")
_MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "acc_delta", "exp_inf")


class Judge:
    """Knows all names and shapes of a source, and tells of each tensor why it is not a layer.

    Parameters
    ----------
    tensors
        Name → tensor, everything in the source, in its order.
    """

    def __init__(self, tensors: Mapping[str, Stored]) -> None:
        self._tensors = tensors
        self._weight_of: dict[str, list[str]] = {}
        self._bias_of: dict[str, tuple[int, ...]] = {}
        self._counted: set[str] = set()
        self._running: set[str] = set()
        for name, stored in tensors.items():
            module, last = _split(name)
            if len(stored.shape) > 1 and is_weight_name(name):
                self._weight_of.setdefault(module, []).append(name)
            if last == "bias":
                self._bias_of[module] = stored.shape
            if last in _STEPS and stored.shape in ((), (1,)):
                self._counted.add(module)
            if last in ("running_mean", "running_var"):
                self._running.add(module)
        self._optimizers = self._optimizer_prefixes()
        weights = (name for name, stored in tensors.items() if len(stored.shape) > 1 and is_weight_name(name))
        self._habit = next((name for name in weights if _split(name)[0] and not self.optimizer(name)), "")

    def optimizer(self, name: str) -> bool:
        """Whether a tensor belongs to an optimizer: it stands beside its step counter or its groups of parameters."""
        parts = name.split(".")
        if self._optimizers and any(".".join(parts[:end]) in self._optimizers for end in range(len(parts))):
            return True
        if _OPTIMIZER.search(name) is not None:
            return True
        if parts[-1] in _MOMENTS and not is_weight_name(name):
            return True
        module = _split(name)[0]
        return module != "" and not is_weight_name(name) and module in self._counted

    def reason(self, name: str) -> str:
        """Why a tensor of two or more dimensions is not a layer; empty when it may be one."""
        stored = self._tensors[name]
        shape, ndim = stored.shape, len(stored.shape)
        module, last = _split(name)
        if self.optimizer(name):
            return f"is the optimizer's state; {BY_NAME}"
        if last in ("bias", "masked_bias", "relative_position_bias_table"):
            return "bias: not a layer's weight"
        if last.endswith(("position_ids", "token_type_ids", "relative_position_index")):
            return "holds indices, not weights"
        if last in ("original0", "weight_g"):
            return "is the scale of a weight-normalised layer"
        if self._is_norm(name, module, shape):
            return f"belongs to a normalisation, not a layer; {BY_NAME}"
        if ndim > 2 and last != "weight" and _LEARNED_INPUT.search(last):
            return f"is a learned input, not a layer; {BY_NAME}"
        if ndim == 3 and _EXPERTS.search(name) and (last not in ("weight", "kernel") or "_exps." in name):
            return f"stacks the matrices of experts; {BY_NAME}, and say their orientation with orientation="
        if ndim == 2 and _is_embedding(name):
            return f"looks like an embedding table, not a layer; {BY_NAME}"
        if is_weight_name(name):
            return ""
        return self._odd(name, module, shape)

    def _is_norm(self, name: str, module: str, shape: tuple[int, ...]) -> bool:
        if module in self._running or _NORM.search(name[-200:]):
            return True
        return _split(name)[1] in ("weight", "scale", "gamma") and self._bias_of.get(module) == shape

    def _odd(self, name: str, module: str, shape: tuple[int, ...]) -> str:
        """Judge a tensor that is not named as a weight."""
        weights = self._weight_of.get(module)
        if weights and module:
            return f"stands beside {weights[0]}, whose module has its weight; {BY_NAME}"
        if self._habit:
            return f"is not named as a weight, but this source names its weights as {self._habit}; {BY_NAME}"
        if len(shape) > 2 and sum(side > 1 for side in shape) < 2:
            return f"has one number per channel, not a layer; {BY_NAME}"
        return ""

    def _optimizer_prefixes(self) -> set[str]:
        """Paths of dictionaries with a ``state`` and ``param_groups``, and of trees beside a counter and a twin."""
        marks: dict[str, set[str]] = {}
        for name in self._tensors:
            for mark in ("state", "param_groups"):
                for end in _ends_before(name, mark):
                    marks.setdefault(name[:end], set()).add(mark)
        prefixes = {f"{path}.{mark}".lstrip(".") for path, both in marks.items() if len(both) == 2 for mark in both}
        return prefixes | self._counted_twins()

    def _counted_twins(self) -> set[str]:
        """Trees of equal names and shapes beside a step counter: the moments of an optimizer over a tree of weights."""
        trees: dict[str, dict[str, dict[str, tuple[int, ...]]]] = {}
        parents = self._counted - {""}
        if not parents:
            return set()
        for name, stored in self._tensors.items():
            parts = name.split(".")
            for end in range(1, len(parts) - 1):
                parent = ".".join(parts[:end])
                if parent in parents:
                    rest = ".".join(parts[end + 1 :])
                    trees.setdefault(parent, {}).setdefault(parts[end], {})[rest] = stored.shape
        found = set()
        for parent, children in trees.items():
            tables = list(children.values())
            if len(tables) > 1 and any(tables.count(table) > 1 for table in tables):
                found |= {f"{parent}.{child}" for child, table in children.items() if tables.count(table) > 1}
        return found


def is_weight_name(name: str) -> bool:
    """Whether a name ends as the weights of layers do: ``weight``, ``kernel``, and the variants with a mask or gates.

    Examples
    --------
    >>> [is_weight_name(name) for name in ("fc.weight", "a/kernel", "in_proj_weight", "rope.cos_cached")]
    [True, True, True, False]
    """
    module, last = _split(name)
    if last == "weight":
        return True
    if last in ("original", "original1", "original0") and "parametrizations" in module:
        last = _split(module)[1]
    return len(last) < 100 and _WEIGHT.fullmatch(last) is not None


def refuse_constants(values: Any) -> Any:
    """Give values back, unless they are the constant triangle of a causal mask or pairs of indices.

    Raises
    ------
    InvalidMaskError
        When they are.
    """
    if sp.issparse(values):
        return values
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[0] == 2 < array.shape[1] and array.dtype.kind in "iu":
        if array.min(initial=0) >= 0 and array.max(initial=0) > 1:
            raise InvalidMaskError("holds pairs of indices, not weights")
        return values
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or array.shape[-1] < 3:
        return values
    square = array.reshape(-1, *array.shape[-2:])[0]
    kinds = np.unique(square[:64, :64])
    lower = np.tril(np.ones(square.shape, dtype=bool))
    for triangle in (lower, lower.T):
        inside, outside = square[triangle], square[~triangle]
        if kinds.size == 2 and (inside == inside[0]).all() and (outside == outside[0]).all():
            raise InvalidMaskError("is a constant triangle, as in a causal mask, not a layer")
    return values


def _ends_before(name: str, part: str) -> list[int]:
    """Where the path ends that leads to each part of a name that is ``part``."""
    if part not in name:
        return []
    ends, start = [], 0
    for piece in name.split(".")[:64]:
        if piece == part:
            ends.append(max(start - 1, 0))
        start += len(piece) + 1
    return ends


def _is_embedding(name: str) -> bool:
    lowered = name.lower()
    if _TABLE_PART.search(lowered) is None:  # as in most names; to take them apart would take ten times as long
        return False
    return any("embed" in token or "embd" in token or token in _TABLES for token in _TOKENS.split(lowered))


def _split(name: str) -> tuple[str, str]:
    """Module and last part of a name; frameworks separate them by a point or a slash."""
    cut = max(name.rfind("."), name.rfind("/"))
    return name[: max(cut, 0)], name[cut + 1 :]
