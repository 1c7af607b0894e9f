"""The themes of metrics, in the order of the table's columns: a new theme is a file here and a name below."""

from __future__ import annotations

from topograph.metrics import (
    alignment,
    communities,
    comparisons,
    conformity,
    degrees,
    expansion,
    imdb,
    motifs,
    nestedness,
    network,
    paths,
    percolation,
    ramanujan,
    rich_club,
    robustness,
    sizes,
    small_world,
    spectral,
    structure,
    weight_spectra,
    weighted,
)

THEMES = (
    sizes,
    degrees,
    structure,
    spectral,
    ramanujan,
    imdb,
    expansion,
    weighted,
    weight_spectra,
    paths,
    motifs,
    small_world,
    robustness,
    percolation,
    rich_club,
    nestedness,
    communities,
    conformity,
    network,
    alignment,
    comparisons,
)
METRICS = tuple(metric for theme in THEMES for metric in theme.METRICS)
"""Every built-in metric: what the entry point of the group ``topograph.metrics`` names."""
