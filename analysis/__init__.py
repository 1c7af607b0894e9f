"""analysis: whether the graph explains the accuracy, once density is accounted for.

The parts are imported when they are first used, so that ``topograph measure`` need not wait for statistics and figures.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.comparison import Comparison, compare
    from analysis.correlation import correlate
    from analysis.frame import load_frame
    from analysis.regression import Fit, fit
    from analysis.reporting import Report, report
    from analysis.verdict import verdicts

_HOMES = {
    "Comparison": "comparison",
    "Fit": "regression",
    "Report": "reporting",
    "compare": "comparison",
    "correlate": "correlation",
    "fit": "regression",
    "load_frame": "frame",
    "report": "reporting",
    "verdicts": "verdict",
}

__all__ = ["Comparison", "Fit", "Report", "compare", "correlate", "fit", "load_frame", "report", "verdicts"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    value = getattr(import_module(f"analysis.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
