"""Check the spectra of thousands of random graphs against dense LAPACK.

``python -m tests.topograph.spectral.sweep --count 10000`` checks every graph with the method that is chosen by itself
and with one that is forced on it, and prints the worst relative error of each quantity. It exits with an error when a
value is off by more than 10⁻⁸ of itself, or when an interval does not hold the true value.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from tests.topograph.spectral.families import graphs, reference
from topograph import BipartiteGraph
from topograph.spectral import QUANTITIES, Estimate, compute_spectrum

LIMIT = 1e-8
_INVERSE = (
    "algebraic_connectivity",
    "laplacian_gap",
    "giant_connectivity",
    "normalized_sigma2",
    "normalized_gap",
    "giant_normalized_gap",
)


@dataclass
class Tally:
    graphs: int = 0
    values: int = 0
    worst: dict[str, float] = field(default_factory=dict)
    methods: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def check(self, label: str, name: str, estimate: Estimate, true: float, rounding: float) -> None:
        """Compare one value; ``rounding`` is the error of the reference itself."""
        self.values += 1
        self.methods[estimate.method] += 1
        if estimate.is_failure:
            self.refused[f"{estimate.method} {name}"] += 1
            return
        if math.isnan(true) or math.isnan(estimate.value):
            if not (math.isnan(true) and math.isnan(estimate.value) and estimate.reason):
                self.failures.append(f"{label} {name}: {estimate} where LAPACK has {true}")
            return
        size = abs(true)
        if estimate.value == 0.0 or size <= rounding:  # zeros are exact or absent
            if abs(estimate.value - true) > rounding:
                self.failures.append(f"{label} {name}: {estimate} where LAPACK has {true!r}")
            return
        error = abs(estimate.value - true) / size
        self.worst[name] = max(self.worst.get(name, 0.0), error)
        if error > LIMIT + rounding / size:
            self.failures.append(f"{label} {name}: off by {error:.2g}: {estimate} where LAPACK has {true!r}")
        if not estimate.low - rounding <= true <= estimate.high + rounding:
            self.failures.append(f"{label} {name}: {true!r} is outside {estimate}")


def check_graph(tally: Tally, label: str, graph: BipartiteGraph, forced: str) -> None:
    """Every quantity, by the method chosen and by ``forced``."""
    true = reference(graph.to_mask(float))
    norm = 2.0 * max(graph.left_degrees.max(), graph.right_degrees.max(), 1)
    rounding = 8 * np.finfo(float).eps * math.sqrt(graph.n_nodes) * norm
    tally.graphs += 1
    names = _INVERSE if forced == "inverse" else tuple(QUANTITIES)
    for method, quantities in (("auto", tuple(QUANTITIES)), (forced, names)):
        spectrum = compute_spectrum(graph, method=method, quantities=quantities, on_failure="nan")
        for name in quantities:
            tally.check(f"{label} {graph.shape} {method}", name, spectrum[name], true[name], rounding)


def sweep(count: int, seed: int = 0) -> Tally:
    """Check ``count`` graphs."""
    tally = Tally()
    for number, (family, graph) in enumerate(graphs(count, seed)):
        check_graph(tally, f"{family} #{number} seed {seed}", graph, ("lanczos", "dense", "inverse")[number // 19 % 3])
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tally = sweep(options.count, options.seed)
    print(f"{tally.graphs} graphs, {tally.values} values; methods: {dict(tally.methods)}")
    for name, error in tally.worst.items():
        print(f"  {name:24s} worst relative error {error:.1e}")
    if tally.refused:
        print(f"refused with a reason: {dict(tally.refused)}")
    for failure in tally.failures[:20]:
        print("FAILED", failure)
    print(f"{len(tally.failures)} failures")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
