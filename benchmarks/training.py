"""Time an epoch of the sparse NumPy backend beside what a user would pick instead: 784-300-10 on MNIST.

    TOPOGRAPH_DATA=<folder with mnist/> python benchmarks/training.py [--epochs 3] [--degrees 30 3]

Batches of 32, sigmoid, squared error, Nesterov momentum, as in the paper; one core; the first layer sparse, the
second dense. All peers take turns, epoch by epoch; the best epoch counts, after one that is not timed, in seconds of
the processor, since the clock on the wall measures the neighbours too. The accuracy is the test set's after all
epochs: equal where a peer starts from the same weights and walks the same batches. Needs torch and keras.

``--against CHECKOUT`` compares this checkout with another one instead of with peers, and needs neither: each trains the
networks of `ROWS` in a process of its own, in turn, ``--rounds`` times; it prints the ratio of the least processor
times, and whether the trained weights are equal to the bit. ``--only adam`` runs the rows with this in their name.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checkouts import Checkout
from timing import use_one_core

use_one_core()

import numpy as np  # noqa: E402 (the number of threads is set before)

import topograph as tg  # noqa: E402
from trainers import Dataset, TrainingConfig, get_trainer, load_dataset  # noqa: E402


def compare(degree, data, config, epochs):
    """Print the table for one density of the first layer."""
    from training_peers import PEERS, Ours

    construction = "random_regular" if degree < 300 else "dense"
    topology = tg.Topology.build([construction, "dense"], [784, 300, 10], degrees=[degree, 10], seed=0)
    print(f"\n{topology.architecture}, first layer {topology[0].density:.0%}, {epochs} epochs")
    runs = [kind(topology, data, config) for kind in (Ours, *PEERS)]
    best = dict.fromkeys((run.name for run in runs), np.inf)
    for epoch in range(epochs):
        for run in runs:
            started = time.process_time()
            run.train_epoch(epoch)
            if epoch:
                best[run.name] = min(best[run.name], time.process_time() - started)
    print(f"{'':28s} {'s per epoch':>10s} {'against ours':>12s} {'accuracy':>9s}")
    for run in runs:
        accuracy = np.mean(run.predict().argmax(axis=1) == data.y_test)
        print(f"{run.name:28s} {best[run.name]:10.3f} {best[run.name] / best[Ours.name]:11.1f}× {accuracy:9.4f}")


@dataclass(frozen=True)
class Row:
    """A network to train with two checkouts; settings that are not named are the paper's."""

    name: str
    sizes: tuple[int, ...]
    degrees: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    dense: bool = False
    """Whether the samples are noise without a zero instead of MNIST."""


_ADAM = {
    "optimizer": "adam", "learning_rate": 0.001, "loss": "cross_entropy", "activation": "relu",
    "output_activation": "softmax", "batch_size": 100,
}  # fmt: skip
ROWS = (
    Row("784-300-10, 10 %", (784, 300, 10), (30, 10)),
    Row("784-300-10, 1 %", (784, 300, 10), (3, 10)),
    Row("784-300-100-10, 10 %, adam, batches of 100", (784, 300, 100, 10), (30, 10, 10), _ADAM),
    Row("3072-256-10, 1 %, dense samples", (3072, 256, 10), (3, 10), {"batch_size": 64}, dense=True),
)


def noise() -> Dataset:
    """Colour images without a zero, 5,000 to train with."""
    rng = np.random.default_rng(0)
    x, y = rng.random((6000, 3072), dtype=np.float32), rng.integers(0, 10, 6000)
    return Dataset("noise", x[:5000], y[:5000], x[5000:], y[5000:])


def serve() -> None:
    """Train the network in the file that each line of the input names; seconds and results go to the output."""
    for line in sys.stdin:
        path, settings, dense = json.loads(line)
        data = noise() if dense else load_dataset("mnist")
        stored = np.load(path)
        layers = [
            tg.BipartiteGraph(*stored[f"shape{i}"].tolist(), stored[f"indptr{i}"], stored[f"indices{i}"])
            for i in range(len(stored) // 3)
        ]
        config = TrainingConfig(**settings)
        start = time.process_time()
        result = get_trainer("numpy").train(tg.Topology(layers), data, config)
        seconds = time.process_time() - start
        digest = hashlib.sha256(b"".join(np.ascontiguousarray(w.data).tobytes() for w in result.weights)).hexdigest()
        print(json.dumps([seconds, digest, result.correct]), flush=True)


def run_against(path: Path, rows: list[Row], epochs: int, rounds: int, folder: Path) -> None:
    """The same trainings with this checkout and with the one at ``path``; the masks go through ``folder``."""
    if not all(row.dense for row in rows):
        load_dataset("mnist")  # says here where it is looked for, when it is not there
    ours, theirs = Checkout(__file__, Path(__file__).resolve().parents[1]), Checkout(__file__, path)
    for row in rows:
        kinds = ["random_regular"] * (len(row.sizes) - 2) + ["dense"]
        topology = tg.Topology.build(kinds, row.sizes, degrees=row.degrees, seed=0)
        stored: dict[str, Any] = {}
        for number, graph in enumerate(topology):
            stored[f"shape{number}"] = graph.shape
            stored[f"indptr{number}"], stored[f"indices{number}"] = graph.indptr, graph.indices
        network = str(folder / "network.npz")
        np.savez(network, **stored)
        settings = {**row.settings, "epochs": epochs}
        for checkout in (ours, theirs):  # what is compiled or loaded is not timed
            checkout.ask(network, {**settings, "epochs": 1}, row.dense)
        times: dict[Checkout, list[float]] = {ours: [], theirs: []}
        results: dict[Checkout, tuple[str, int]] = {}
        for number in range(rounds):
            for checkout in (ours, theirs) if number % 2 else (theirs, ours):
                seconds, *result = checkout.ask(network, settings, row.dense)
                times[checkout].append(seconds)
                results[checkout] = result[0], result[1]
        here, there = min(times[ours]), min(times[theirs])
        alike = results[ours] == results[theirs]
        words = "the same bits" if alike else f"other weights: {results[theirs][1]} → {results[ours][1]} right"
        print(f"{row.name:44s} {here:8.3f} s, {here / there:.3f} ×   {words}", flush=True)
    for checkout in (ours, theirs):
        checkout.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="4 beside peers, 2 in each round of a comparison with a checkout")
    parser.add_argument("--degrees", type=int, nargs="+", default=[30, 3])
    parser.add_argument("--against", type=Path, help="another checkout to compare this one with")
    parser.add_argument("--rounds", type=int, default=5, help="of a comparison with another checkout")
    parser.add_argument("--only", default="", help="part of the name of a row of that comparison")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    if options.against:
        rows = [row for row in ROWS if options.only in row.name]
        with tempfile.TemporaryDirectory() as folder:
            run_against(options.against.resolve(), rows, options.epochs or 2, options.rounds, Path(folder))
        return
    import torch
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    torch.set_num_threads(1)
    data, config = load_dataset("mnist"), TrainingConfig.paper()
    for degree in options.degrees:
        compare(degree, data, config, options.epochs or 4)


if __name__ == "__main__":
    main()
