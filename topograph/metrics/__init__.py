"""Named functions of a graph, each with a formula, a range and a reference; one theme a file."""

from topograph.metrics.comparing import compare_masks, comparison_table
from topograph.metrics.metric import Metric, Value
from topograph.metrics.profile import measure
from topograph.metrics.registry import available_metrics, get_metric, metric_table
from topograph.metrics.weighted import WeightedGraph

__all__ = [
    "Metric",
    "Value",
    "WeightedGraph",
    "available_metrics",
    "compare_masks",
    "comparison_table",
    "get_metric",
    "measure",
    "metric_table",
]
