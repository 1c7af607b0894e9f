"""`figure`: the decorator that makes a drawing function a figure, and the registry of all figures."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures.style import escaped
from analysis.frame.families import by_family
from analysis.frame.names import TEXT_KEYS, main_column
from analysis.frame.tables import without_infinities
from analysis.guards import check_columns

Source = TypeVar("Source")
Source_contra = TypeVar("Source_contra", contravariant=True)
Options = ParamSpec("Options")

FIGURES: dict[str, Figure[Any, ...]] = {}
"""Every figure by name, in the order in which its file defines them."""

_SHARED_WORDS = {
    "frame": "One row per run, as from `analysis.load_frame`.",
    "ax": "Matplotlib axes to draw on; new ones by default.",
    "outcome": "Column drawn upwards.",
    "metric": "Column of the metric; a metric alone means that of the first layer, for models its mean over layers.",
}


class Figure(Protocol[Source_contra, Options]):
    """A figure: draws on the axes it is given, or on new ones, and returns them."""

    __name__: str

    def __call__(
        self, source: Source_contra, /, ax: Axes | None = None, *args: Options.args, **kwargs: Options.kwargs
    ) -> Axes:
        """Draw."""


def figure(
    *columns: str,
) -> Callable[[Callable[Concatenate[Source, Axes, Options], None]], Figure[Source, Options]]:
    """Make a function that draws a table on axes a figure.

    The figure makes its own axes where none are given, refuses columns that the table lacks or that hold no numbers,
    and returns the axes. Parameters that all figures share are documented here; `FIGURES` lists the figure.

    Parameters
    ----------
    columns
        Names of the parameters that name a column of numbers, or several.
    """

    def decorate(draw: Callable[Concatenate[Source, Axes, Options], None]) -> Figure[Source, Options]:
        signature = inspect.signature(draw)
        parameters = list(signature.parameters.values())
        parameters[1] = parameters[1].replace(default=None, annotation="Axes | None")
        public = signature.replace(parameters=parameters, return_annotation="Axes")

        @functools.wraps(draw)
        def drawn(*args: Any, **kwargs: Any) -> Axes:
            bound = public.bind(*args, **kwargs)
            bound.apply_defaults()
            source = bound.arguments[parameters[0].name]
            if isinstance(source, pd.DataFrame):
                bound.arguments |= {name: _columns(source, bound.arguments[name]) for name in columns}
                check_columns(source, _named(bound.arguments[name] for name in columns))
                bound.arguments[parameters[0].name] = _drawable(source)
            if bound.arguments["ax"] is None:
                bound.arguments["ax"] = plt.subplots(layout="constrained")[1]
            draw(*bound.args, **bound.kwargs)
            ax: Axes = bound.arguments["ax"]
            return ax

        drawn.__signature__ = public  # type: ignore[attr-defined]
        drawn.__doc__ = _documented(inspect.getdoc(draw) or "", parameters)
        FIGURES[draw.__name__] = drawn
        return drawn

    return decorate


def _drawable(table: pd.DataFrame) -> pd.DataFrame:
    """The table without infinities, and with text that matplotlib does not take for formulas.

    Labels of axes are made when a figure is drawn, long after the function has returned: so dollars are escaped here.
    """
    table = by_family(without_infinities(table))
    changed = {}
    for column in table.columns:
        if column in TEXT_KEYS:
            text = table[column].map(lambda value: value if pd.isna(value) else escaped(value))
            changed[column] = text if column == "degrees" else text.where(table[column].notna(), "unknown")
    attributes = table.attrs
    table = table.assign(**changed)
    table.attrs = attributes
    return table


def _columns(table: pd.DataFrame, value: str | Sequence[str]) -> str | list[str]:
    """Names of columns, where a metric alone stands for `main_column`, or for that of the network."""
    if not isinstance(value, str):
        return [str(_columns(table, name)) for name in value]
    names = (value, main_column(table, value), f"network_{value}")
    return next((name for name in names if name in table.columns), value)


def _named(values: Iterator[Any]) -> Iterator[str]:
    for value in values:
        yield from [value] if isinstance(value, str) else value


def _documented(doc: str, parameters: list[inspect.Parameter]) -> str:
    """The docstring with a section on all parameters: the function's own words first, else the shared ones."""
    text, _, section = doc.partition("\nParameters\n----------\n")
    own: dict[str, str] = {}
    for block in ("\n" + section).split("\n"):
        if block and not block.startswith(" "):
            names = block
            own |= dict.fromkeys(names.split(", "), "")
        elif block.strip():
            for name in names.split(", "):
                own[name] = f"{own[name]} {block.strip()}".strip()
    lines = [f"{p.name}\n    {own.get(p.name) or _SHARED_WORDS[p.name]}" for p in parameters]
    return f"{text.rstrip()}\n\nParameters\n----------\n" + "\n".join(lines) + "\n"
