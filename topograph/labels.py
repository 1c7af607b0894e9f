"""Names of neurons: guards and numbering."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from topograph.errors import InvalidMaskError

Labels = tuple[str, ...]
"""One name per neuron of a side, each different."""


def check_labels(name: str, labels: Iterable[Hashable] | None, size: int) -> Labels | None:
    """Accept one name for each of ``size`` neurons, all different; None stays None.

    Examples
    --------
    >>> check_labels("left_labels", ["TP53", "EGFR"], 2)
    ('TP53', 'EGFR')
    >>> check_labels("left_labels", ["TP53", "TP53"], 2)
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidMaskError: left_labels must all be different, but 'TP53' stands there twice
    """
    if labels is None:
        return None
    names = tuple(str(label) for label in labels)
    if len(names) != size:
        raise InvalidMaskError(f"{name} must be one name for each of {size} neurons, but got {len(names)}")
    numbers(names, name)
    return names


def numbers(names: Sequence[str], what: str = "labels") -> dict[str, int]:
    """The number of each name; a name that stands there twice is refused."""
    table: dict[str, int] = {}
    for number, name in enumerate(names):
        if table.setdefault(name, number) != number:
            raise InvalidMaskError(f"{what} must all be different, but {name!r} stands there twice")
    return table


def number_names(names: Sequence[Hashable], labels: Iterable[Hashable] | None, what: str) -> tuple[list[int], Labels]:
    """Numbers for names: those of ``labels`` where given, else in the order in which they appear.

    Examples
    --------
    >>> number_names(["b", "a", "b"], None, "left")
    ([0, 1, 0], ('b', 'a'))
    """
    texts = [str(name) for name in names]
    if labels is None:
        table = {name: number for number, name in enumerate(dict.fromkeys(texts))}
    else:
        table = numbers([str(label) for label in labels], what)
        unknown = [text for text in texts if text not in table]
        if unknown:
            raise InvalidMaskError(f"{what} lacks {len(set(unknown))} names that edges use, first {unknown[0]!r}")
    return [table[text] for text in texts], tuple(table)
