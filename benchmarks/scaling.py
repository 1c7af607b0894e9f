"""Large layers: kernels against the peak, cost against edges, two cores, SparseProp, a million neurons.

    python benchmarks/scaling.py [kernels] [steps] [edges] [team] [spectra] [sparseprop] [million]

Without a name, the first three. One core, and seconds of the processor, the best of several; for ``team``, ``spectra``
and ``sparseprop`` two cores that nobody else uses, and seconds on the clock. The last needs torch and sparseprop.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numba
import numpy as np
from threadpoolctl import threadpool_limits
from timing import best

import topograph as tg
from topograph.spectral import compute_spectrum
from topograph.tiles import LANES
from trainers import TrainingConfig
from trainers.numpy_sparse.edges import backward, forward
from trainers.numpy_sparse.flat import Rule
from trainers.numpy_sparse.network import SparseNetwork
from trainers.numpy_sparse.samples import gather_samples

RULE = Rule(False, True, True, np.float32(0.01), np.float32(0.9), 0.999, np.float32(1e-8), np.float32(0))
WIDE, BATCH = 4096, 128


def network(sizes, density, batch=BATCH):
    """A network on one thread, its arrays filled with numbers."""
    topology = tg.Topology.build("random_regular", sizes, densities=density, seed=0)
    result = SparseNetwork(topology, TrainingConfig(batch_size=batch), threads=1)
    rng = np.random.default_rng(0)
    result.work.values[:] = rng.random(result.work.values.shape)
    result.work.deltas[:] = rng.random(result.work.deltas.shape) * 1e-3
    return result


def gemm(n, m, samples):
    """GFLOP/s of a dense product n × m by m × samples."""
    rng = np.random.default_rng(0)
    a, b = rng.random((n, m), dtype=np.float32), rng.random((m, samples), dtype=np.float32)
    out = np.empty((n, samples), np.float32)
    return 2e-9 * n * m * samples / best(lambda: np.matmul(a, b, out=out), 16)[0]


# the kernels are parts of compiled functions, and cannot be called from Python
@numba.njit
def repeat_forward(times, flat, layer, state, values, active, inputs):
    """The forward product, some times."""
    for _ in range(times):
        forward(flat, layer, state, values, active, inputs)


@numba.njit
def repeat_backward(times, flat, layer, state, work, inputs, rule, step, update):
    """The backward product, some times."""
    for _ in range(times):
        backward(flat, layer, state, work, True, inputs, 0, 1, rule, step, update)


def show_kernels():
    """The forward product, the edge gradient, and the backward product with it, per edge and sample."""
    dense = gemm(WIDE, WIDE, BATCH)
    print(f"\nkernels, one core; dense GEMM {WIDE} × {WIDE} × {BATCH}: {dense:.0f} GFLOP/s, the peak below")
    print(f"{'':26s} {'forward':>18s} {'edge gradient':>18s} {'gradient and back':>18s} {'update':>12s}")
    cases = [([784, 300, 10], 0.1), ([784, 300, 10], 0.01)]
    cases += [([WIDE, WIDE, WIDE], density) for density in (0.01, 0.02, 0.05, 0.1, 0.25)]
    for sizes, density in cases:
        rates, update = rates_of(network(sizes, density))
        cells = [f"{rate:6.1f} GF/s ({rate / dense:4.0%})" for rate in rates] + ["-"] * (3 - len(rates))
        cells.append(f"{update:.2f} ns/edge")
        print(f"{'-'.join(map(str, sizes)):>16s} at {density:5.0%}  " + " ".join(f"{cell:>18s}" for cell in cells))


def rates_of(net):
    """GFLOP/s of the first layer's forward product and edge gradient, of the second's both gradients; ns an update."""
    inputs, edges = net.topology.sizes[0], net.topology[0].n_edges
    times = max(1, 5_000_000 // edges)

    def back(layer, update):
        arguments = net.flat, layer, net.state, net.work, inputs, RULE, 1, update
        return best(lambda: repeat_backward(times, *arguments), 8)[0] / times

    arguments = net.flat, 0, net.state, net.work.values, net.work.active, inputs
    ahead = best(lambda: repeat_forward(times, *arguments), 8)[0] / times
    gradient = back(0, False)
    update = max(back(0, True) - gradient, 0) / edges * 1e9
    rates = [2e-9 * edges * LANES / ahead, 2e-9 * edges * LANES / gradient]
    if net.topology[1].n_edges == edges:
        rates.append(4e-9 * edges * LANES / back(1, False))
    return rates, update


def show_steps():
    """A whole step of a wide network against the same step with dense arrays."""
    rng = np.random.default_rng(0)
    x, labels = rng.random((BATCH, WIDE), dtype=np.float32), rng.integers(0, WIDE, BATCH)
    weights = [rng.random((WIDE, WIDE), dtype=np.float32) for _ in range(2)]
    products = np.empty((WIDE, BATCH), np.float32), np.empty((WIDE, WIDE), np.float32)
    other = np.empty_like(products[0])

    def dense_step():  # the five products of a step, and no activation, mask or update: less than any framework does
        a = x.T
        np.matmul(weights[0], a, out=products[0])
        np.matmul(weights[1], products[0], out=other)
        for _ in weights:
            np.matmul(products[0], products[0].T, out=products[1])
        np.matmul(weights[1].T, products[0], out=other)

    dense, _ = best(dense_step, 6)
    print(
        f"\na step of {WIDE}-{WIDE}-{WIDE}, batch {BATCH}, one core; the products alone of a dense one: {dense:.3f} s"
    )
    samples, order = gather_samples(x), np.arange(BATCH)
    for density in (0.01, 0.05, 0.1, 0.2, 0.25):
        net = network([WIDE, WIDE, WIDE], density)
        seconds, _ = best(lambda net=net: net.train_epoch(samples, labels, order, 0.01, rng), 4)
        print(f"{density:6.0%} {seconds:8.4f} s, {dense / seconds:5.1f}× as fast")


def show_edges():
    """Time of a step against edges, 16384-16384, and the line through it."""
    rng, side = np.random.default_rng(0), 16384
    x, labels = rng.random((LANES, side), dtype=np.float32), rng.integers(0, side, LANES)
    samples, order, edges, seconds = gather_samples(x), np.arange(LANES), [], []
    print(f"\na step of {side}-{side}, batch {LANES}, one core")
    for count in (1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8):
        net = network([side, side], count / side**2, LANES)
        edges.append(net.topology.n_edges)
        seconds.append(best(lambda net=net: net.train_epoch(samples, labels, order, 0.01, rng), 6)[0])
        print(f"{edges[-1]:12,d} edges {seconds[-1]:10.5f} s")
        del net
    # relative errors, so that the small ones count as much as the large
    design = np.stack([np.ones(len(edges)), edges], axis=1) / np.array(seconds)[:, None]
    (fixed, each), *_ = np.linalg.lstsq(design, np.ones(len(edges)), rcond=None)
    fitted = fixed + each * np.array(edges)
    worst = np.abs(fitted / seconds - 1).max()
    print(f"line: {fixed * 1e3:.2f} ms + {each * 1e9:.2f} ns an edge; farthest point {worst:.0%} from it")
    print(f"R² {np.corrcoef(edges, seconds)[0, 1] ** 2:.5f}")


def show_team():
    """Two threads on one network, against one; two networks at once say what two cores can give."""
    rng, sizes, batches = np.random.default_rng(0), [3072, WIDE, WIDE, 10], 6
    print(f"\n{'-'.join(map(str, sizes))}, milliseconds per batch, median of 15 epochs of {batches} batches in turn")
    print(f"{'':22s}{'one thread':>12s}{'a team of two':>16s}{'two networks at once':>24s}")
    for density, batch in ((0.05, 100), (0.05, 128), (0.05, 256), (0.01, 100), (0.2, 128)):
        topology = tg.Topology.build(["random_regular"] * 2 + ["dense"], sizes, densities=[density, density, 1], seed=0)
        config, order = TrainingConfig(batch_size=batch), np.arange(batches * batch)
        samples = gather_samples(rng.random((len(order), sizes[0]), dtype=np.float32))
        labels = rng.integers(0, sizes[-1], len(order))
        one, other, team = (SparseNetwork(topology, config, threads=threads) for threads in (1, 1, 2))

        def train(net, samples=samples, labels=labels, order=order):
            return net.train_epoch(samples, labels, order, 0.01, rng)

        def both(pool, pair):
            return [*pool.map(train, pair)]

        times = {"one": [], "team": [], "both": []}
        with ThreadPoolExecutor(2) as pool:
            calls = {
                "one": partial(train, one),
                "team": partial(train, team),
                "both": partial(both, pool, (one, other)),
            }
            for number in range(16):
                for name, call in calls.items():
                    started = time.perf_counter()
                    call()
                    if number:
                        times[name].append(time.perf_counter() - started)
        alone, together, apart = (np.median(times[name]) for name in calls)
        each = 1e3 / batches
        print(
            f"{density:6.0%}, batch {batch:4d}     {alone * each:10.2f}{together * each:9.2f} {alone / together:5.2f}×"
            f"{apart * each:17.2f} {2 * alone / apart:5.2f}×",
            flush=True,
        )


SPECTRA = (
    ("16384 × 16384, 2%", "erdos_renyi", 16384, 16384, 0.02),
    ("4096 × 11008, 10%", "erdos_renyi", 4096, 11008, 0.1),
    ("4096 × 11008, 50%", "erdos_renyi", 4096, 11008, 0.5),
    ("100000 × 100000, 20 a row", "random_regular", 100_000, 100_000, 2e-4),
)


def seconds_of_spectra(cores):
    """For each of `SPECTRA`: the least times for λ2 and for all five quantities, on so many cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    found = []
    for _, construction, n, m, density in SPECTRA:
        graph = tg.construct(construction, n, m, density=density, seed=0)
        calls = (
            partial(compute_spectrum, graph, quantities=["algebraic_connectivity"]),
            partial(compute_spectrum, graph),
        )
        for call in calls:
            call()
            times = []
            for _ in range(5):
                started = time.perf_counter()
                call()
                times.append(time.perf_counter() - started)
            found.append(min(times))
    return found


