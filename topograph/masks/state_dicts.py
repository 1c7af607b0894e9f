"""State dicts: which tensors are weights, where their masks lie and which axes are inputs, by names and shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from topograph.masks.edge_values import join_edges
from topograph.masks.judging import Judge, is_weight_name, refuse_constants
from topograph.masks.layout import OUT_IN, layout_of
from topograph.masks.orientation import Orientations
from topograph.masks.packed import unpack
from topograph.masks.partners import Parametrized, find_partners, plain_name
from topograph.masks.source import Entry, array_entry
from topograph.masks.weights import (
    ATTENTION,
    GRU_GATES,
    LSTM_GATES,
    Describe,
    Part,
    Stored,
    Weight,
    gate_parts,
    join,
    too_few_dimensions,
)

_RECURRENT = re.compile(r"(?P<prefix>(?:.*\.)?)weight_(?P<kind>ih|hh|hr)_l(?P<layer>\d+)(?P<way>_reverse)?")


def state_entries(
    tensors: Mapping[str, Stored],
    orientation: str = OUT_IN,
    describe: Describe | None = None,
    config: Mapping[str, Any] | None = None,
    bare: bool = False,
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
    config
        The model's configuration, where the source has one: it tells how packed weights are stored.
    bare
        Whether the source is mere arrays, whose order of axes beyond two is not known unless siblings tell it.
    """
    unpacked = unpack(join_edges(tensors), config)
    table = unpacked.tensors
    partners = find_partners(table)
    masks = set(partners.mask_of.values())
    judge = Judge(table)
    orientations = Orientations({name: s for name, s in table.items() if name not in masks}, orientation)
    hidden = {name: stored.shape for name, stored in table.items() if len(stored.shape) == 2}
    for name, stored in table.items():
        if name in masks:
            continue
        problem = stored.problem or too_few_dimensions(name, stored)
        if problem:
            yield Entry.left_out(name, "is the optimizer's state" if judge.optimizer(name) else problem)
            continue
        weight = _weight(name, stored, table, partners.mask_of, partners.notes.get(name, ""))
        known = describe(weight.name, stored.shape) if describe is not None else None
        if isinstance(known, str):
            yield weight.entry("", layout_of(orientation, len(stored.shape)), known)
            continue
        if known is not None:
            yield from (weight.entry(suffix, layout) for suffix, layout in known)
            continue
        reason = partners.unused.get(name) or judge.reason(name)
        if not is_weight_name(name):
            weight = replace(weight, values=replace(stored, read=partial(_read_checked, stored)))
        parts, words = _parts(name, stored.shape, orientations, orientation, hidden)
        if words:
            weight = replace(weight, note="; ".join(filter(None, [weight.note, words])))
        if bare and not reason and not words and len(stored.shape) > 2 and not name.endswith("kernel"):
            yield replace(array_entry(name, stored.shape, weight.values.read), note=weight.note)
            continue
        doubt = next((note for note in weight.note.split("; ") if note.startswith("in doubt")), "")
        for suffix, layout in parts:
            yield weight.entry(suffix, layout, reason, doubt)
    for name, reason in unpacked.parts.items():
        yield Entry.left_out(name, reason)


def _read_checked(stored: Stored) -> Any:
    return refuse_constants(stored.read())


def _weight(name: str, stored: Stored, table: Mapping[str, Stored], mask_of: Mapping[str, str], note: str) -> Weight:
    notes = [stored.note, note]
    if name in mask_of:
        weight = join(plain_name(name), stored, mask_of[name], table[mask_of[name]])
        return replace(weight, note="; ".join(filter(None, [weight.note, *notes])))
    parametrized = Parametrized.of(name)
    if parametrized is not None and parametrized.is_original:
        notes.insert(0, f"read from {name}: the parametrization itself is code")
    return Weight(plain_name(name), stored, note="; ".join(filter(None, notes)))


def _parts(
    name: str,
    shape: tuple[int, ...],
    orientations: Orientations,
    default: str,
    hidden: Mapping[str, tuple[int, ...]],
) -> tuple[Sequence[Part], str]:
    """A weight's layout, cut into gates where its name says that it has them, and by what it was decided."""
    if default == OUT_IN and len(shape) == 2:
        recurrent = _RECURRENT.fullmatch(plain_name(name))
        if recurrent and recurrent["kind"] != "hr":
            partner = f"{recurrent['prefix']}weight_hh_l{recurrent['layer']}{recurrent['way'] or ''}"
            state = hidden.get(partner) or hidden.get(partner + "_orig")
            return gate_parts(shape, _gates(state)), ""
        if name.endswith("in_proj_weight") and shape[0] % 3 == 0:
            return gate_parts(shape, ATTENTION), ""
    layout, words = orientations.layout(name)
    return [("", layout)], words


def _gates(state: tuple[int, ...] | None) -> tuple[str, ...]:
    """LSTM, GRU or plain: the hidden-to-hidden weight is (gates · hidden) × hidden."""
    if state is None or not state[1] or state[0] % state[1]:
        return ()
    return {4: LSTM_GATES, 3: GRU_GATES}.get(state[0] // state[1], ())
