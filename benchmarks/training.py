"""Time an epoch of the sparse NumPy backend beside what a user would pick instead: 784-300-10 on MNIST.

    TOPOGRAPH_DATA=<folder with mnist/> python benchmarks/training.py [--epochs 3] [--degrees 30 3]

Batches of 32, sigmoid, squared error, Nesterov momentum, as in the paper; one core; the first layer sparse, the
second dense. All peers take turns, epoch by epoch; the best epoch counts, after one that is not timed, in seconds of
the processor, since the clock on the wall measures the neighbours too. The accuracy is the test set's after all
epochs: equal where a peer starts from the same weights and walks the same batches. Needs torch and keras.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from training_peers import PEERS, Ours

import topograph as tg
from trainers import TrainingConfig, load_dataset


def compare(degree, data, config, epochs):
    """Print the table for one density of the first layer."""
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--degrees", type=int, nargs="+", default=[30, 3])
    arguments = parser.parse_args()
    threadpool_limits(1)
    torch.set_num_threads(1)
    data, config = load_dataset("mnist"), TrainingConfig.paper()
    for degree in arguments.degrees:
        compare(degree, data, config, arguments.epochs)


if __name__ == "__main__":
    main()