def show_spectra():
    """Spectra of large graphs on one core and on two, each in a process of its own."""
    seconds = {}
    for cores in (1, 2):
        os.environ["OPENBLAS_NUM_THREADS"] = str(cores)  # a process sees it when it begins
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            seconds[cores] = pool.submit(seconds_of_spectra, cores).result()
    del os.environ["OPENBLAS_NUM_THREADS"]
    print("\nspectra, seconds, the least of 5 calls")
    print(f"{'':28s}{'λ2: one core':>14s}{'two':>8s}{'all five: one core':>26s}{'two':>8s}")
    for number, (name, *_) in enumerate(SPECTRA):
        cells = ""
        for which in (2 * number, 2 * number + 1):
            one, two = seconds[1][which], seconds[2][which]
            cells += f"{one:{14 if which % 2 == 0 else 18}.3f}{two:8.3f} {one / two:6.2f}×"
        print(f"{name:>28s}{cells}")


def show_sparseprop():
    """An epoch against SparseProp (Nikdan et al., 2023) in PyTorch: the same masks, loss and optimizer."""
    import torch
    from sparseprop.modules.linear import SparseLinear

    rng, sizes, batches = np.random.default_rng(0), [3072, WIDE, WIDE, 10], 3
    print(f"\n{'-'.join(map(str, sizes))}, milliseconds per batch, least of 7 epochs of {batches} batches in turn")
    print(f"{'':30s}{'ours':>10s}{'SparseProp':>12s}")
    for density, batch, threads in ((0.05, 128, 1), (0.05, 128, 2), (0.05, 100, 2), (0.01, 128, 1), (0.01, 128, 2)):
        topology = tg.Topology.build(["random_regular"] * 2 + ["dense"], sizes, densities=[density, density, 1], seed=0)
        ours = SparseNetwork(topology, TrainingConfig(batch_size=batch), threads=threads)
        x = rng.random((batches * batch, sizes[0]), dtype=np.float32)
        samples, labels, order = gather_samples(x), rng.integers(0, sizes[-1], len(x)), np.arange(len(x))
        parts = []
        for graph in topology:
            layer = torch.nn.Linear(*graph.shape)
            with torch.no_grad():
                layer.weight *= torch.from_numpy(graph.to_mask().T.astype(np.float32))
            parts += [layer if graph.density == 1 else SparseLinear.from_dense(layer), torch.nn.Sigmoid()]
        model = torch.nn.Sequential(*parts)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
        inputs, targets = torch.from_numpy(x), torch.nn.functional.one_hot(torch.from_numpy(labels), sizes[-1]).float()

        def train_theirs(model=model, optimizer=optimizer, inputs=inputs, targets=targets, batch=batch):
            for begin in range(0, len(inputs), batch):
                optimizer.zero_grad()
                chosen = slice(begin, begin + batch)
                torch.nn.functional.mse_loss(model(inputs[chosen]), targets[chosen]).backward()
                optimizer.step()

        def train_ours(ours=ours, samples=samples, labels=labels, order=order):
            ours.train_epoch(samples, labels, order, 0.01, rng)

        seconds = {train_ours: [], train_theirs: []}
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            for number in range(8):
                for train, times in seconds.items():
                    started = time.perf_counter()
                    train()
                    if number:
                        times.append(time.perf_counter() - started)
        here, there = (1e3 * min(times) / batches for times in seconds.values())
        words = f"{density:6.0%}, batch {batch:4d}, threads: {threads}"
        print(f"{words:30s}{here:10.2f}{there:12.2f} {there / here:6.1f}×", flush=True)


