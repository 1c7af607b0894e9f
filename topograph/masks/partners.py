"""Masks that lie beside weights: which mask belongs to which weight, by names and shapes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from topograph.masks.judging import BY_NAME, is_weight_name
from topograph.masks.weights import Stored, spread_shape

_MASK = re.compile(r"(?:\w{0,40}_)?masks?(?:_dict|_list)?|mask_(?:weight|kernel)", re.IGNORECASE)
_MARK = re.compile(r"_?(?:sparse_|pruning_|prune_|weight_|kernel_)?mask(?:_weight|_kernel)?", re.IGNORECASE)


@dataclass(frozen=True)
class Parametrized:
    """The parts of a name such as ``fc.parametrizations.weight.original``."""

    plain: str
    """The name of the weight without the parametrization."""
    rest: str
    """What of the parametrization it is."""

    @classmethod
    def of(cls, name: str) -> Parametrized | None:
        """The parts, or None for another name."""
        before, marker, after = name.partition("parametrizations.")
        weight, _, rest = after.partition(".")
        return cls(f"{before}{weight}", rest) if marker and weight and rest else None

    @property
    def is_original(self) -> bool:
        """Whether it is the weight itself, and not what a parametrization keeps."""
        return self.rest in ("original", "original1")


@dataclass(frozen=True)
class Partners:
    """Weights with their masks.

    Parameters
    ----------
    mask_of
        Name of a weight → name of its mask.
    unused
        Name of a mask without a weight → the reason to leave it out.
    notes
        Name of a weight → what the table should say of masks that lie beside it.
    """

    mask_of: dict[str, str] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def is_mask_name(name: str) -> bool:
    """Whether a part of the path says that this is a mask.

    Examples
    --------
    >>> [is_mask_name(name) for name in ("fc.weight_mask", "masks.fc.weight", "fc.weight", "q.mask_scores")]
    [True, True, False, False]
    """
    if "mask" not in name.casefold():  # as few names are, and patterns take their time
        return False
    return any(_MASK.fullmatch(part) for part in re.split(r"[./]", name))


def find_partners(tensors: Mapping[str, Stored]) -> Partners:
    """Join every mask of a source with its weight.

    A mask's name leads to its weight when the marks of masking are taken from it: ``fc.weight_mask``, ``fc.mask``,
    ``masks.fc.weight`` and ``compression.masks_dict.fc.weight`` all belong to a ``fc.weight``, in whatever dictionary
    it lies. A list of masks is joined by shape, where only one weight has it. A mask without a weight is left out,
    unless the source holds nothing but masks.
    """
    masks = [name for name, stored in tensors.items() if is_mask_name(name) and stored.shape and not stored.problem]
    if not masks:
        return Partners()
    chosen = set(masks)
    weights = [name for name, s in tensors.items() if name not in chosen and len(s.shape) > 1 and not s.problem]
    if not weights:
        return Partners()
    ends: dict[str, list[str]] = {}
    for name in weights:
        for end in _endings(_plain_path(name)):
            ends.setdefault(end, []).append(name)
    partners = Partners()
    listed: list[str] = []
    for mask in masks:
        owners = _owners(mask, ends, tensors)
        for owner in owners:
            partners.mask_of.setdefault(owner, mask)
        if not owners:
            listed.append(mask)
    _join_lists(listed, weights, tensors, partners)
    return partners


def plain_name(name: str) -> str:
    """The name of a weight without the marks of pruning and parametrization."""
    parts = Parametrized.of(name)
    return parts.plain if parts is not None and parts.is_original else name.removesuffix("_orig")


def _plain_path(name: str) -> list[str]:
    return re.split(r"[./]", plain_name(name))


def _endings(path: list[str]) -> Iterator[str]:
    for start in range(max(0, len(path) - 16), len(path)):
        yield ".".join(path[start:])


def _owners(mask: str, ends: Mapping[str, list[str]], tensors: Mapping[str, Stored]) -> list[str]:
    """The weights that a mask's name leads to and whose shape it fits; the longest ending in common decides."""
    for path in _targets(mask):
        for start in range(len(path)):
            rest = path[start:]
            if start and len(rest) < 2:
                break
            names = ends.get(".".join(rest), ())
            owners = [name for name in names if spread_shape(tensors[mask].shape, tensors[name].shape) is not None]
            if owners:
                nearest = [name for name in owners if name.rpartition(".")[0] == mask.rpartition(".")[0]]
                return nearest or owners
    return []


def _targets(mask: str) -> Iterator[list[str]]:
    """Paths of weights that a mask of this name may belong to."""
    parametrized = Parametrized.of(mask)
    if parametrized is not None:
        yield parametrized.plain.split(".")
        return
    parts = re.split(r"[./]", mask)
    last = parts[-1]
    if _MASK.fullmatch(last):
        stem = parts[:-1]
        for pattern in (r"_?mask$", r"^mask_"):
            weight = re.sub(pattern, "", last, flags=re.IGNORECASE)
            if weight and weight != last:
                yield [*stem, weight]
        if _MARK.fullmatch(last):
            yield from ([*stem, weight] for weight in ("weight", "kernel"))
            yield stem
    plain = [part for part in parts if not _MASK.fullmatch(part)]
    if plain and len(plain) < len(parts):
        yield plain
        if not is_weight_name(plain[-1]):
            yield [*plain, "weight"]


def _join_lists(masks: list[str], weights: list[str], tensors: Mapping[str, Stored], partners: Partners) -> None:
    """Masks in a list have no names: the shape decides where it is the only one, and doubt is told where it is not."""
    alike: dict[tuple[int, ...], list[str]] = {}
    for name in weights:
        if name not in partners.mask_of and is_weight_name(name):
            alike.setdefault(tensors[name].shape, []).append(name)
    rivals = Counter(tensors[mask].shape for mask in masks)
    for mask in masks:
        shape = tensors[mask].shape
        owners = alike.get(shape, []) if mask.rpartition(".")[2].isdecimal() and len(shape) > 1 else []
        if len(owners) == 1 and rivals[shape] == 1:
            partners.mask_of[owners[0]] = mask
            partners.notes[owners[0]] = "joined by their shape alone"
            continue
        for name in owners:
            partners.notes.setdefault(name, f"in doubt: the mask {mask} has its shape, but no name that joins them")
        partners.unused[mask] = f"is a mask, but no weight of its name and shape is beside it; {BY_NAME}"
