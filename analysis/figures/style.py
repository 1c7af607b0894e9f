"""What all figures share: a colour and a marker for each construction, and readable names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import seaborn as sns
from matplotlib.axes import Axes

from analysis.frame.names import column_words

# told apart by marker as well as by colour, so that neither colour vision nor a colour printer is needed
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
MOST_SHAPES = 200  # points that are drawn as shapes; more become an image in the figure, which stays small
_FIRST = (
    "random_edge",
    "random_rotating",
    "random_regular",
    "regular_rotating",
    "long_short_rotating",
    "fibonacci_rotating",
)


def construction_order(names: Iterable[str]) -> list[str]:
    """The paper's six in its order, then others by name, ``dense`` last."""
    present = set(names)
    others = sorted(present - set(_FIRST) - {"dense"})
    return [name for name in (*_FIRST, *others, "dense") if name in present]


def palette(names: Iterable[str]) -> dict[str, Any]:
    """Construction → colour, from a palette made for all kinds of colour vision."""
    order = construction_order(names)
    colours = dict(zip(order, sns.color_palette("colorblind", max(10, len(order))), strict=False))
    return colours | ({"dense": (0.25, 0.25, 0.25)} if "dense" in colours else {})


def markers(names: Iterable[str]) -> dict[str, str]:
    """Construction → marker."""
    return {name: _MARKERS[i % len(_MARKERS)] for i, name in enumerate(construction_order(names))}


def label(column: str) -> str:
    """A column name as words: ``l1_normalized_gap`` becomes ``normalized gap, layer 1``.

    A dollar stays a dollar: it is escaped, so that matplotlib does not take what follows for a formula.
    """
    return escaped(column_words(column))


def escaped(value: object) -> str:
    r"""A value as text in which matplotlib finds no formula: it shows ``\$`` as a dollar.

    Examples
    --------
    >>> print(escaped("a$b$"))
    a\$b\$
    """
    return str(value).replace("$", r"\$")


def legend_beside(ax: Axes, title: str = "construction") -> None:
    """Put the legend to the right of the axes, where it covers nothing."""
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles, labels, title=title, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
