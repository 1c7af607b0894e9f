"""Metrics side by side with what a user would pick instead; read the ratios, not the seconds.

``python benchmarks/metrics.py`` compares each metric with networkx, igraph and scikit-network, where they have it, on a
784×300 mask at 10 %; ``--rows large`` sets the group "fast" against the spectrum alone on a 4096×11008 mask at 10 %,
with igraph as a peer; ``--rows many`` measures 10,000 small masks, beside LAPACK and networkx on some of them, and
compares one with 1,000 null graphs; ``--rows all`` does all;
``--against CHECKOUT`` measures a thousand of these masks in turn with another checkout that has the group "fast". Peers
that are not installed are left out. Times are processor time, the best of some repeats, on one core. Ours begin with
the mask each time; a peer is given a graph in its own form, already made. Compiled kernels are loaded before.

Mark: "differs" where a peer's value is another than ours, as that of a partition found by chance may be.
"""

# ruff: noqa: E402 (the number of threads is set before NumPy is imported)

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkouts import Checkout
from timing import best, fresh, use_one_core

use_one_core()

import numpy as np
import numpy.typing as npt

import topograph as tg
from topograph.metrics.registry import select_metrics

if TYPE_CHECKING:
    import pandas as pd

Peer = Callable[[Any], float]


def nx_louvain(graph: Any) -> float:
    import networkx as nx

    return float(nx.community.modularity(graph, nx.community.louvain_communities(graph, seed=0)))


