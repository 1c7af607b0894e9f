"""One cache for immutable objects: what several readers need of a graph is computed once and kept with it.

What is kept is not part of the object's content: it is neither compared, nor hashed, nor pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, TypeVar

Result = TypeVar("Result")


def cache_of(owner: Any) -> dict[Hashable, Any]:
    """The results kept with an immutable object; empty at first.

    Examples
    --------
    >>> from topograph import BipartiteGraph
    >>> graph = BipartiteGraph.from_mask([[1]])
    >>> cache_of(graph)["answer"] = 42
    >>> cache_of(graph)["answer"], "answer" in cache_of(BipartiteGraph.from_mask([[1]]))
    (42, False)
    """
    cache: dict[Hashable, Any] = owner.__dict__.setdefault("_cache", {})
    return cache


def computed_once(function: Callable[[Any], Result]) -> Callable[[Any], Result]:
    """Keep the result of a function of one immutable object with that object.

    Examples
    --------
    >>> from topograph import BipartiteGraph
    >>> calls = []
    >>> count = computed_once(lambda graph: calls.append(graph) or graph.n_edges)
    >>> graph = BipartiteGraph.from_mask([[1]])
    >>> count(graph), count(graph), len(calls)
    (1, 1, 1)
    """

    @wraps(function)
    def compute(owner: Any) -> Result:
        cache = cache_of(owner)
        if function not in cache:
            cache[function] = function(owner)
        result: Result = cache[function]
        return result

    return compute
