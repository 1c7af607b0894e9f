"""The tidy frame: one row per run, from a study's store or anybody's table."""

from analysis.frame.describing import describe_columns
from analysis.frame.learning import load_learning_curves
from analysis.frame.loading import load_frame
from analysis.frame.names import CELL, KEYS, layer_degrees, metric_columns

__all__ = ["CELL", "KEYS", "describe_columns", "layer_degrees", "load_frame", "load_learning_curves", "metric_columns"]