def show_million():
    """A network of a million neurons and twenty million connections, all cores."""
    rng = np.random.default_rng(0)
    sizes, degrees, n = [1000, 500_000, 500_000, 10], [10_000, 20, 1], 512
    x, labels = rng.random((n, sizes[0]), dtype=np.float32), rng.integers(0, sizes[-1], n)
    for construction in ("random_regular", "regular_rotating"):
        topology = tg.Topology.build([construction] * 3, sizes, degrees=degrees, seed=0)
        net = SparseNetwork(topology, TrainingConfig(batch_size=128))
        samples, order = gather_samples(x), np.arange(n)
        net.train_epoch(samples, labels, order, 0.01, rng)
        started = time.perf_counter()
        net.train_epoch(samples, labels, order, 0.01, rng)
        epoch = (time.perf_counter() - started) / n * 100_000
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"\n{construction}: {sum(sizes):,} neurons, {topology.n_edges:,} edges, batch 128: {epoch / 60:.1f} min "
            f"for 100,000 samples (from {n}), {peak:.1f} GiB at most"
        )


def main():
    threadpool_limits(1)
    parts = {
        "kernels": show_kernels, "steps": show_steps, "edges": show_edges, "team": show_team,
        "sparseprop": show_sparseprop, "spectra": show_spectra, "million": show_million,
    }  # fmt: skip
    for name in sys.argv[1:] or list(parts)[:3]:
        parts[name]()


if __name__ == "__main__":
    main()
