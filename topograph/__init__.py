"""topograph: the connections between two layers of neurons as a first-class bipartite graph.

>>> import topograph as tg
>>> graph = tg.construct("fibonacci_rotating", 784, 300, degree=30, seed=0)
>>> graph.n_edges, round(graph.density, 3)
(23520, 0.1)
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

from topograph import design
from topograph.constructions import available_constructions, construct
from topograph.design import compare_with_null
from topograph.errors import TopographError
from topograph.graph import BipartiteGraph
from topograph.masks import MaskSet, load
from topograph.metrics import available_metrics, compare_masks, measure, summary
from topograph.topology import Topology
from topograph.tracking import Tracker

__version__ = version("topograph")

__all__ = [
    "BipartiteGraph",
    "MaskSet",
    "TopographError",
    "Topology",
    "Tracker",
    "available_constructions",
    "available_metrics",
    "compare_masks",
    "compare_with_null",
    "construct",
    "design",
    "load",
    "measure",
    "summary",
]


def __getattr__(name: str) -> Any:
    """``topograph.torch``, imported on first use, since it imports PyTorch."""
    if name == "torch":
        return import_module("topograph.torch")
    raise AttributeError(f"module 'topograph' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What tab completion offers: the public names, and the rooms with more."""
    return [*__all__, "__version__", "constructions", "errors", "masks", "metrics", "spectral", "tracking"]
