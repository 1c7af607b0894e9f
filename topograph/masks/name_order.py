"""Natural order of names: for formats that keep none of their own."""

from __future__ import annotations

import re


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sorting key under which ``layer.10`` follows ``layer.9``.

    Examples
    --------
    >>> sorted(["layer.10", "layer.9"], key=natural)
    ['layer.9', 'layer.10']
    """
    pieces = re.split(r"(\d{1,18})", name)
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece]
