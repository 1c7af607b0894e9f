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
    names = texts(labels, name)
    if len(names) != size:
        raise InvalidMaskError(f"{name} must be one name for each of {size} neurons, but got {len(names)}")
    numbers(names, name)
    return names


def texts(names: Iterable[Hashable], what: str) -> Labels:
    """Names as texts; a missing one, such as None or NaN, is refused.

    Examples
    --------
    >>> texts(["TP53", 7], "left_labels")
    ('TP53', '7')
    >>> texts(["TP53", None], "left_labels")
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidMaskError: left_labels must be names, but number 1 is missing (None)
    """
    try:
        listed = list(names)
    except TypeError:
        raise InvalidMaskError(f"{what} must be a list of names, but got {names!r}") from None
    missing = [number for number, name in enumerate(listed) if _is_missing(name)]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InvalidMaskError(f"{what} must be names, but number {missing[0]} is missing ({listed[missing[0]]}){more}")
    return tuple(str(name) for name in listed)


def _is_missing(name: object) -> bool:
    """Whether a table has no name there: None, NaN, or what pandas puts in their place."""
    try:
        return name is None or bool(name != name)
    except TypeError:  # pandas.NA, which is neither equal to itself nor not
        return True


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
    ends = texts(names, f"the {what} ends of edges")
    if labels is None:
        table = {name: number for number, name in enumerate(dict.fromkeys(ends))}
    else:
        table = numbers(texts(labels, what), what)
        unknown = [name for name in ends if name not in table]
        if unknown:
            raise InvalidMaskError(f"{what} lacks {len(set(unknown))} names that edges use, first {unknown[0]!r}")
    return [table[name] for name in ends], tuple(table)
