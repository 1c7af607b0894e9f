"""`shared`: what several metrics read of one graph is computed once and kept with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Result = TypeVar("Result")


def shared(function: Callable[[Any], Result]) -> Callable[[Any], Result]:
    """Keep the result of a function of a graph or topology with that object, which never changes.

    Examples
    --------
    >>> from topograph import BipartiteGraph
    >>> calls = []
    >>> count = shared(lambda graph: calls.append(graph) or graph.n_edges)
    >>> graph = BipartiteGraph.from_mask([[1]])
    >>> count(graph), count(graph), len(calls)
    (1, 1, 1)
    """

    @wraps(function)
    def kept(graph: Any) -> Result:
        results: dict[Any, Result] = graph.__dict__.setdefault("_shared", {})  # not part of its content, nor pickled
        if function not in results:
            results[function] = function(graph)
        return results[function]

    return kept
