"""topograph: the connections between two layers of neurons as a first-class bipartite graph.

>>> import topograph as tg
>>> graph = tg.construct("fibonacci_rotating", 784, 300, degree=30, seed=0)
>>> graph.n_edges, round(graph.density, 3)
(23520, 0.1)

The parts are imported when they are first used, so that importing the package takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from topograph import design
    from topograph.constructions import available_constructions, construct
    from topograph.design import compare_with_null
    from topograph.errors import TopographError
    from topograph.graph import BipartiteGraph
    from topograph.masks import MaskSet, load
    from topograph.metrics import available_metrics, compare_masks, measure, summary
    from topograph.model_graph.making import network_graph
    from topograph.topology import Topology
    from topograph.tracking import Tracker

    __version__: str

_HOMES = {
    "BipartiteGraph": "graph",
    "MaskSet": "masks",
    "TopographError": "errors",
    "Topology": "topology",
    "Tracker": "tracking",
    "available_constructions": "constructions",
    "available_metrics": "metrics",
    "compare_masks": "metrics",
    "compare_with_null": "design",
    "construct": "constructions",
    "load": "masks",
    "measure": "metrics",
    "network_graph": "model_graph.making",
    "summary": "metrics",
}
_ROOMS = ("constructions", "design", "errors", "masks", "metrics", "spectral", "tracking")

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
    "network_graph",
    "summary",
]


def __getattr__(name: str) -> Any:
    value: Any
    if name in _HOMES:
        value = getattr(import_module(f"topograph.{_HOMES[name]}"), name)
    elif name == "__version__":
        from importlib.metadata import version

        value = version("topograph")
    elif name in (*_ROOMS, "torch"):  # the last one needs PyTorch
        return import_module(f"topograph.{name}")
    else:
        raise AttributeError(f"module 'topograph' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What tab completion offers: the public names, and the rooms with more."""
    return [*__all__, "__version__", *(room for room in _ROOMS if room not in __all__)]
