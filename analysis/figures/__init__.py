"""Figures: each takes a table and, if not on new ones, the axes to draw on, and returns the axes."""

from analysis.figures.coefficients import coefficient_forest, correlation_forest
from analysis.figures.curves import accuracy_by_degree, accuracy_by_setting, metric_by_degree
from analysis.figures.graphs import mask_image, node_link
from analysis.figures.overview import (
    accuracy_by_construction,
    accuracy_over_degrees,
    learning_curves,
    metric_heatmap,
    predicted_against_seen,
)
from analysis.figures.residuals import residual_quantiles, residuals_against_fitted
from analysis.figures.scatter import accuracy_against_metric, partial_regression, within_cell_scatter

__all__ = [
    "accuracy_against_metric",
    "accuracy_by_construction",
    "accuracy_by_degree",
    "accuracy_by_setting",
    "accuracy_over_degrees",
    "coefficient_forest",
    "correlation_forest",
    "learning_curves",
    "mask_image",
    "metric_by_degree",
    "metric_heatmap",
    "node_link",
    "partial_regression",
    "predicted_against_seen",
    "residual_quantiles",
    "residuals_against_fitted",
    "within_cell_scatter",
]
