"""The building blocks of a page: paragraphs, lists, tables and pictures, each as HTML that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from topograph.errors import InsufficientDataError


class Block(Protocol):
    """A part of a page."""

    def html(self) -> str:
        """The block as HTML, everything from users escaped."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text; with a ``label``, one that begins with it in bold."""

    text: str
    label: str = ""

    def html(self) -> str:
        """The paragraph as HTML."""
        start = f"<strong>{html.escape(self.label)}</strong> " if self.label else ""
        return f"<p>{start}{html.escape(self.text)}</p>"


@dataclass(frozen=True)
class Code:
    """Text as it is, in a typewriter face."""

    text: str

    def html(self) -> str:
        """The text as HTML."""
        return f"<pre>{html.escape(self.text)}</pre>"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    lines: Sequence[str]
    title: str = ""

    @classmethod
    def of_reasons(cls, title: str, reasons: Mapping[str, str]) -> Items:
        """A list of names, each with its reason."""
        return cls([f"{name}: {reason}" for name, reason in reasons.items()], title)

    def html(self) -> str:
        """The list as HTML; nothing where it is empty."""
        if not self.lines:
            return ""
        title = f"<p>{html.escape(self.title)}:</p>" if self.title else ""
        return f"{title}<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in self.lines)}</ul>"


@dataclass(frozen=True, eq=False)
class Table:
    """A table of numbers."""

    table: pd.DataFrame

    def html(self) -> str:
        """The table as HTML."""
        return f"<div class='scroll'>{self.table.to_html(float_format='{:.4g}'.format, border=0)}</div>"


@dataclass(frozen=True)
class Picture:
    """A figure as an image inside the page, with its caption as its alternative text."""

    draw: Callable[[Axes], object]
    caption: str
    height: float = 4.2
    width: float = 8.6

    def html(self) -> str:
        """The figure as HTML."""
        with rc_context({"svg.hashsalt": "topograph"}):  # the same bytes each time
            return self._drawn()

    def _drawn(self) -> str:
        figure = Figure(figsize=(self.width, self.height), layout="constrained")
        text = html.escape(self.caption, quote=True)
        try:
            self.draw(figure.subplots())
        except InsufficientDataError as error:
            return f"<p>Not drawn: {text} The reason: {html.escape(str(error))}.</p>"
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        data = base64.b64encode(buffer.getvalue()).decode()
        image = f"<img alt='{text}' src='data:image/svg+xml;base64,{data}'>"
        return f"<figure>{image}<figcaption>{text}</figcaption></figure>"
