"""Figures: each takes a table and, unless it makes new ones, the axes to draw on, and returns the axes.

A figure is a function under `analysis.figures.registry.figure`, named in the ``__all__`` of its file.
"""

from analysis.figures.coefficients import *  # noqa: F403
from analysis.figures.curves import *  # noqa: F403
from analysis.figures.graphs import *  # noqa: F403
from analysis.figures.overview import *  # noqa: F403
from analysis.figures.registry import FIGURES
from analysis.figures.residuals import *  # noqa: F403
from analysis.figures.scatter import *  # noqa: F403
from analysis.figures.tracking import *  # noqa: F403

__all__ = sorted(FIGURES)
