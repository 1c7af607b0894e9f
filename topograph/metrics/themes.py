"""The themes of metrics, in the order of the table's columns: a new theme is a file here and a name below."""

from __future__ import annotations

from topograph.metrics import (
    communities,
    comparisons,
    degrees,
    expansion,
    imdb,
    motifs,
    network,
    paths,
    ramanujan,
    robustness,
    sizes,
    spectral,
    structure,
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
    paths,
    motifs,
    robustness,
    communities,
    network,
    comparisons,
)
METRICS = tuple(metric for theme in THEMES for metric in theme.METRICS)
"""Every built-in metric: what the entry point of the group ``topograph.metrics`` names."""
