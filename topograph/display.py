"""What Jupyter shows of an object."""

from __future__ import annotations

import html
from collections.abc import Iterable


def html_table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """A small two-column table, escaped.

    Examples
    --------
    >>> html_table("Graph", [("edges", "2 < 3")]).count("2 &lt; 3")
    1
    """
    body = "".join(
        f"<tr><th style='text-align:left'>{html.escape(key)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for key, value in rows
    )
    return f"<table><caption>{html.escape(title)}</caption>{body}</table>"
