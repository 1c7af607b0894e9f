"""What networkx is told about the backend when networkx is imported: names and sentences, and nothing to import."""

from __future__ import annotations

from typing import Any

_SPECTRAL = "For bipartite graphs, weighted or not; `tol` is the widest guaranteed interval, relative to the value."
_VECTOR = (
    "For bipartite graphs, weighted or not; `method` and `seed` change nothing. The first node that is not near 0 has "
    "a negative entry."
)
_PATHS = "For bipartite graphs without weights, exact: breadth-first search from 64 nodes at once."
_MOTIFS = "For bipartite graphs."

FUNCTIONS = {
    "algebraic_connectivity": _SPECTRAL,
    "fiedler_vector": _VECTOR,
    "spectral_ordering": _VECTOR,
    "spectral_bisection": _VECTOR,
    "average_shortest_path_length": _PATHS,
    "diameter": _PATHS,
    "global_efficiency": _PATHS,
    "wiener_index": _PATHS,
    "robins_alexander_clustering": _MOTIFS,
    "latapy_clustering": _MOTIFS + ' Mode "dot" only.',
    "bipartite_average_clustering": _MOTIFS + ' Mode "dot" only.',
}
"""Which functions of networkx the backend has, by networkx' names, and for which graphs."""


def get_info() -> dict[str, Any]:
    """The backend for ``networkx.backend_info``.

    Examples
    --------
    >>> "fiedler_vector" in get_info()["functions"]
    True
    """
    return {
        "backend_name": "topograph",
        "project": "topograph",
        "package": "topograph",
        "short_summary": "Spectra, clustering and distances of bipartite graphs, compiled.",
        "functions": {name: {"additional_docs": docs} for name, docs in FUNCTIONS.items()},
    }
