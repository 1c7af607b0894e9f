"""Compiled loops that leave the zeros out of samples in rows."""

from __future__ import annotations

from typing import Any

from topograph.compiling import reordered


@reordered.in_place
def count_nonzero(rows: Any, counts: Any) -> None:
    """Number of entries of each row that are not 0."""
    for row in range(rows.shape[0]):
        nonzero = 0
        for i in range(rows.shape[1]):
            nonzero += rows[row, i] != 0
        counts[row] = nonzero


@reordered.in_place
def compress(rows: Any, starts: Any, features: Any, entries: Any) -> None:
    """Write the features and entries that are not 0, row after row."""
    for row in range(rows.shape[0]):
        k = starts[row]
        for i in range(rows.shape[1]):
            if rows[row, i] != 0:
                features[k], entries[k] = i, rows[row, i]
                k += 1
