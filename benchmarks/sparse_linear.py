"""A sparse linear layer in PyTorch: `SparseLinear` against `nn.Linear` and PyTorch's CSR arrays.

Forward and backward, gradients of weights, bias and inputs included; samples are float32. The layers take turns in one
process, and the least time of each counts. On one thread this is processor time; on more, and on a GPU, it is time on
the clock, which a loaded machine makes long for all. Ratios above 1 say how many times as fast `SparseLinear` is.

    python benchmarks/sparse_linear.py                       # the table
    python benchmarks/sparse_linear.py --threads 2 --quick
    python benchmarks/sparse_linear.py --device cuda
    python benchmarks/sparse_linear.py --chart docs/_static/sparse_linear.svg
"""

from __future__ import annotations

import argparse
import time
import warnings

import torch

import topograph as tg

DENSITIES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)
SIZES = ((1024, 1024), (4096, 4096))
BATCHES = (32, 256)


class Csr(torch.nn.Module):
    """What PyTorch has: a CSR weight, `torch.sparse.mm` forward and autograd's own way back."""

    def __init__(self, layer):
        super().__init__()
        self.weight = layer.weight.detach().to_sparse_csr().requires_grad_()
        self.bias = torch.nn.Parameter(layer.bias.detach().clone())

    def forward(self, x):  # noqa: D102
        return torch.sparse.mm(self.weight, x.T).T + self.bias


def step(layer, x, delta):
    """Forward and backward, gradients made anew."""
    for parameter in (*layer.parameters(), *([layer.weight] if isinstance(layer, Csr) else [])):
        parameter.grad = None
    x.grad = None
    layer(x).backward(delta)
    if x.device.type == "cuda":
        torch.cuda.synchronize()


def least_times(layers, x, delta, threads, seconds):
    """Least seconds of a step of each layer, taking turns for about so many seconds."""
    clock = time.process_time if threads == 1 and x.device.type == "cpu" else time.perf_counter
    times = [[] for _ in layers]
    ends = time.perf_counter() + seconds
    while min(map(len, times)) < 2 or time.perf_counter() < ends:
        for layer, seen in zip(layers, times, strict=True):
            if len(seen) > 1 and min(seen) > seconds / 2:  # no need to see that again
                continue
            for _ in range(2):  # the first finds another layer's arrays in cache
                began = clock()
                step(layer, x, delta)
                seen.append(clock() - began)
    return [min(seen) for seen in times]


def measure(size, density, batch, threads, seconds, device):
    """Milliseconds of SparseLinear, nn.Linear and CSR."""
    graph = tg.construct("erdos_renyi", *size, density=density, seed=0)
    sparse = tg.torch.SparseLinear(graph, device=device)
    layers = [sparse, torch.nn.Linear(*size, device=device), Csr(sparse)]
    x = torch.randn(batch, size[0], device=device, requires_grad=True)
    delta = torch.randn(batch, size[1], device=device)
    return [1e3 * one for one in least_times(layers, x, delta, threads, seconds)]


def draw(rows, path, threads):
    """The crossover chart: how many times as fast as each peer, by density."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
    for ax, peer, name in zip(axes, (1, 2), ("nn.Linear", "torch.sparse CSR"), strict=True):
        for number, size in enumerate(sorted({row[0] for row in rows})):
            for batch, style in zip(sorted({row[2] for row in rows}), ("-", "--", ":"), strict=False):
                chosen = [row for row in rows if row[0] == size and row[2] == batch]
                ratios = [row[3][peer] / row[3][0] for row in chosen]
                label = f"{size[0]} × {size[1]}, batch {batch}"
                ax.plot([row[1] for row in chosen], ratios, style, color=f"C{number}", marker=".", label=label)
        ax.axhline(1, color="0.5", linewidth=0.8)
        ax.set(xscale="log", yscale="log", xlabel="density", title=f"against {name}")
    axes[0].set_ylabel("times as fast, forward and backward")
    axes[0].legend(fontsize="x-small", frameon=False, handlelength=4, loc="upper right")
    figure.suptitle(f"SparseLinear on {threads} thread{'s' * (threads > 1)} of a processor", fontsize="medium")
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="such as cuda")
    parser.add_argument("--seconds", type=float, default=1.0, help="per row")
    parser.add_argument("--quick", action="store_true", help="1024 × 1024 at three densities")
    parser.add_argument("--chart", help="file for the chart")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", "Sparse CSR tensor support")
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    where = f"{torch.backends.cpu.get_cpu_capability()}, threads: {options.threads}"
    if options.device != "cpu":
        where = torch.cuda.get_device_name(options.device)
    print(f"torch {torch.__version__}, {where}")
    columns = ("ours ms", "dense ms", "CSR ms", "dense/ours", "CSR/ours")
    print(f"{'layer':>12} {'density':>8} {'batch':>6}", *(f"{name:>10}" for name in columns))
    measure(SIZES[0], DENSITIES[0], BATCHES[0], options.threads, options.seconds, options.device)  # wakes the machine
    rows = []
    for size in SIZES[:1] if options.quick else SIZES:
        for batch in BATCHES:
            for density in (0.05, 0.1, 0.2) if options.quick else DENSITIES:
                times = measure(size, density, batch, options.threads, options.seconds, options.device)
                rows.append((size, density, batch, times))
                ours, dense, csr = times
                shown = [f"{one:>10.2f}" for one in times] + [f"{dense / ours:>10.1f}", f"{csr / ours:>10.1f}"]
                print(f"{f'{size[0]} × {size[1]}':>12} {density:>8.0%} {batch:>6}", *shown, flush=True)
    if options.chart:
        draw(rows, options.chart, options.threads)


if __name__ == "__main__":
    main()
