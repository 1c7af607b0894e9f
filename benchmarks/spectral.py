"""Spectra side by side with what a user would pick instead; read the ratios, not the seconds.

``python benchmarks/spectral.py`` runs the rows that take seconds, ``--rows slow`` those that take minutes, ``--rows
all`` both, and ``--rows huge`` the one of 10⁸ edges; ``--only 4096`` those with this in their name. Everything runs on
one core, in one process. Peers that are not installed are left out. Times are processor time, the best of some repeats,
ours and theirs in turn. Everybody has the tolerance that a call without options gives: eigsh rounding, networkx 10⁻⁸ on
the residual relative to ‖L‖, ours an interval of 10⁻⁸ of λ2. SciPy is given the Laplacian, networkx a graph of its own;
ours begins with the mask, and includes the search for components. ``from the mask`` adds what networkx' graph takes to
build: what a user waits for. ``solver alone`` is networkx' eigensolver on a Laplacian that is already there. The first
call, which compiles or loads the kernels, is reported apart.

``--against CHECKOUT`` compares this checkout with another one instead of with peers: each in a process of its own, in
turn, many times; it prints the ratio of the least processor times, and whether the values are equal to the bit.

Marks: "wrong" where a peer's value differs from ours by more than 10⁻⁶ of it, "lost" where it raised an error.
"""

# ruff: noqa: D101, D102, E402 (the number of threads is set before NumPy is imported)

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from checkouts import Checkout
from timing import best, fresh, use_one_core

use_one_core()

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.sparse import linalg

import topograph as tg
from topograph.spectral import compute_spectrum

FIVE = ("algebraic_connectivity", "laplacian_max", "sigma1", "sigma2", "normalized_gap")


@dataclass(frozen=True)
class Problem:
    """What a peer is given: the Laplacian, and the graph in networkx' own form with the seconds that this took."""

    matrix: sp.csr_array
    network: object
    building: float

    @classmethod
    def of(cls, graph: tg.BipartiteGraph) -> Problem:
        start = time.process_time()
        network = graph.to_networkx()
        return cls(laplacian(graph), network, time.process_time() - start)


Peer = Callable[[Problem], float]


def laplacian(graph: tg.BipartiteGraph) -> sp.csr_array:
    b = graph.biadjacency.astype(float)
    left, right = sp.diags_array(graph.left_degrees.astype(float)), sp.diags_array(graph.right_degrees.astype(float))
    return sp.csr_array(sp.block_array([[left, -b], [-b.T, right]]))


def networkx_method(method: str) -> Peer:
    def solve(problem: Problem) -> float:
        import networkx as nx

        return float(nx.algebraic_connectivity(problem.network, method=method, seed=0))

    return solve


def networkx_solver(method: str) -> Peer:
    def solve(problem: Problem) -> float:
        from networkx.linalg.algebraicconnectivity import _get_fiedler_func

        matrix = problem.matrix.tocsc() if "lu" in method else problem.matrix
        return float(_get_fiedler_func(method)(matrix, None, False, 1e-8, np.random.RandomState(0))[0])

    return solve


def eigsh(problem: Problem) -> float:
    matrix = problem.matrix
    return float(np.sort(linalg.eigsh(matrix, k=2, which="SA", return_eigenvectors=False))[1])


def dense(problem: Problem) -> float:
    matrix = problem.matrix
    return float(scipy.linalg.eigvalsh(matrix.toarray())[1])


def primme(problem: Problem) -> float:
    matrix = problem.matrix
    import primme as package

    inverse = linalg.LinearOperator(matrix.shape, matvec=lambda x: (x.T / matrix.diagonal()).T)
    return float(np.sort(package.eigsh(matrix, k=2, which="SA", OPinv=inverse, tol=1e-9, return_eigenvectors=False))[1])


