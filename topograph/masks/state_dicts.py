"""State dicts: which tensor is a weight, which is its mask, and which holds several gates, by name and shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from topograph.masks.layout import OUT_IN, layout_of
from topograph.masks.source import Entry
from topograph.masks.weights import ATTENTION, GRU_GATES, LSTM_GATES, Describe, Part, Stored, Weight, gate_parts, paired

_RECURRENT = re.compile(r"(?P<prefix>.*)weight_(?P<kind>ih|hh|hr)_l(?P<layer>\d+)(?P<way>_reverse)?")
_OPTIMIZER = re.compile(r"(^|\.)(optim(izer)?s?(_state(_dict)?)?|lr_schedulers?|scheduler|scaler|ema_optimizer)(\.|$)")
_TOKENS = re.compile(r"[._/]")
_TABLES = frozenset({"wte", "wpe", "pos_encoding", "relative_attention_bias"})
_MAYBE_DEPTHWISE = "if this is depthwise, pass geometry=Geometry(groups=…)"
_LEARNED_INPUT = re.compile(r"embed|token|query_tokens|latents|prompt", re.IGNORECASE)
_EXPERTS = re.compile(r"(^|[._])experts?([._]|$)")


def state_entries(
    tensors: Mapping[str, Stored], orientation: str = OUT_IN, describe: Describe | None = None
) -> Iterator[Entry]:
    """Entries for the tensors of a state dict.

    Parameters
    ----------
    tensors
        Name → tensor, in the order of the source.
    orientation
        How the format lays out a weight of which nothing else is known.
    describe
        Function that tells what is known of the tensor of a name.
    """
    hidden = {name: stored.shape for name, stored in tensors.items() if len(stored.shape) == 2}
    masks = _parametrized_masks(tensors)
    for item in paired(tensors, lambda name, _: _mask_names(name, masks), _plain_name, _hopeless):
        if isinstance(item, Entry):
            yield item
            continue
        known = describe(item.name, item.values.shape) if describe is not None else None
        aside = known if isinstance(known, str) else "" if known is not None else _reason_to_leave_out(item)
        parts = known if known is not None and not isinstance(known, str) else _parts(item, orientation, hidden)
        if known is None and len(item.values.shape) > 2 and item.values.shape[1] == 1 < item.values.shape[0]:
            item = replace(item, note=f"{item.note}; {_MAYBE_DEPTHWISE}".removeprefix("; "))
        for suffix, layout in parts:
            yield item.entry(suffix, layout, aside)


def _is_embedding(name: str) -> bool:
    return any("embed" in token or token in _TABLES for token in _TOKENS.split(name.lower()))


def _hopeless(name: str) -> str:
    return "is the optimizer's state" if _OPTIMIZER.search(name) else ""


@dataclass(frozen=True)
class _Parametrized:
    """The parts of a name such as ``fc.parametrizations.weight.original``."""

    stem: str
    """All before the last part, with its dot."""
    plain: str
    """The name of the weight without the parametrization."""
    rest: str

    @classmethod
    def of(cls, name: str) -> _Parametrized | None:
        """The parts, or None for another name."""
        before, marker, after = name.partition("parametrizations.")
        weight, dot, rest = after.partition(".")
        if not marker or not weight or not rest:
            return None
        return cls(f"{before}{marker}{weight}{dot}", f"{before}{weight}", rest)

    @property
    def is_original(self) -> bool:
        """Whether it is the weight itself, and not what a parametrization keeps."""
        return self.rest in ("original", "original1")


def _parametrized_masks(names: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Stem of a parametrized weight → the names of the masks that are kept with it."""
    masks: dict[str, list[str]] = {}
    for name in names:
        parts = _Parametrized.of(name)
        if parts is not None and "mask" in parts.rest:
            masks.setdefault(parts.stem, []).append(name)
    return masks


def _mask_names(name: str, parametrized: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Names that the mask of the tensor ``name`` may have."""
    if name.endswith("mask"):
        return
    if name.endswith("_orig"):  # torch.nn.utils.prune
        yield name.removesuffix("_orig") + "_mask"
    parts = _Parametrized.of(name)
    if parts is not None and parts.is_original:
        yield from parametrized.get(parts.stem, ())
    module, dot, weight = name.rpartition(".")
    yield from parametrized.get(f"{module}{dot}parametrizations.{weight}.", ())  # of a live module
    if weight == "weight":
        yield from (f"{name}_mask", f"{module}{dot}mask", f"{module}{dot}weight.mask", f"{module}{dot}mask_weight")


def _plain_name(name: str) -> str:
    """The name of a weight without the marks of pruning and parametrization."""
    parts = _Parametrized.of(name)
    return parts.plain if parts is not None and parts.is_original else name.removesuffix("_orig")


def _reason_to_leave_out(item: Weight) -> str:
    name, ndim = item.name, len(item.values.shape)
    last = name.rpartition(".")[2]
    if last in ("bias", "masked_bias", "relative_position_bias_table"):
        return "bias: not a layer's weight"
    if last.endswith(("position_ids", "token_type_ids", "relative_position_index")):
        return "holds indices, not weights"
    if last in ("original0", "weight_g"):
        return "is the scale of a weight-normalised layer"
    if ndim > 2 and last != "weight" and _LEARNED_INPUT.search(last):
        return "is a learned input, not a layer"
    if ndim == 3 and _EXPERTS.search(name):
        return "stacks the matrices of experts, in an orientation that the format does not say; see orientation="
    if ndim == 2 and _is_embedding(name):
        return "looks like an embedding table, not a layer; include it by name to read it"
    return ""


def _parts(item: Weight, orientation: str, hidden: Mapping[str, tuple[int, ...]]) -> Sequence[Part]:
    """A weight's layout, cut into gates where its name says that it has them."""
    shape = item.values.shape
    layout = layout_of(orientation, len(shape))
    if orientation != OUT_IN or len(shape) != 2:
        return [("", layout)]
    recurrent = _RECURRENT.fullmatch(item.name)
    if recurrent and recurrent["kind"] != "hr":
        partner = f"{recurrent['prefix']}weight_hh_l{recurrent['layer']}{recurrent['way'] or ''}"
        state = hidden.get(partner) or hidden.get(partner + "_orig")
        return gate_parts(shape, _gates(state))
    if item.name.endswith("in_proj_weight") and shape[0] % 3 == 0:
        return gate_parts(shape, ATTENTION)
    return [("", layout)]


def _gates(state: tuple[int, ...] | None) -> tuple[str, ...]:
    """LSTM, GRU or plain: the hidden-to-hidden weight is (gates · hidden) × hidden."""
    if state is None or not state[1] or state[0] % state[1]:
        return ()
    return {4: LSTM_GATES, 3: GRU_GATES}.get(state[0] // state[1], ())
