"""Hold the built-in trainers against each other: the paper's six constructions on MNIST, three epochs, one seed.

    TOPOGRAPH_DATA=<folder with mnist/> python benchmarks/agreement.py [--trainers numpy pytorch keras] [--epochs 3]

784-300-10, a tenth of the first layer, the second dense; the paper's settings. For each construction: the test
accuracies in percent, the largest difference between any two of them in points, and the largest relative difference of
the losses of any epoch. It fails where they differ by more than 0.1 points or 10⁻³.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")

import topograph as tg
from trainers import TrainingConfig, get_trainer, load_dataset

PAPER = (
    "random_edge", "random_rotating", "random_regular", "regular_rotating", "long_short_rotating", "fibonacci_rotating",
)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trainers", nargs="+", default=["numpy", "pytorch", "keras"])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--dataset", default="mnist")
    arguments = parser.parse_args()
    data = load_dataset(arguments.dataset)
    config = TrainingConfig.paper(epochs=arguments.epochs, learning_rate=0.1)
    print(f"{data!r}, {config.epochs} epochs, learning rate {config.learning_rate:g}, seed {config.seed}")
    header = "".join(f"{name:>16s}" for name in arguments.trainers)
    print(f"{'':22s}{header}{'points apart':>14s}{'losses apart':>14s}", flush=True)
    agree = True
    for construction in PAPER:
        topology = tg.Topology.build(
            [construction, "dense"], [data.n_features, 300, data.n_classes], [30, data.n_classes], seed=0
        )
        results = [get_trainer(name).train(topology, data, config) for name in arguments.trainers]
        points = losses = 0.0
        for one, other in itertools.combinations(results, 2):
            points = max(points, 100 * abs(one.test_accuracy - other.test_accuracy))
            pairs = zip(one.history["loss"], other.history["loss"], strict=True)
            losses = max(losses, *(abs(a - b) / min(a, b) for a, b in pairs))
        agree &= points <= 0.1 and losses <= 1e-3
        accuracies = "".join(f"{100 * result.test_accuracy:16.2f}" for result in results)
        print(f"{construction:22s}{accuracies}{points:14.2f}{losses:14.1e}", flush=True)
    print("they agree" if agree else "THEY DO NOT AGREE")
    sys.exit(not agree)


if __name__ == "__main__":
    main()
