"""networkx with the backend ``topograph`` against networkx alone, on graphs that networkx holds; read the ratios.

``python benchmarks/networkx_backend.py`` runs everything in a minute or two, on one core, in one process; ``--only
diameter`` the functions with this in their name. Times are processor time, the best of some calls, each as a user
writes it: our calls include the conversion of the graph. The first call in a process, which loads the compiled code, is
done before. Every result is compared with networkx' own: "wrong" where one differs by more than 10⁻⁶.
"""

# ruff: noqa: E402 (the number of threads is set before NumPy is imported)

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable

from timing import best, use_one_core

use_one_core()

import networkx as nx
import numpy as np

import topograph as tg

GRAPHS = {
    "784 × 300, 30 a row": lambda: tg.construct("random_regular", 784, 300, degree=30, seed=0).to_networkx(),
    "784 × 300, 5 % of the edges": lambda: tg.construct("erdos_renyi", 784, 300, density=0.05, seed=0).to_networkx(),
    "grid 40 × 40": lambda: nx.convert_node_labels_to_integers(nx.grid_2d_graph(40, 40)),
    "30 × 20, 5 a row": lambda: tg.construct("random_regular", 30, 20, degree=5, seed=0).to_networkx(),
}
FUNCTIONS: dict[str, Callable] = {
    "algebraic_connectivity": nx.algebraic_connectivity,
    "algebraic_connectivity, tracemin_lu": lambda graph, **how: nx.algebraic_connectivity(
        graph, method="tracemin_lu", **how
    ),
    "fiedler_vector, tracemin_lu": lambda graph, **how: nx.fiedler_vector(graph, method="tracemin_lu", **how),
    "average_shortest_path_length": nx.average_shortest_path_length,
    "diameter": nx.diameter,
    "global_efficiency": nx.global_efficiency,
    "robins_alexander_clustering": nx.bipartite.robins_alexander_clustering,
    "latapy_clustering": nx.bipartite.latapy_clustering,
}
_SLOW = {("784 × 300, 30 a row", "algebraic_connectivity")}  # tracemin_pcg takes minutes here


def once(call: Callable[[], object], repeats: int) -> tuple[float, object]:
    """The best of some calls; of one where it takes more than a second."""
    start = time.process_time()
    result = call()
    taken = time.process_time() - start
    return (taken, result) if taken > 1 else min((taken, result), best(call, repeats), key=lambda pair: pair[0])


def difference(ours: object, theirs: object, graph: nx.Graph) -> float:
    """Largest difference, relative; of vectors, how far their Rayleigh quotients are apart."""
    if isinstance(ours, dict):
        return max(abs(ours[node] - theirs[node]) for node in theirs)
    if isinstance(ours, np.ndarray):
        matrix = nx.laplacian_matrix(graph, weight=None)
        one, other = (float(x @ (matrix @ x)) / float(x @ x) for x in (ours, theirs))
        return abs(one - other) / other
    return abs(ours - theirs) / max(abs(theirs), 1e-300)


def compare(graph: nx.Graph, call: Callable, label: str) -> None:
    """One row: networkx, with the backend."""
    theirs_time, theirs = once(lambda: call(graph, backend="networkx"), 3)

    def converted_anew() -> object:
        graph.__networkx_cache__.clear()
        return call(graph, backend="topograph")

    converted_anew()
    ours_time, ours = once(converted_anew, 7)
    wrong = "" if difference(ours, theirs, graph) < 1e-6 else f"   wrong: {ours} and {theirs}"
    print(
        f"  {label:37s}{theirs_time:9.4f} s {ours_time:9.4f} s {theirs_time / ours_time:8.1f} ×{wrong}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="functions with this in their name")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # networkx warns where a kept conversion is used
    print(f"$ python benchmarks/{' '.join([sys.argv[0].rsplit('/', 1)[-1], *sys.argv[1:]])}")
    print(f"# networkx {nx.__version__}, NumPy {np.__version__}; one core, processor time\n")
    for name, make in GRAPHS.items():
        graph = make()
        print(f"{name}: {graph.number_of_edges():,} edges")
        print(f"  {'':37s}{'networkx':>11s} {'topograph':>11s} {'ratio':>10s}")
        for label, call in FUNCTIONS.items():
            if options.only in label and (name, label) not in _SLOW:
                compare(graph, call, label)
        print()


if __name__ == "__main__":
    main()
