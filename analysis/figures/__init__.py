"""Figures: each takes a table and the axes to draw on, and returns the axes."""

from analysis.figures.coefficients import coefficient_forest, correlation_forest
from analysis.figures.curves import accuracy_by_degree, metric_by_degree
from analysis.figures.scatter import accuracy_against_metric, partial_regression

__all__ = [
    "accuracy_against_metric",
    "accuracy_by_degree",
    "coefficient_forest",
    "correlation_forest",
    "metric_by_degree",
    "partial_regression",
]