def slepc(problem: Problem) -> float:
    matrix = problem.matrix
    from petsc4py import PETSc
    from slepc4py import SLEPc

    size = matrix.shape[0]
    operator = PETSc.Mat().createAIJ(size=matrix.shape, csr=(matrix.indptr, matrix.indices, matrix.data))
    solver = SLEPc.EPS().create()
    solver.setOperators(operator)
    solver.setProblemType(SLEPc.EPS.ProblemType.HEP)
    solver.setWhichEigenpairs(SLEPc.EPS.Which.SMALLEST_REAL)
    null = operator.createVecRight()
    null.set(size**-0.5)
    solver.setDeflationSpace([null])
    solver.setDimensions(1)
    solver.setTolerances(1e-9)
    solver.solve()
    return float(solver.getEigenvalue(0).real)


PEERS: dict[str, Peer] = {
    "networkx lanczos": networkx_method("lanczos"),
    "networkx tracemin_lu": networkx_method("tracemin_lu"),
    "networkx tracemin_pcg": networkx_method("tracemin_pcg"),
    "networkx lanczos, solver alone": networkx_solver("lanczos"),
    "networkx tracemin_lu, solver alone": networkx_solver("tracemin_lu"),
    "scipy eigsh SA": eigsh,
    "dense eigvalsh": dense,
    "primme": primme,
    "slepc": slepc,
}


@dataclass(frozen=True)
class Row:
    name: str
    make: Callable[[], tg.BipartiteGraph]
    peers: tuple[str, ...]
    repeats: int = 5
    slow: bool = False
    optional: tuple[str, ...] = field(default=("primme", "slepc"))


ROWS = (
    Row(
        "784×300, 30 a row",
        lambda: tg.construct("random_regular", 784, 300, degree=30, seed=0),
        ("networkx lanczos", "networkx tracemin_lu", "scipy eigsh SA", "dense eigvalsh"),
    ),
    Row(
        "784×300 rotating, k=15",
        lambda: tg.construct("regular_rotating", 784, 300, degree=15, seed=0),
        ("networkx lanczos", "networkx tracemin_lu", "scipy eigsh SA", "dense eigvalsh"),
    ),
    Row(
        "784×10, 3 a row",
        lambda: tg.construct("random_regular", 784, 10, degree=3, seed=0),
        ("networkx lanczos", "networkx tracemin_pcg", "networkx tracemin_lu", "scipy eigsh SA"),
    ),
    Row(
        "4096², 5 %",
        lambda: tg.construct("random_edge", 4096, 4096, degree=0.05 * 4096, seed=0),
        ("networkx lanczos", "scipy eigsh SA"),
    ),
    Row(
        "16384² band, k=64",
        lambda: tg.construct("regular_rotating", 16384, 16384, degree=64, seed=0),
        ("networkx tracemin_lu", "networkx tracemin_lu, solver alone"),
        slow=True,
    ),
    Row(
        "50000², 16 a row",
        lambda: tg.construct("random_regular", 50000, 50000, degree=16, seed=0),
        ("networkx lanczos", "scipy eigsh SA"),
        repeats=3,
        slow=True,
    ),
    Row(
        "4096×11008, 10 %",
        lambda: tg.construct("random_edge", 4096, 11008, degree=0.1 * 11008, seed=0),
        ("networkx lanczos", "networkx lanczos, solver alone", "scipy eigsh SA"),
        repeats=2,
        slow=True,
    ),
    Row(
        "4096×11008, 50 %",
        lambda: tg.construct("random_edge", 4096, 11008, degree=0.5 * 11008, seed=0),
        ("scipy eigsh SA",),
        repeats=2,
        slow=True,
    ),
)


def ours_best(graph: tg.BipartiteGraph, quantities: tuple[str, ...], repeats: int) -> float:
    copies = [fresh(graph) for _ in range(repeats)]
    return best(lambda: compute_spectrum(copies.pop(), quantities=quantities), repeats)[0]


