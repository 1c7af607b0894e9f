"""Tables and figures as files that a page holds: a click saves them, without a server and without a script."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence

import pandas as pd

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "…": r"\ldots{}", "−": "$-$", "²": "$^2$",
}  # fmt: skip


def file_name(title: str, number: int = 0) -> str:
    """A name of a file, without an ending, from any title.

    Examples
    --------
    >>> file_name("Accuracy: of each <construction>", 3), file_name("…")
    ('03-accuracy-of-each-construction', 'report')
    """
    words = re.findall(r"[a-z0-9]+", title.lower())
    name = "-".join(words)[:48].rstrip("-") or "report"
    return f"{number:02d}-{name}" if number else name


def latex(table: pd.DataFrame) -> str:
    r"""A table as a LaTeX ``tabular`` with the rules of ``booktabs``.

    Examples
    --------
    >>> print(latex(pd.DataFrame({"r_50%": [0.25]}, index=pd.Index(["a&b"], name="metric"))))
    \begin{tabular}{lr}
    \toprule
    metric & r\_50\% \\
    \midrule
    a\&b & 0.25 \\
    \bottomrule
    \end{tabular}
    <BLANKLINE>
    """
    flat = table.reset_index() if _has_names(table) else table
    numbers = [pd.api.types.is_numeric_dtype(flat.iloc[:, i]) for i in range(flat.shape[1])]
    rows = [" & ".join(_cell(value) for value in row) for row in flat.itertuples(index=False, name=None)]
    head = " & ".join(_cell(str(name)) for name in flat.columns)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{''.join('r' if number else 'l' for number in numbers)}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *(rf"{row} \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def csv(table: pd.DataFrame) -> str:
    """A table as CSV, every digit kept."""
    return str(table.to_csv(index=_has_names(table)))


def _has_names(table: pd.DataFrame) -> bool:
    """Whether the index says something, rather than counting the rows."""
    return not isinstance(table.index, pd.RangeIndex)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "--" if pd.isna(value) else _cell(f"{value:.4g}")
    return "".join(_LATEX.get(character, character) for character in str(value))


def link(words: str, name: str, kind: str, content: bytes) -> str:
    """A link that saves the content as a file."""
    data = base64.b64encode(content).decode()
    return f"<a download='{html.escape(name, quote=True)}' href='data:{kind};base64,{data}'>{html.escape(words)}</a>"


def links(parts: Sequence[str], what: str) -> str:
    """The links below a table or figure, named for those who hear the page."""
    return f"<p class='save' role='group' aria-label='Save: {html.escape(what, quote=True)}'>{' '.join(parts)}</p>"
