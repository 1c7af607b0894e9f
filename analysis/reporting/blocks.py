"""The building blocks of a page: paragraphs, lists, tables and pictures, each as HTML that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from analysis.reporting.downloads import csv, file_name, latex, link, links
from topograph.errors import InsufficientDataError

_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {},
}


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
        return f"<pre tabindex='0'>{html.escape(self.text)}</pre>"


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
    """A table of numbers, which can be saved as CSV and LaTeX."""

    table: pd.DataFrame
    title: str

    def html(self) -> str:
        """The table as HTML."""
        name = file_name(self.title)
        saved = [
            link("CSV", f"{name}.csv", "text/csv;charset=utf-8", csv(self.table).encode("utf-8", "backslashreplace")),
            link("LaTeX", f"{name}.tex", "text/plain;charset=utf-8", latex(self.table).encode("utf-8", "replace")),
        ]
        table = self.table.to_html(float_format="{:.4g}".format, border=0, na_rep="–")
        label = html.escape(self.title, quote=True)
        return (
            f"<div class='scroll' tabindex='0' role='region' aria-label='{label}'>{table}</div>"
            f"{links(saved, self.title)}"
        )


@dataclass(frozen=True)
class Picture:
    """A figure as an image inside the page, with its caption as its alternative text.

    Parameters
    ----------
    draw
        ``draw(ax)``.
    caption
        Sentence below the figure.
    height, width
        Size in inches.
    name
        Name of the files that it can be saved as.
    """

    draw: Callable[[Axes], object]
    caption: str
    height: float = 4.2
    width: float = 8.6
    name: str = ""

    @property
    def file(self) -> str:
        """The name of its files, without an ending."""
        return file_name(self.name or self.caption)

    def html(self) -> str:
        """The figure as HTML."""
        text = html.escape(self.caption, quote=True)
        try:
            drawn = self.drawn("svg", "pdf")
        except InsufficientDataError as error:
            return f"<p>Not drawn: {text} The reason: {html.escape(str(error))}.</p>"
        data = base64.b64encode(drawn["svg"]).decode()
        image = f"<img alt='{text}' src='data:image/svg+xml;base64,{data}' data-name='{self.file}'>"
        buttons = (
            "<button type='button' data-save='svg'>SVG</button> <button type='button' data-save='png'>PNG</button>"
        )
        saved = links([buttons, link("PDF", f"{self.file}.pdf", "application/pdf", drawn["pdf"])], self.caption)
        return f"<figure><div class='frame' tabindex='0'>{image}</div><figcaption>{text}</figcaption>{saved}</figure>"

    def drawn(self, *formats: str) -> dict[str, bytes]:
        """The figure in each format, the same bytes each time.

        Raises
        ------
        InsufficientDataError
            When there is nothing to draw.
        """
        with rc_context({"svg.hashsalt": f"topograph-{self.file}", "svg.fonttype": "none"}):
            figure = self._figure
            images = {}
            for form in formats:
                buffer = io.BytesIO()
                figure.savefig(
                    buffer,
                    format=form,
                    dpi=160 if form == "png" else 72,
                    metadata=_METADATA[form],
                    transparent=form != "png",
                )
                images[form] = buffer.getvalue()
        return images

    @cached_property
    def _figure(self) -> Figure:
        figure = Figure(figsize=(self.width, self.height), dpi=72, layout="constrained")
        FigureCanvasSVG(figure)
        self.draw(figure.subplots())
        layout = figure.get_layout_engine()
        if layout is not None:  # laid out here and once: matplotlib would draw it all before each file
            layout.execute(figure)
            figure.set_layout_engine(None)
        return figure