def nx_butterflies(graph: Any) -> float:
    """What a user of networkx writes: it has no count of its own."""
    left = [node for node, side in graph.nodes(data="bipartite") if side == 0]
    neighbours = {node: set(graph[node]) for node in left}
    shared = (len(neighbours[a] & neighbours[b]) for i, a in enumerate(left) for b in left[i + 1 :])
    return float(sum(count * (count - 1) // 2 for count in shared))


def networkx_peers() -> dict[str, Peer]:
    import networkx as nx
    from networkx.algorithms import bipartite

    return {
        "degree_assortativity": nx.degree_pearson_correlation_coefficient,
        "n_components": nx.number_connected_components,
        "diameter": nx.diameter,
        "mean_path_length": nx.average_shortest_path_length,
        "n_butterflies": nx_butterflies,
        "clustering_robins_alexander": bipartite.robins_alexander_clustering,
        "clustering_latapy": bipartite.average_clustering,
        "core_number": lambda graph: max(nx.core_number(graph).values()),
        "n_bridges": lambda graph: sum(1 for _ in nx.bridges(graph)),
        "n_cut_nodes": lambda graph: sum(1 for _ in nx.articulation_points(graph)),
        "modularity": nx_louvain,
    }


def igraph_peers() -> dict[str, Peer]:
    return {
        "degree_assortativity": lambda graph: graph.assortativity_degree(directed=False),
        "n_components": lambda graph: len(graph.connected_components()),
        "diameter": lambda graph: graph.diameter(),
        "mean_path_length": lambda graph: graph.average_path_length(),
        "core_number": lambda graph: max(graph.coreness()),
        "n_bridges": lambda graph: len(graph.bridges()),
        "n_cut_nodes": lambda graph: len(graph.articulation_points()),
        "modularity": lambda graph: graph.community_multilevel().modularity,
    }


def sknetwork_peers() -> dict[str, Peer]:
    from sknetwork.clustering import Louvain, get_modularity
    from sknetwork.path import get_distances
    from sknetwork.topology import get_connected_components, get_core_decomposition

    def distances(matrix: Any) -> Any:
        return np.array([get_distances(matrix, source=source) for source in range(matrix.shape[0])])

    def louvain(matrix: Any) -> float:
        return float(get_modularity(matrix, Louvain(random_state=0).fit_predict(matrix)))

    return {
        "n_components": lambda matrix: len(set(get_connected_components(matrix).tolist())),
        "diameter": lambda matrix: distances(matrix).max(),
        "mean_path_length": lambda matrix: distances(matrix).sum() / (matrix.shape[0] * (matrix.shape[0] - 1)),
        "core_number": lambda matrix: get_core_decomposition(matrix).max(),
        "modularity": louvain,
    }


def symmetric(graph: tg.BipartiteGraph) -> Any:
    import scipy.sparse as sp

    return sp.csr_matrix(sp.bmat([[None, graph.biadjacency], [graph.biadjacency.T, None]]).astype(bool))


PEERS: dict[str, tuple[Callable[[], dict[str, Peer]], Callable[[tg.BipartiteGraph], Any]]] = {
    "networkx": (networkx_peers, lambda graph: graph.to_networkx()),
    "igraph": (igraph_peers, lambda graph: graph.to_igraph()),
    "scikit-network": (sknetwork_peers, symmetric),
}


def against_peers(
    graph: tg.BipartiteGraph, names: tuple[str, ...], repeats: int, leave_out: tuple[str, ...] = ()
) -> None:
    """One line a metric: our time, and how many times as long each peer takes."""
    tables, forms = {}, {}
    for name in names:
        try:
            tables[name], forms[name] = PEERS[name][0](), PEERS[name][1](graph)
        except ModuleNotFoundError:
            print(f"{name} is not installed")
    print(f"{'metric':30s} {'topograph':>12s}  " + "  ".join(f"{name:>22s}" for name in tables))
    for metric in select_metrics("all"):
        if metric.name in leave_out or not any(metric.name in table for table in tables.values()):
            continue
        metric.compute(graph)
        seconds, ours = best(lambda metric=metric: metric.compute(fresh(graph)), repeats)
        cells = []
        for name, table in tables.items():
            if metric.name not in table:
                cells.append(f"{'–':>22s}")
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                peer, value = best(lambda call=table[metric.name], form=forms[name]: call(form), 1)
            mark = "" if math.isclose(value, ours.value, rel_tol=1e-6) else " differs"
            cells.append(f"{peer:9.4f} s {peer / seconds:7.1f} ×{mark}".rjust(22))
        print(f"{metric.name:30s} {seconds * 1e3:9.3f} ms  " + "  ".join(cells))


def quick() -> None:
    graph = tg.construct("random_edge", 784, 300, density=0.1, seed=0)
    print(f"\n784×300 at 10 %, {graph.n_edges:,} edges")
    against_peers(graph, ("networkx", "igraph", "scikit-network"), 3)


def large() -> None:
    graph = tg.construct("random_edge", 4096, 11008, density=0.1, seed=0)
    print(f"\n4096×11008 at 10 %, {graph.n_edges:,} edges")
    fresh(graph).spectrum()
    spectrum, _ = best(lambda: fresh(graph).spectrum(), 3)
    fast, table = best(lambda: tg.measure(fresh(graph), "fast", workers=1), 3)
    print(f"spectrum alone {spectrum:.2f} s; group 'fast', {table.shape[1] - 1} metrics, {fast:.2f} s")
    print(f"fast / spectrum = {fast / spectrum:.2f}")
    warm = fresh(graph)
    warm.spectrum()
    for metric in select_metrics("all"):
        if metric.needs == "graph" and not metric.fast:
            seconds, value = best(lambda metric=metric: metric.compute(warm), 1)
            print(f"  {metric.name:30s} {seconds:8.2f} s   {value.value:.6g} ∓ {value.residual:.2g}")
    # distances between all pairs take igraph minutes here
    against_peers(graph, ("igraph",), 1, leave_out=("diameter", "mean_path_length"))


def many_masks(kind: str, count: int) -> list[npt.NDArray[np.bool_]]:
    """Small masks of one shape: regular, irregular, or with inputs that have no edge."""
    if kind == "784×10, a seventh of the inputs isolated":
        rng = np.random.default_rng(0)
        masks = [tg.construct("random_regular", 784, 10, degree=3, seed=seed).to_mask() for seed in range(count)]
        for mask in masks:
            mask[rng.random(784) < 1 / 7] = False
        return masks
    if kind == "300×10, 10 to 30 % of the edges":
        rng = np.random.default_rng(0)
        return [rng.random((300, 10)) < share for share in rng.uniform(0.1, 0.3, size=count)]
    name = "random_regular" if kind == "300×10, regular" else "random_edge"
    return [tg.construct(name, 300, 10, degree=3, seed=seed).to_mask() for seed in range(count)]


KINDS = (
    "300×10, regular",
    "300×10, irregular",
    "300×10, 10 to 30 % of the edges",
    "784×10, a seventh of the inputs isolated",
)


def measure_many(masks: Sequence[npt.NDArray[np.bool_]]) -> tuple[float, pd.DataFrame]:
    graphs = {str(number): tg.BipartiteGraph.from_mask(mask) for number, mask in enumerate(masks)}
    return best(lambda: tg.measure({k: fresh(graph) for k, graph in graphs.items()}, "fast", workers=1), 1)


def lapack(mask: npt.NDArray[np.bool_]) -> float:
    """What a user of NumPy writes for the spectra alone: the whole Laplacian, B, and the normalised B."""
    b = mask.astype(float)
    left, right = b.sum(axis=1), b.sum(axis=0)
    eigenvalues = np.linalg.eigvalsh(np.block([[np.diag(left), -b], [-b.T, np.diag(right)]]))
    np.linalg.svd(b, compute_uv=False)
    scaled = b / np.sqrt(np.maximum(left, 1))[:, None] / np.sqrt(np.maximum(right, 1))
    np.linalg.svd(scaled, compute_uv=False)
    return float(eigenvalues[1])


def networkx_spectra(graph: Any) -> float:
    """What a user of networkx writes for six of the metrics: gaps, largest eigenvalues, components, assortativity."""
    import networkx as nx

    graph = graph.subgraph([node for node, degree in graph.degree() if degree])
    nx.normalized_laplacian_spectrum(graph)
    nx.number_connected_components(graph)
    nx.degree_pearson_correlation_coefficient(graph)
    return float(nx.laplacian_spectrum(graph)[1])


def many_nulls(draws: int = 1_000) -> None:
    """A mask with its null graphs, which are measured as many masks are."""
    graph = tg.construct("random_edge", 300, 10, degree=3, seed=0)
    for null in ("rewired", "layerwise"):
        tg.compare_with_null(fresh(graph), "fast", null=null, draws=2, workers=1)
        seconds, _ = best(
            lambda null=null: tg.compare_with_null(fresh(graph), "fast", null=null, draws=draws, workers=1), 2
        )
        print(f"{draws:,} null graphs of one 300×10 mask, {null}: {seconds:.2f} s")


def many(count: int = 10_000) -> None:
    for kind in KINDS:
        masks = many_masks(kind, count)
        measure_many(masks[:2])
        seconds, table = measure_many(masks)
        peer = best(lambda masks=masks: [lapack(mask) for mask in masks[:20]], 3)[0] / 20 * count
        graphs = [tg.BipartiteGraph.from_mask(mask).to_networkx() for mask in masks[:5]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a correlation that does not exist
            nx_peer = best(lambda graphs=graphs: [networkx_spectra(g) for g in graphs], 2)[0] / 5 * count
        print(
            f"\n{count:,} masks, {kind}: {table.shape[1] - 1} metrics each in {seconds:.1f} s; LAPACK on each, for the "
            f"spectra alone, {peer:.1f} s, {peer / seconds:.1f} ×; networkx, for six metrics, {nx_peer:.0f} s, "
            f"{nx_peer / seconds:.0f} ×",
            flush=True,
        )
    many_nulls()


def serve() -> None:
    """Measure the masks in the file that each line of the input names; seconds and a digest go to the output."""
    for line in sys.stdin:
        (file,) = json.loads(line)
        seconds, table = measure_many(list(np.load(file)))
        digest = hashlib.sha256(table.to_csv().encode()).hexdigest()
        print(json.dumps([seconds, digest]), flush=True)


def against(path: Path, count: int = 1_000, rounds: int = 4) -> None:
    """The rows of `many` with this checkout and the one at ``path``, each in a process of its own, in turn."""
    checkouts = [Checkout(__file__, Path(__file__).resolve().parents[1]), Checkout(__file__, path)]
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            file = Path(folder, "masks.npy")
            np.save(file, np.stack(many_masks(kind, count)))
            times: dict[int, list[float]] = {0: [], 1: []}
            digests: dict[int, str] = {}
            for number in range(rounds + 1):
                for which in (0, 1) if number % 2 else (1, 0):
                    seconds, digests[which] = checkouts[which].ask(str(file))
                    times[which].append(seconds)
            ours, theirs = (min(times[which][1:]) for which in (0, 1))  # the first call loads what is compiled
            words = "the same bits" if digests[0] == digests[1] else "other values"
            print(f"{count:,} masks, {kind:42s} {ours:8.3f} s, {ours / theirs:.3f} ×   {words}", flush=True)
    for checkout in checkouts:
        checkout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="quick", choices=["quick", "large", "many", "all"])
    parser.add_argument("--against", type=Path, help="another checkout to compare the rows 'many' with")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    if options.against:
        against(options.against.resolve())
        return
    for name, run in (("quick", quick), ("large", large), ("many", many)):
        if options.rows in (name, "all"):
            run()


if __name__ == "__main__":
    main()
