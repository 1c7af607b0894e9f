"""Time an epoch of every backend at the paper's densities, beside the dense network: 784-300-10 on MNIST.

    TOPOGRAPH_DATA=<folder with mnist/> python benchmarks/paper_times.py [--write] [--samples 6000] [--rounds 3]

The paper's setting: batches of 32, sigmoid, squared error, Nesterov momentum; the first layer sparse, the second full;
one core. An epoch is half the difference between the shortest training of three epochs and the shortest of one, so that
preparations do not count. Densities take turns, in seconds of the processor, scaled to the 60,000 samples
of an epoch. ``--write`` keeps the table as ``analysis/published_results/paper-times.csv``, from which ``docs/paper.md``
is made.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import topograph as tg
from analysis.paper.timing import TIMES
from topograph.errors import MissingDependencyError
from trainers import TrainingConfig, get_trainer, load_dataset
from trainers.datasets import Dataset
from trainers.study.publishing.processor import processor_kind

DEGREES = (3, 9, 30, 90, 150, 300)
TRAINERS = ("numpy", "pytorch", "pytorch_sparse", "keras")


def seconds(trainer, topology, data, config):
    """Seconds of the processor for a training."""
    started = time.process_time()
    trainer.train(topology, data, config)
    return time.process_time() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    threadpool_limits(1)
    whole = load_dataset("mnist")
    n = arguments.samples
    data = Dataset("mnist, some", whole.x_train[:n], whole.y_train[:n], whole.x_test[:100], whole.y_test[:100])
    config = TrainingConfig.paper()
    topologies = {
        degree: tg.Topology.build(["random_regular" if degree < 300 else "dense", "dense"], [784, 300, 10],
                                  degrees=[degree, 10], seed=0)
        for degree in DEGREES
    }  # fmt: skip
    rows = []
    for name in TRAINERS:
        try:
            trainer = get_trainer(name)
        except MissingDependencyError as error:
            print(f"{name}: {error}")
            continue
        trainer.train(topologies[3], data, config.replace(epochs=1))  # compiles, and warms up
        least = {(degree, epochs): np.inf for degree in DEGREES for epochs in (1, 3)}
        for _ in range(arguments.rounds):
            for degree, epochs in least:
                spent = seconds(trainer, topologies[degree], data, config.replace(epochs=epochs))
                least[degree, epochs] = min(least[degree, epochs], spent)
        epoch = {degree: (least[degree, 3] - least[degree, 1]) / 2 * len(whole.x_train) / n for degree in DEGREES}
        for degree, spent in epoch.items():
            rows.append((name, degree / 300, round(spent, 4), processor_kind()))
            print(
                f"{name:15s} {degree / 300:6.0%} {spent:8.3f} s per epoch, {spent / epoch[300]:5.2f} × dense",
                flush=True,
            )
    if arguments.write:
        table = pd.DataFrame(rows, columns=["trainer", "share", "seconds", "processor"])
        table.to_csv(TIMES, index=False)


if __name__ == "__main__":
    main()
