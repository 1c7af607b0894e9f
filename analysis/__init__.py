"""analysis: whether the graph explains the accuracy, once density is accounted for."""

from analysis.comparison import Comparison, compare
from analysis.correlation import correlate
from analysis.frame import load_frame
from analysis.regression import Fit, fit
from analysis.report import report
from analysis.verdict import verdicts

__all__ = ["Comparison", "Fit", "compare", "correlate", "fit", "load_frame", "report", "verdicts"]
