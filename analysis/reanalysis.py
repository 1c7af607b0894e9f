"""`reanalyse`: a published table, analysed by its recipe."""

from __future__ import annotations

import html
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis.cell_correlation import CellCorrelations, correlate_per_cell
from analysis.correlation import correlate
from analysis.effects import Effect, effect
from analysis.frame import load_frame
from analysis.frame.names import column_words
from analysis.frame.reading import ENDINGS, is_table, read_table
from analysis.naming import listed_columns
from analysis.recipes import Recipe, get_recipe
from analysis.words import verdicts
from topograph.errors import InsufficientDataError, InvalidParameterError


@dataclass(frozen=True, eq=False)
class Reanalysis:
    """What a published table says about accuracy beyond density.

    Parameters
    ----------
    recipe
        The recipe, with the columns that the table has.
    n
        Number of rows.
    correlations
        From `analysis.correlate`: raw, by regression on the controls, within cells, and both.
    per_cell
        From `analysis.correlate_per_cell` (Spearman); None without cells.
    effects
        Metric → its effect within cells with the controls held fixed, or the reason why it cannot be told.
    verdicts
        One sentence about all metrics, then one for each.
    """

    recipe: Recipe
    n: int
    correlations: pd.DataFrame
    per_cell: CellCorrelations | None
    effects: dict[str, Effect | str]
    verdicts: tuple[str, ...]

    @property
    def contradictions(self) -> tuple[str, ...]:
        """Metrics whose mean rank correlation over cells points the other way than their effect, both clearly."""
        if self.per_cell is None:
            return ()
        names = []
        for metric, row in self.per_cell.means.iterrows():
            held = self.correlations[
                (self.correlations["metric"] == metric) & self.correlations["method"].str.startswith("within_cell")
            ].iloc[-1]
            clear = all(part["low"] > 0 or part["high"] < 0 for part in (row, held))
            if clear and row["mean"] * held["estimate"] < 0:
                names.append(str(metric))
        return tuple(names)

    def __str__(self) -> str:
        lines = [f"{self.recipe.name}: {self.recipe.title}", f"Source: {self.recipe.source}", ""]
        lines += [f"{self.n} rows. {self.verdicts[0]}", *self.verdicts[1:], ""]
        lines += [str(found) for found in self.effects.values()]
        if self.per_cell is not None:
            lines += ["", repr(self.per_cell)]
        if self.contradictions:
            lines += [
                f"For {listed_columns(self.contradictions)}, the ranks in the mean over cells point the "
                "other way than the values pooled over cells: a few networks far from the others, or a few cells, "
                "decide, and no verdict holds for both."
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(line)}</p>" for line in str(self).splitlines() if line)


def reanalyse(name: str, path: str | os.PathLike[str] | pd.DataFrame) -> Reanalysis:
    """Analyse a table that somebody published, by its recipe.

    Parameters
    ----------
    name
        Name of the recipe (see `analysis.describe_recipes`).
    path
        The table: a file of the reader's own, or a DataFrame.

    Raises
    ------
    UnknownNameError
        For a name that is not a recipe's.
    InvalidParameterError
        When the table lacks what the recipe is about.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> density = rng.uniform(0.1, 1, size=200)
    >>> table = pd.DataFrame({"graph": range(200), "graph_sparsity": density, "C": rng.normal(size=200)})
    >>> table["L"] = 3 - density + 0.1 * rng.normal(size=200)
    >>> table["acc"] = 0.6 - 0.1 * density - 0.08 * table["L"] + 0.002 * rng.normal(size=200)
    >>> found = reanalyse("graph2nn", table)
    >>> found.effects["L"].is_clear, found.effects["C"].is_clear
    (True, False)
    """
    recipe = get_recipe(name)
    table = path if isinstance(path, pd.DataFrame) else read_table(_table_path(path))
    columns = {theirs: ours for theirs, ours in recipe.columns.items() if theirs in table.columns}
    given = {*table.columns, *columns.values()}
    needed = [recipe.outcome, *(c for c in recipe.cells if c not in recipe.bins)]
    needed += [c for c in recipe.control if c != "log_density"] + [column for column, _ in recipe.bins.values()]
    missing = [column for column in dict.fromkeys(needed) if column not in given]
    metrics = tuple(metric for metric in recipe.metrics if metric in given)
    if missing or not metrics:
        lacking = ", ".join(missing or recipe.metrics)
        raise InvalidParameterError(
            f"the table lacks {lacking}, which the recipe {name} is about; it expects {recipe.file}. The table has "
            f"{', '.join(map(str, table.columns[:12]))}{', …' if len(table.columns) > 12 else ''}"
        )
    recipe = replace(recipe, metrics=metrics, columns=columns)
    frame = recipe.prepare(load_frame(table, columns, outcome=recipe.outcome))
    methods = ["pearson"]
    methods += ["partial"] if recipe.control else []
    methods += ["within_cell"] if recipe.cells else []
    methods += ["within_cell_partial"] if recipe.control and recipe.cells else []
    cells = list(recipe.cells)
    correlations = correlate(
        frame,
        recipe.outcome,
        metrics,
        control=recipe.control,
        cells=cells or None,
        methods=methods,
    )
    effects: dict[str, Effect | str] = {}
    for metric in metrics:
        try:
            effects[metric] = effect(frame, metric, outcome=recipe.outcome, cells=cells, control=recipe.control)
        except InsufficientDataError as error:
            effects[metric] = f"{column_words(metric)}: nothing can be said: {error}."
    per_cell = None
    if recipe.cells:
        try:
            per_cell = correlate_per_cell(frame, recipe.outcome, metrics, cells=cells, control=recipe.control)
        except InsufficientDataError:
            per_cell = None
    return Reanalysis(recipe, len(frame), correlations, per_cell, effects, tuple(verdicts(correlations)))


def _table_path(path: str | os.PathLike[str]) -> Path:
    if not is_table(Path(path)):
        raise InvalidParameterError(
            f"a recipe is for a table, whose name ends in {', '.join(ENDINGS)}, also packed, but got {os.fspath(path)}"
        )
    return Path(path)
