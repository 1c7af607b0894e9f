"""What each column of an edge list is: the words of the header decide."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from topograph.errors import InvalidMaskError

if TYPE_CHECKING:
    import pandas as pd

_SIDED = {
    "input": ("input", "inputs", "left", "row", "rows", "presynaptic", "pre"),
    "output": ("output", "outputs", "right", "col", "cols", "column", "columns", "postsynaptic", "post"),
}
"""Words of a layer: a name that stands on both sides is two neurons."""
_WORDS = {
    "input": (*_SIDED["input"], "source", "sources", "src", "from", "fromnode", "fromnodeid", "sender", "i", "u"),
    "output": (*_SIDED["output"], "target", "targets", "tgt", "dst", "dest", "destination", "to", "tonode", "tonodeid",
               "receiver", "j", "v"),
    "weight": ("weight", "weights", "w", "value", "val", "strength"),
    "kept": ("mask", "keep", "kept", "active", "present", "alive"),
    "dropped": ("pruned", "removed", "dropped", "deleted"),
    "layer": ("layer", "layers"),
    "index": ("", "unnamed0", "index", "rownames", "rowname", "rowindex"),
}  # fmt: skip
_ROLES = {word: role for role, words in _WORDS.items() for word in words}


@dataclass(frozen=True)
class Roles:
    """Which column is what, by position.

    Parameters
    ----------
    source, target
        The inputs and the outputs.
    weight
        The weights, or None.
    dropped
        Flags that are 1 where an edge was taken away, or None.
    layer
        The layer that an edge belongs to, or None.
    sided
        Whether the header says inputs and outputs, so that a name may stand on both sides.
    notes
        What else to say of how the columns were read.
    """

    source: int
    target: int
    weight: int | None = None
    dropped: int | None = None
    layer: int | None = None
    sided: bool = False
    notes: list[str] = field(default_factory=list)


def _word(name: str) -> str:
    word = re.sub(r"[^a-z0-9]", "", name.lower())
    return re.sub(r"(id|index|idx|name|node|neuron|unit)$", "", word) or word


def is_known(name: str) -> bool:
    """Whether a cell is a word of a header."""
    return bool(name) and _word(name) in _ROLES


def roles_of(header: list[str] | None, columns: list[pd.Series]) -> Roles:
    """Which column is what.

    Raises
    ------
    InvalidMaskError
        When that is unclear; the message names the readings.
    """
    return _by_position(columns) if header is None else _by_words(header, columns)


def _by_position(columns: list[pd.Series]) -> Roles:
    if len(columns) not in (2, 3):
        raise InvalidMaskError(
            f"has {len(columns)} columns, but an edge list has two (input, output) or three (input, output, weight); "
            "name the columns in a first line 'input,output,…', or save a dense matrix as .npy"
        )
    if len(columns) == 2:
        return Roles(0, 1)
    if _counts_lines(columns[0]) and _is_whole(columns[1]) and _is_whole(columns[2]):
        raise InvalidMaskError(
            "the first of three columns counts the lines: they may be an index, input and output, or input, output and "
            "weight; name the columns in a first line, such as 'index,input,output'"
        )
    values = columns[2]
    if len(values) and values.dtype.kind in "biuf" and not values.any():
        raise InvalidMaskError(
            "the third of three columns is 0 in every line, so as a weight it would leave no edge; name the columns in "
            "a first line, such as 'input,output,time'"
        )
    return Roles(0, 1, weight=2)


def _by_words(header: list[str], columns: list[pd.Series]) -> Roles:
    found: dict[str, int] = {}
    unknown: list[int] = []
    for position, name in enumerate(header):
        role = _ROLES.get(_word(name) if name.strip() else "")
        if role is None:
            unknown.append(position)
        elif role == "index":
            if position and not _counts_lines(columns[position]):
                unknown.append(position)
        elif role in found:
            raise InvalidMaskError(
                f"the columns {header[found[role]]!r} and {name!r} both name the {role}; name them 'input' and 'output'"
            )
        else:
            found[role] = position
    notes = []
    for role in ("input", "output"):
        if role not in found and unknown:
            if len(unknown) > 1 and "input" not in found and "output" not in found and len(unknown) != 2:
                break
            if ("input" in found or "output" in found) and len(unknown) > 1:
                break
            found[role] = unknown.pop(0)
            notes.append(f"column {header[found[role]]!r} is the {role}")
    missing = [role for role in ("input", "output") if role not in found]
    if missing:
        raise InvalidMaskError(
            f"no column is called {' or '.join(missing)} among {', '.join(map(repr, header))}; name the columns that "
            "edges join 'input' and 'output'"
        )
    for position in unknown:
        if _is_flag(columns[position]):
            raise InvalidMaskError(
                f"the column {header[position]!r} holds flags: they may say which edges there are, or which are gone, "
                "or neither; name it 'mask' (1 is an edge) or 'pruned' (1 is none), or leave it out"
            )
        notes.append(f"column {header[position]!r} was not read")
    if "weight" in found and "kept" in found:
        raise InvalidMaskError(
            f"has the columns {header[found['weight']]!r} and {header[found['kept']]!r}: keep the one that says which "
            "edges there are"
        )
    sided = all(_word(header[found[role]]) in words for role, words in _SIDED.items())
    return Roles(
        found["input"],
        found["output"],
        found.get("weight", found.get("kept")),
        found.get("dropped"),
        found.get("layer"),
        sided,
        notes,
    )


def _is_whole(column: pd.Series) -> bool:
    return bool(column.dtype.kind in "iu" or (column.dtype.kind == "f" and (column == column.round()).all()))


def _counts_lines(column: pd.Series) -> bool:
    """Whether a column is 0, 1, 2, … or 1, 2, 3, …, in more than one line."""
    if len(column) < 2 or column.dtype.kind not in "iuf":
        return False
    return bool(column.iloc[0] in (0, 1) and (column.diff().iloc[1:] == 1).all())


def _is_flag(column: pd.Series) -> bool:
    """Whether a column holds two kinds of answers, yes and no."""
    values = {str(value).strip().lower() for value in column.unique()[:3]}
    return len(values) == 2 and values <= {"0", "1", "0.0", "1.0", "true", "false", "yes", "no"}
