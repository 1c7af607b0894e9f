"""Named functions of a graph, each with a formula, a range and a reference; one theme per file."""

from topograph.metrics.comparing import compare_masks
from topograph.metrics.measuring import measure
from topograph.metrics.metric import Metric, Value
from topograph.metrics.registry import available_metrics, describe_comparisons, describe_metrics, get_metric
from topograph.metrics.summarizing import summary
from topograph.metrics.weighted import WeightedGraph

__all__ = [
    "Metric",
    "Value",
    "WeightedGraph",
    "available_metrics",
    "compare_masks",
    "describe_comparisons",
    "describe_metrics",
    "get_metric",
    "measure",
    "summary",
]
