"""Constructions side by side with the generators of networkx and igraph, and alone at ten million edges.

Run ``python benchmarks/constructions.py``; it prints ratios (theirs / ours) of processor time: the speed of the machine
drops out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable

import igraph
import networkx as nx
import numpy as np
from networkx.algorithms import bipartite
from timing import best

import topograph as tg

LARGE: list[tuple[str, int, int, dict[str, object]]] = [
    ("random_edge", 100_000, 50_000, {"degree": 100}),
    ("random_regular", 100_000, 50_000, {"degree": 100}),
    ("fibonacci_rotating", 100_000, 50_000, {"edges": 10_000_000}),
    ("erdos_renyi", 100_000, 50_000, {"edges": 10_000_000}),
    ("biregular_random", 100_000, 50_000, {"degree": 100}),
    ("biregular_random", 6_000, 4_000, {"degree": 1_700}),
    ("ramanujan", 44_521, 44_521, {}),
    ("xnet_random", 100_000, 50_000, {"degree": 100}),
    ("xnet_cayley", 357_840, 357_840, {"degree": 28}),
    ("radix_net", 100_000, 50_000, {"degree": 100}),
    ("butterfly", 1_048_576, 1_048_576, {"degree": 8}),
    ("block_diagonal", 100_000, 50_000, {"degree": 100}),
    ("stochastic_block", 100_000, 50_000, {"degree": 100}),
    ("watts_strogatz", 100_000, 50_000, {"degree": 100}),
    ("barabasi_albert", 100_000, 50_000, {"degree": 100}),
    ("sobol", 100_000, 50_000, {"degree": 100}),
    ("n_m_structured", 8_192, 2_400, {}),
    ("local_windows", 160_000, 40_000, {"window": 16}),
]

CHILD = """
import sys, time, topograph as tg
def peak():  # of this process alone; resource.getrusage would count its parent's
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        return float("nan")
name, n, m, options = eval(sys.argv[1])
if name in ("biregular_random", "barabasi_albert"):
    tg.construct(name, 40, 20, degree=3)  # the compiled loops are loaded once a process
before, start = peak(), time.perf_counter()
graph = tg.construct(name, n, m, **options)
seconds, after = time.perf_counter() - start, peak()
print(graph.n_edges, seconds, 1024 * (after - before) / graph.n_edges)
"""


def rivals(n: int, m: int, k: int) -> list[tuple[str, Callable[[], object], str, Callable[[], object]]]:
    left = [k] * n
    right = np.bincount(np.arange(n * k) % m, minlength=m).tolist()
    return [
        ("random_edge", lambda: tg.construct("random_edge", n, m, degree=k), "networkx bipartite.random_graph",
         lambda: bipartite.random_graph(n, m, k / m, seed=0)),
        ("random_edge", lambda: tg.construct("random_edge", n, m, degree=k), "igraph Random_Bipartite(p=)",
         lambda: igraph.Graph.Random_Bipartite(n, m, p=k / m)),
        ("erdos_renyi", lambda: tg.construct("erdos_renyi", n, m, degree=k), "networkx bipartite.gnmk_random_graph",
         lambda: bipartite.gnmk_random_graph(n, m, n * k, seed=0)),
        ("erdos_renyi", lambda: tg.construct("erdos_renyi", n, m, degree=k), "igraph Random_Bipartite(m=)",
         lambda: igraph.Graph.Random_Bipartite(n, m, m=n * k)),
        ("biregular_random", lambda: tg.construct("biregular_random", n, m, degree=k),
         "networkx bipartite.configuration_model (multigraph)",
         lambda: bipartite.configuration_model(left, right, seed=0)),
        ("barabasi_albert", lambda: tg.construct("barabasi_albert", n, m, degree=2),
         "networkx bipartite.preferential_attachment_graph, degree 2",
         lambda: bipartite.preferential_attachment_graph([2] * n, 0.1, seed=0)),
        ("dense", lambda: tg.construct("dense", n, m), "networkx complete_bipartite_graph",
         lambda: nx.complete_bipartite_graph(n, m)),
        ("dense", lambda: tg.construct("dense", n, m), "igraph Full_Bipartite",
         lambda: igraph.Graph.Full_Bipartite(n, m)),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the ten million edges")
    quick = parser.parse_args().quick
    for n, m, k in ((784, 300, 30), (4096, 2048, 60)):
        print(f"\n{n} × {m}, degree {k}: ours in ms, and how many times longer the other takes", flush=True)
        for name, ours, other, theirs in rivals(n, m, k):
            if name in ("dense", "barabasi_albert") and n > 1000:  # networkx takes minutes there
                continue
            seconds, _ = best(ours, 4)
            print(f"  {name:18} {1e3 * seconds:8.2f} ms   {best(theirs, 2)[0] / seconds:8.1f} × {other}", flush=True)
    if quick:
        return
    print("\nten million edges, each in a process of its own", flush=True)
    for case in LARGE:
        out = subprocess.run([sys.executable, "-c", CHILD, repr(case)], capture_output=True, text=True, check=True)
        edges, seconds, memory = map(float, out.stdout.split())
        print(f"  {case[0]:18} {int(edges):10d} edges {seconds:6.2f} s   peak {memory:4.0f} bytes an edge", flush=True)


if __name__ == "__main__":
    main()
