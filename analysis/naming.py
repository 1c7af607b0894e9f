"""Names as words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.frame.names import column_phrase


def listed(names: Sequence[str]) -> str:
    """Names as words: ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def listed_columns(columns: Iterable[str]) -> str:
    """Columns as words, for a sentence.

    Examples
    --------
    >>> listed_columns(["degrees", "l1_log_density"])
    'degrees and the log density of layer 1'
    """
    return listed([column_phrase(column) for column in columns])