def run_row(row: Row) -> None:
    graph = row.make()
    first, ours = best(lambda: compute_spectrum(fresh(graph), quantities=FIVE), 1)
    compute_spectrum(fresh(graph), quantities=FIVE[:1])
    estimate = ours["algebraic_connectivity"]  # type: ignore[index]
    problem = Problem.of(graph)
    seconds, all_five = math.inf, math.inf
    lines: list[tuple[str, float, str]] = []
    for name in row.peers + row.optional:
        peer, value, note = math.inf, math.nan, ""
        try:
            for _ in range(1 if row.slow else min(row.repeats, 3)):
                seconds = min(seconds, ours_best(graph, FIVE[:1], row.repeats))
                all_five = min(all_five, ours_best(graph, FIVE, row.repeats))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    once, value = best(lambda solve=PEERS[name]: solve(problem), 1)  # type: ignore[assignment]
                peer = min(peer, once)
        except ModuleNotFoundError:
            continue
        except Exception as error:  # a peer may fail in any way of its own
            lines.append((name, math.nan, f"lost {type(error).__name__}"))
            continue
        if abs(float(value) - estimate.value) > 1e-6 * abs(estimate.value):
            note = f"wrong: {value:.6g}"
        lines.append((name, peer, note))
        if name in ("networkx lanczos", "networkx tracemin_lu", "networkx tracemin_pcg"):
            lines.append((f"{name}, from the mask", peer + problem.building, note))
    print(f"\n{row.name}: {graph.n_edges:,} edges, λ2 = {estimate.value:.10g}")
    print(f"  {'topograph, λ2':38s} {seconds:10.5f} s   by {estimate.method}, {estimate.steps} products")
    print(
        f"  {'topograph, all five':38s} {all_five:10.5f} s   {all_five / seconds:.2f} × λ2   (first call {first:.2f} s)"
    )
    for name, peer, note in lines:
        print(f"  {name:38s} {peer:10.5f} s   {peer / seconds:8.1f} ×   {note}")


def run_batch() -> None:
    """A classifier's layer, 784×10, for k = 1 … 10."""
    from topograph.spectral import compute_spectra

    graphs = [tg.construct("random_regular", 784, 10, degree=k, seed=0) for k in range(1, 11)]
    many = [[fresh(graph) for graph in graphs * 10] for _ in range(6)]
    compute_spectra(many.pop(), quantities=FIVE)
    seconds, _ = best(lambda: compute_spectra(many.pop(), quantities=FIVE), 5)
    each = seconds / (10 * len(graphs))
    print(f"\n784×10, k = 1 … 10, ten of each, batched: {each * 1e6:.0f} µs a graph for all five")
    true = [spectrum["algebraic_connectivity"].value for spectrum in compute_spectra(graphs, quantities=FIVE)]
    problems = [Problem.of(graph) for graph in graphs]
    for name in ("networkx tracemin_pcg", "networkx tracemin_lu", "networkx lanczos", "scipy eigsh SA"):
        times, notes = [], []
        for k, problem in enumerate(problems, start=1):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    peer, value = best(lambda solve=PEERS[name], given=problem: solve(given), 3)
            except Exception as error:  # a peer may fail in any way of its own
                notes.append(f"lost at k = {k}: {type(error).__name__}")
                continue
            times.append(peer)
            if abs(float(value) - true[k - 1]) > 1e-6 * max(true[k - 1], 1e-6):  # type: ignore[arg-type]
                notes.append(f"wrong at k = {k}")
        mean = float(np.mean(times))
        print(f"  {name:26s} {mean:10.5f} s   {mean / each:8.1f} ×   (λ2 alone, mean of k) {', '.join(notes)}")


