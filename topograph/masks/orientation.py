"""In which orientation a weight lies, decided by the sizes of its siblings; the decision or the doubt is told."""

from __future__ import annotations

import re
from collections.abc import Mapping

from topograph.masks.geometry import Geometry
from topograph.masks.layout import IN_OUT, OUT_IN, Layout, keras_layout, layout_of, torch_layout
from topograph.masks.weights import Stored

_TRANSPOSED = re.compile(
    r"(^|[._/])\w{0,30}(deconv|transpose|conv_?t|upconv|up_conv|upsample_conv)\w{0,30}([._/]|$)", re.I
)
_DEPTHWISE = re.compile(r"depth_?wise|dw_?conv|conv_?dw", re.IGNORECASE)


class Orientations:
    """Votes of the layers whose siblings tell their orientation, for those whose siblings do not.

    Parameters
    ----------
    tensors
        Name → tensor, everything in the source, in its order.
    default
        The orientation of the format, ``"in_out"`` or ``"out_in"``.
    """

    def __init__(self, tensors: Mapping[str, Stored], default: str) -> None:
        self._tensors = tensors
        self._default = default
        self._votes: dict[str, set[str]] = {}
        self._all: set[str] = set()
        self._before: dict[str, tuple[str, int]] = {}
        self._after: dict[str, int] = {}
        self._biases: dict[str, int | None] = {}
        outputs: tuple[str, int] | None = None
        previous = ""
        for name, stored in tensors.items():
            if len(stored.shape) < 2:
                if previous and len(stored.shape) == 1 and _is_norm_size(name):
                    self._after.setdefault(previous, stored.shape[0])
                continue
            if outputs is not None:
                self._before[name] = outputs
            side = self._told(name, stored.shape)
            if len(stored.shape) == 2 and side:
                self._votes.setdefault(_kind(name), set()).add(side)
                self._all.add(side)
            previous = name
            size = self._bias(name)
            outputs = name, size if size is not None else stored.shape[1 if side == IN_OUT else 0]

    def layout(self, name: str) -> tuple[Layout, str]:
        """The layout of a weight, and by what it was decided or what is in doubt; no words for the plain default."""
        shape = self._tensors[name].shape
        if _last(name) == "kernel":
            return keras_layout(len(shape)), ""
        if len(shape) == 2:
            side, words = self._matrix(name, shape)
            return layout_of(side, 2), words
        if self._default == OUT_IN:
            return self._convolution(name, shape)
        outputs = self._bias(name)
        if outputs is not None and outputs == shape[0] != shape[-1]:
            return torch_layout(len(shape)), f"by the {outputs} numbers of its bias"
        words = f"by the {outputs} numbers of its bias" if outputs == shape[-1] != shape[0] else ""
        return layout_of(self._default, len(shape)), words

    def _matrix(self, name: str, shape: tuple[int, ...]) -> tuple[str, str]:
        side = self._told(name, shape)
        if side:
            other = side != self._default
            return side, f"by the {self._bias(name)} numbers of its bias" if other else ""
        kind = _kind(name)
        votes = self._votes.get(kind, set()) if kind else set()
        if not votes and self._bias(name) is not None and shape[0] == shape[1]:
            votes = self._all
        if votes and votes != {self._default}:
            if len(votes) == 1:
                return next(iter(votes)), "as the layers of its kind in this source"
            return self._default, f"{self._default} in doubt: the layers beside it lie in both orientations"
        return self._default, ""

    def _convolution(self, name: str, shape: tuple[int, ...]) -> tuple[Layout, str]:
        outputs = self._bias(name)
        by = f"by the {outputs} numbers of its bias"
        if outputs is None and name in self._after:
            outputs = self._after[name]
            by = f"by the {outputs} numbers of the normalisation behind it"
        named = _TRANSPOSED.search(name) is not None
        first, second, ndim = shape[0], shape[1], len(shape)
        if outputs is not None and outputs != first and outputs and not outputs % second:
            groups = outputs // second
            if not first % groups:
                geometry = Geometry(groups=groups if groups > 1 else None, transposed=True)
                words = f"a transposed convolution{f' of {groups} groups' if groups > 1 else ''} {by}"
                return torch_layout(ndim, geometry), words
        if named and (outputs is None or first == second):
            return torch_layout(ndim, Geometry(transposed=True)), "a transposed convolution by its name"
        before = self._before.get(name)
        if second == 1 and first > 1:
            if _DEPTHWISE.search(name):
                return torch_layout(ndim, Geometry(groups=first)), "depthwise by its name"
            if before is not None and before[1] > 1 and not first % before[1]:
                words = f"depthwise, by the {before[1]} outputs of {before[0]} before it"
                return torch_layout(ndim, Geometry(groups=before[1])), words
            if before is not None or ndim == 3:
                return torch_layout(ndim), "if this is depthwise, pass geometry=Geometry(groups=…)"
        elif before is not None and _parent(before[0]) == _parent(name) and second > 1 and before[1] > second:
            groups, left = divmod(before[1], second)
            if not left and not first % groups:
                words = (
                    f"in doubt: after the {before[1]} outputs of {before[0]} it may have {groups} groups; if so, pass "
                    f"geometry=Geometry(groups={groups})"
                )
                return torch_layout(ndim), words
        return torch_layout(ndim), ""

    def _told(self, name: str, shape: tuple[int, ...]) -> str:
        """The orientation that the bias tells: its size is the number of outputs; empty when it does not."""
        size = self._bias(name)
        if size is None or len(shape) != 2 or shape[0] == shape[1]:
            return ""
        return OUT_IN if size == shape[0] else IN_OUT if size == shape[1] else ""

    def _bias(self, name: str) -> int | None:
        """The size of the bias of a weight; None without one."""
        if name not in self._biases:
            self._biases[name] = self._search_bias(name)
        return self._biases[name]

    def _search_bias(self, name: str) -> int | None:
        for candidate in _bias_names(name):
            stored = self._tensors.get(candidate)
            if stored is not None and len(stored.shape) == 1:
                return stored.shape[0]
        return None


def _bias_names(name: str) -> tuple[str, ...]:
    plain = name.removesuffix("_orig")
    last = _last(plain)
    stem = plain[: len(plain) - len(last)]
    names = [stem + "bias", stem + "bias_orig"] if last in ("weight", "kernel") else []
    if last.endswith("weight") and last != "weight":
        names.append(stem + last.removesuffix("weight") + "bias")
    if "parametrizations" in name:
        names.append(name.split("parametrizations")[0] + "bias")
    return tuple(names)


def _is_norm_size(name: str) -> bool:
    return _last(name) in ("running_mean", "weight", "gamma", "scale")


def _last(name: str) -> str:
    return name[max(name.rfind("."), name.rfind("/")) + 1 :]


def _parent(name: str) -> str:
    """The module around the module of a weight."""
    return ".".join(name.replace("/", ".").split(".")[:-2])


def _kind(name: str) -> str:
    """What layers of one kind have in common: the name of the module without its path and number."""
    parts = name.replace("/", ".").rsplit(".", 2)
    return parts[-2] if len(parts) > 1 and not parts[-2].isdecimal() else ""
