"""Which neuron each entry of an edge list is: numbers from 0 or from 1, on each side or throughout, or names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidMaskError
from topograph.labels import Labels, number_names
from topograph.limits import check_nodes

if TYPE_CHECKING:
    import pandas as pd

Numbers = npt.NDArray[np.int64]
_SAY = "say which in a first line such as '# 784 x 300, numbered from 1'"


@dataclass(frozen=True)
class Side:
    """The inputs or the outputs of all edges.

    Parameters
    ----------
    numbers
        Shape ``(n_edges,)``: the number of the neuron at each edge's end, from 0.
    size
        How many neurons the side has.
    labels
        Their names, where the file has names.
    """

    numbers: Numbers
    size: int
    labels: Labels | None = None


@dataclass(frozen=True)
class Ends:
    """Both sides, and what to say of how they were read."""

    left: Side
    right: Side
    notes: list[str] = field(default_factory=list)


def number_ends(
    sources: pd.Series,
    targets: pd.Series,
    sizes: tuple[int, int] | None,
    first: int | None,
    *,
    sided: bool,
    file_bytes: int,
) -> Ends:
    """Number the neurons of both columns; ``sided`` says that one name on both sides is two neurons.

    Raises
    ------
    InvalidMaskError
        When a column holds neither numbers nor names, or when there are two readings; the message names both.
    """
    columns = [_checked(column, word) for column, word in ((sources, "input"), (targets, "output"))]
    texts = [column.dtype.kind == "O" for column in columns]
    if any(texts):
        return _named(columns, texts, sizes, first, sided=sided)
    left, right = columns
    if not left.size:
        if sizes is None:
            raise InvalidMaskError("holds no edge and no line such as '# 784 x 300', so its sizes are unknown")
        return Ends(Side(left, sizes[0]), Side(right, sizes[1]))
    check_nodes([int(column.max()) + 1 for column in columns], file_bytes)
    starts, notes = _starts(left, right, sizes, first)
    sides = []
    for column, start, size, word in zip(columns, starts, sizes or (None, None), ("input", "output"), strict=True):
        numbers = column - start
        if numbers.min() < 0:
            raise InvalidMaskError(f"names the {word} {column.min()}, but says that they are numbered from {start}")
        if size is not None and numbers.max() >= size:
            raise InvalidMaskError(f"names the {word} {column.max()}, but says there are {size}, numbered from {start}")
        sides.append(Side(numbers, int(numbers.max()) + 1 if size is None else size))
    return Ends(sides[0], sides[1], [*notes, *_untouched(sides[0], sides[1])])


def _checked(column: pd.Series, word: str) -> npt.NDArray[Any]:
    """Whole numbers as integers, names as texts."""
    values: npt.NDArray[Any] = column.to_numpy()
    if values.dtype.kind == "b":
        raise InvalidMaskError(f"the {word}s must be numbers or names, but are true or false")
    if values.dtype.kind == "O":
        empty = np.flatnonzero(values == "")
        if empty.size:
            raise InvalidMaskError(f"edge {empty[0] + 1} names no {word}")
        return values
    if not (np.isfinite(values).all() and (values >= 0).all() and (values == np.floor(values)).all()):
        raise InvalidMaskError(f"the {word}s must be whole numbers from 0, or names")
    if values.size and values.max() >= 2**31:
        raise InvalidMaskError(f"names the {word} {values.max():.0f}, more than an array can number")
    whole: npt.NDArray[Any] = values.astype(np.int64)
    return whole


def _named(
    columns: list[npt.NDArray[Any]], texts: list[bool], sizes: tuple[int, int] | None, first: int | None, *, sided: bool
) -> Ends:
    if all(texts) and not sided:
        both = set(columns[0].tolist()) & set(columns[1].tolist())
        if both:
            raise InvalidMaskError(
                f"{len(both)} names stand on both sides, first {min(both)!r}: the edges may be of one layer or of a "
                "whole network; call the columns 'input,output' for a layer, or pass the edges to Topology.from_edges"
            )
    sides, notes = [], []
    for column, is_text, size, word in zip(columns, texts, sizes or (None, None), ("input", "output"), strict=True):
        if is_text:
            places, labels = number_names(column.tolist(), None, word)
            if size is not None and len(labels) != size:
                raise InvalidMaskError(f"names {len(labels)} {word}s, but says there are {size}")
            sides.append(Side(np.array(places, dtype=np.int64), len(labels), labels))
            notes.append(f"{word}s by name")
            continue
        start = first if first is not None else int(column.min() == 1 and _is_full(column))
        numbers = column - start
        if numbers.min() < 0 or (size is not None and numbers.max() >= size):
            raise InvalidMaskError(f"names a {word} that is not among {size}, numbered from {start}")
        sides.append(Side(numbers, int(numbers.max()) + 1 if size is None else size))
        notes.append(f"{word}s numbered from {start}")
    return Ends(sides[0], sides[1], [*notes, *_untouched(sides[0], sides[1])])


def _starts(
    left: Numbers, right: Numbers, sizes: tuple[int, int] | None, first: int | None
) -> tuple[tuple[int, int], list[str]]:
    """The numbers of the first input and of the first output."""
    low, high = (left, right) if left.min() <= right.min() else (right, left)
    apart = low.max() < high.min()  # no number stands on both sides
    if sizes is not None:
        return _starts_of_sizes(left, right, sizes, first)
    if first is not None:
        if apart and high.min() == low.max() + 1 and _is_full(low):
            return _after(left, right, first)
        return (first, first), [f"numbered from {first}"]
    if apart:
        if low.min() in (0, 1) and high.min() == low.max() + 1 and _is_full(low) and _is_full(high):
            return _after(left, right, int(low.min()))
        if high.min() > 1:
            words = ("inputs", "outputs") if high is right else ("outputs", "inputs")
            raise InvalidMaskError(
                f"the {words[1]} are numbered {high.min()} to {high.max()} and the {words[0]} {low.min()} to "
                f"{low.max()}: the {words[1]} may be numbered after the {words[0]}, or {high.min()} of them have no "
                "edge; say how many there are in a first line such as '# 784 x 300'"
            )
    if left.min() == right.min() == 1:
        if _is_full(left) and _is_full(right):
            return (1, 1), ["numbered from 1"]
        raise InvalidMaskError(
            "both inputs and outputs begin with 1: they may be numbered from 1, or the first of each has no edge; "
            + _SAY
        )
    return (0, 0), ["numbered from 0"]


def _starts_of_sizes(
    left: Numbers, right: Numbers, sizes: tuple[int, int], first: int | None
) -> tuple[tuple[int, int], list[str]]:
    """Where a comment says how many there are: from 0, unless the numbers themselves say otherwise."""
    n, m = sizes
    for start in (0, 1) if first is None else (first,):
        for starts, note in (
            ((start, start), f"numbered from {start}"),
            ((start, start + n), f"numbered from {start}, outputs after inputs"),
            ((start + m, start), f"numbered from {start}, inputs after outputs"),
        ):
            inside = starts[0] <= left.min() and left.max() < starts[0] + n
            if inside and starts[1] <= right.min() and right.max() < starts[1] + m:
                return starts, [note]
    return (first or 0, first or 0), []


def _after(left: Numbers, right: Numbers, first: int) -> tuple[tuple[int, int], list[str]]:
    if left.min() < right.min():
        return (first, int(right.min())), [f"numbered from {first}, outputs after inputs"]
    return (int(left.min()), first), [f"numbered from {first}, inputs after outputs"]


def _is_full(numbers: Numbers) -> bool:
    """Whether every number between the least and the largest is there."""
    return bool(np.unique(numbers).size == numbers.max() - numbers.min() + 1)


def _untouched(left: Side, right: Side) -> list[str]:
    """A note on neurons without an edge, which may be the reader's mistake."""
    parts = []
    for side, word in ((left, "inputs"), (right, "outputs")):
        lone = side.size - np.unique(side.numbers).size
        if lone:
            parts.append(f"{lone} of {side.size} {word}")
    return [f"no edge at {' and '.join(parts)}"] if parts else []
