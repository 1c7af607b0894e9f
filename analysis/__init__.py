"""analysis: whether the graph explains the accuracy, once density is accounted for.

The parts are imported when they are first used, so that ``topograph measure`` need not wait for statistics and figures.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.cell_correlation import CellCorrelations, correlate_per_cell
    from analysis.comparison import ModelComparison, compare
    from analysis.correlation import correlate
    from analysis.correlation_difference import CorrelationDifference, compare_correlations
    from analysis.drifting import drift
    from analysis.effects import Effect, effect
    from analysis.experiments import Experiment, experiment
    from analysis.family_comparison import FamilyComparison, compare_families
    from analysis.found import FoundMasks, found_masks
    from analysis.frame import describe_columns, load_frame
    from analysis.planning import Plan, plan
    from analysis.prediction import Prediction, predict_unseen
    from analysis.reanalysis import Reanalysis, reanalyse
    from analysis.recipes import describe_recipes
    from analysis.recording import record
    from analysis.regression import Fit, fit
    from analysis.reporting.writing import Report, report
    from analysis.words import verdict, verdicts

_HOMES = {
    "CellCorrelations": "cell_correlation",
    "CorrelationDifference": "correlation_difference",
    "ModelComparison": "comparison",
    "Effect": "effects",
    "Experiment": "experiments",
    "FamilyComparison": "family_comparison",
    "Fit": "regression",
    "FoundMasks": "found",
    "Plan": "planning",
    "Prediction": "prediction",
    "Reanalysis": "reanalysis",
    "Report": "reporting.writing",
    "compare": "comparison",
    "compare_correlations": "correlation_difference",
    "compare_families": "family_comparison",
    "correlate": "correlation",
    "correlate_per_cell": "cell_correlation",
    "describe_columns": "frame",
    "describe_recipes": "recipes",
    "drift": "drifting",
    "effect": "effects",
    "experiment": "experiments",
    "fit": "regression",
    "found_masks": "found",
    "load_frame": "frame",
    "plan": "planning",
    "predict_unseen": "prediction",
    "reanalyse": "reanalysis",
    "record": "recording",
    "report": "reporting.writing",
    "verdict": "words",
    "verdicts": "words",
}

__all__ = [
    "CellCorrelations",
    "CorrelationDifference",
    "Effect",
    "Experiment",
    "FamilyComparison",
    "Fit",
    "FoundMasks",
    "ModelComparison",
    "Plan",
    "Prediction",
    "Reanalysis",
    "Report",
    "compare",
    "compare_correlations",
    "compare_families",
    "correlate",
    "correlate_per_cell",
    "describe_columns",
    "describe_recipes",
    "drift",
    "effect",
    "experiment",
    "fit",
    "found_masks",
    "load_frame",
    "plan",
    "predict_unseen",
    "reanalyse",
    "record",
    "report",
    "verdict",
    "verdicts",
]


def __getattr__(name: str) -> Any:
    if name == "figures":  # a package, imported when it is asked for
        return import_module("analysis.figures")
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    value = getattr(import_module(f"analysis.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "figures"]
