"""What pruning and rewiring cost: seconds of pruners on LeNet-5, and rewiring as a share of an epoch.

    TOPOGRAPH_DATA=<folder with fashion-mnist/> python benchmarks/pruning.py [--samples 4000] [--large]

One core, seconds of the processor, all in one run. A change of edges is timed by itself (the best of three) and set
against an epoch of 60,000 samples (50,000 for the large network), which is timed over ``--samples`` of them and
multiplied; a network's epoch does not depend on which samples they are beyond their share of zeros. Without the data,
samples are drawn: uniform, half of them 0.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from timing import best, use_one_core

import topograph as tg
from topograph.errors import DatasetNotFoundError
from trainers import Dataset, TrainingConfig, load_dataset
from trainers.initialization import batch_order, dropout_generator
from trainers.numpy_sparse.learner import SparseLearner
from trainers.pruning import prune
from trainers.rewiring.rewirer import Rewirer


def images(samples, features=784, classes=10):
    try:
        if features == 784:
            data = load_dataset("fashion-mnist")
            part = slice(0, samples)
            return Dataset(
                "fashion-mnist", data.x_train[part], data.y_train[part], data.x_test[:100], data.y_test[:100]
            )
    except DatasetNotFoundError:
        pass
    generator = np.random.default_rng(0)
    x = np.maximum(generator.random((samples, features)) - 0.5, 0).astype(np.float32)
    y = np.arange(samples) % classes
    return Dataset("drawn", x, y, x[:100], y[:100])


def lenet5():
    nn = torch.nn
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def pruners(data):
    print("LeNet-5 at 5 %, seconds:")
    for method, options in (("snip", {}), ("snip", {"rounds": 100}), ("grasp", {}), ("synflow", {}), ("phew", {})):
        seconds, _ = best(
            lambda method=method, options=options: prune(
                method, lenet5(), data, density=0.05, input_shape=(1, 28, 28), **options
            ),
            2,
        )
        print(f"  {method:9s}{options or ''!s:20s} {seconds:7.2f}")


def rewiring(sizes, data, epoch_samples, rules):
    topology = tg.Topology.build("random_regular", sizes, [max(1, round(0.1 * size)) for size in sizes[1:]], seed=0)
    config = TrainingConfig(epochs=2)
    learner = SparseLearner(topology, config, data.x_train, data.y_train)
    order = batch_order(len(data.y_train), 0, config)
    learner.train_part(order[:64], 0.01, dropout_generator(0, config))  # compiles
    started = time.process_time()
    learner.train_part(order, 0.01, dropout_generator(0, config))
    epoch = (time.process_time() - started) * epoch_samples / len(order)
    print(f"{topology}: {epoch:.2f} s per epoch of {epoch_samples:,}")
    for rule in rules:
        rewirer = Rewirer(config.replace(rewiring=rule), topology, data.x_train, data.y_train, epoch_samples)

        def change(rewirer=rewirer):
            rewirer.topology = learner.topology
            learner.rewire(rewirer.change(1, learner.weights(), learner.biases(), order[:32]))

        seconds, _ = best(change, 3)
        print(f"  {rule:6s} {seconds:8.3f} s per change, {seconds / epoch:7.2%} of an epoch")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--large", action="store_true", help="3072-4000-1000-4000-10 too")
    arguments = parser.parse_args()
    use_one_core()
    torch.set_num_threads(1)
    data = images(arguments.samples)
    print(f"{data.name}, {arguments.samples} samples, torch {torch.__version__}, NumPy {np.__version__}")
    pruners(data)
    rewiring([784, 300, 10], data, 60_000, ("set", "rigl", "mest", "cht"))
    if arguments.large:
        rewiring([3072, 4000, 1000, 4000, 10], images(256, 3072), 50_000, ("set", "mest"))


if __name__ == "__main__":
    main()