def run_huge() -> None:
    """10⁸ edges: products and memory, on all cores."""
    import resource

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    n, k = 100_000, 1000
    rng = np.random.default_rng(0)
    indices = np.empty(n * k, dtype=np.int32)
    for i in range(n):
        row = rng.choice(n, size=k, replace=False, shuffle=False)
        row.sort()
        indices[i * k : (i + 1) * k] = row
    indices.flags.writeable = False  # a graph copies what others could write to
    graph = tg.BipartiteGraph(n, n, np.arange(0, n * k + 1, k, dtype=np.int32), indices)
    del indices
    print(f"\n100000², 1000 a row: {graph.n_edges:,} edges, {_peak(resource):.2f} GB before")
    for tolerance in (1e-4, 1e-6, 1e-8):
        start = time.perf_counter()
        spectrum = compute_spectrum(graph, quantities=["algebraic_connectivity"], tolerance=tolerance, on_failure="nan")
        found = spectrum["algebraic_connectivity"]
        print(
            f"  tolerance {tolerance:g}: λ2 = {found.value:.10g} ∓ {found.width:.1e}, {found.steps} products, "
            f"{time.perf_counter() - start:.1f} s, peak {_peak(resource):.2f} GB"
        )


def serve() -> None:
    """Measure the mask in the file that each line of the input names; seconds and values go to the output."""
    for line in sys.stdin:
        path, repeats = json.loads(line)
        mask = np.load(path)
        graph = tg.BipartiteGraph(*mask["shape"].tolist(), mask["indptr"], mask["indices"])
        found = compute_spectrum(fresh(graph), quantities=FIVE)
        values = {name: (found[name].value, found[name].steps) for name in FIVE}
        alone = compute_spectrum(fresh(graph), quantities=FIVE[:1])[FIVE[0]]
        values["algebraic_connectivity alone"] = alone.value, alone.steps
        seconds = ours_best(graph, FIVE[:1], repeats), ours_best(graph, FIVE, repeats)
        print(json.dumps([seconds, values]), flush=True)


def run_against(path: Path, rows: list[Row], rounds: int, folder: Path) -> None:
    """The same rows with this checkout and with the one at ``path``; the masks go through ``folder``."""
    ours, theirs = Checkout(__file__, Path(__file__).resolve().parents[1]), Checkout(__file__, path)
    for row in rows:
        graph = row.make()
        mask = folder / "mask.npz"
        np.savez(mask, shape=graph.shape, indptr=graph.indptr, indices=graph.indices)
        times: dict[Checkout, list[list[float]]] = {ours: [], theirs: []}
        for number in range(rounds):
            for checkout in (ours, theirs) if number % 2 else (theirs, ours):
                seconds, values = checkout.ask(str(mask), 2 if row.slow else 2 * row.repeats)
                times[checkout].append(seconds)
                if checkout is ours:
                    here = values
                else:
                    there = values
        (alone, five), (other_alone, other_five) = (np.min(times[checkout], axis=0) for checkout in (ours, theirs))
        changed = [f"{name} {there[name]} → {here[name]}" for name in here if here[name] != there[name]]
        print(
            f"{row.name:26s} λ2 {alone:9.5f} s, {alone / other_alone:.3f} ×   "
            f"all five {five:9.5f} s, {five / other_five:.3f} ×   {'; '.join(changed) or 'the same bits'}"
        )
    for checkout in (ours, theirs):
        checkout.close()


def _peak(resource: object) -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # type: ignore[attr-defined, no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="quick", choices=["quick", "all", "slow", "huge", "batch"])
    parser.add_argument("--only", default="", help="part of the name of a row")
    parser.add_argument("--against", type=Path, help="another checkout to compare this one with")
    parser.add_argument("--rounds", type=int, default=10, help="of a comparison with another checkout")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    if options.against:
        slow = {"quick": {False}, "slow": {True}}.get(options.rows, {False, True})
        rows = [row for row in ROWS if options.only in row.name and (row.slow in slow or options.only)]
        with tempfile.TemporaryDirectory() as folder:
            run_against(options.against.resolve(), rows, options.rounds, Path(folder))
        return
    if options.rows == "huge":
        run_huge()
        return
    for row in ROWS:
        chosen = options.rows == "all" or row.slow == (options.rows == "slow")
        if options.only in row.name and options.rows != "batch" and (chosen or options.only):
            run_row(row)
    if options.rows != "slow" and not options.only:
        run_batch()


if __name__ == "__main__":
    main()
