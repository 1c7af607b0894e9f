"""What the contract costs: the PyTorch and Keras trainers beside hand-written loops with the same mask.

    TOPOGRAPH_DATA=<folder with mnist/> python benchmarks/backends.py [--samples 10000] [--repeats 5]

784-300-10, a tenth of the first layer, batches of 32, the paper's settings, one core. The bare PyTorch loop
multiplies weights by the mask, calls autograd and `torch.optim.SGD`; bare Keras is a layer of twenty lines and one
`fit`. All take turns in one process, and each ends per epoch with the accuracy on the test samples, as the trainers do.
The best of the repeats counts, in seconds of the processor.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from training_peers import KerasMasked, TorchMasked

import topograph as tg
from trainers import Dataset, TrainingConfig, get_trainer, load_dataset
from trainers.pytorch import PyTorchTrainer

PAIRS = (
    ("pytorch, masked", PyTorchTrainer(device="cpu"), TorchMasked),
    ("pytorch, sparse", PyTorchTrainer("sparse", device="cpu"), TorchMasked),
    ("keras", get_trainer("keras"), KerasMasked),
)


def bare(kind, topology, data, config):
    """Train and evaluate with a peer as the trainer does: every epoch, and the training samples in the end."""
    peer = kind(topology, data, config)
    for epoch in range(config.epochs):
        peer.train_epoch(epoch)
        accuracy = np.mean(peer.predict().argmax(axis=1) == data.y_test)
    peer.data = Dataset("train", data.x_train, data.y_train, data.x_train, data.y_train)
    peer.predict()
    return accuracy


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data, n = load_dataset("mnist"), arguments.samples
    data = Dataset("mnist", data.x_train[:n], data.y_train[:n], data.x_test[: n // 6], data.y_test[: n // 6])
    topology = tg.Topology.build(["random_regular", "dense"], [784, 300, 10], [30, 10], seed=0)
    config = TrainingConfig.paper(epochs=arguments.epochs, learning_rate=0.1)
    times: dict[str, list[float]] = {}
    accuracies: dict[str, float] = {}
    for _ in range(arguments.repeats):
        for name, trainer, kind in PAIRS:
            for words, work in (
                (name, lambda: trainer.train(topology, data, config).test_accuracy),  # noqa: B023
                (f"bare {kind.__name__}", lambda: bare(kind, topology, data, config)),  # noqa: B023
            ):
                started = time.process_time()
                accuracies[words] = work()
                times.setdefault(words, []).append(time.process_time() - started)
    print(f"load {os.getloadavg()[0]:.1f}; {n} samples, {config.epochs} epochs, best of {arguments.repeats}")
    print(f"{'':18s} {'s':>7s} {'bare, s':>8s} {'ratio':>6s}   accuracies")
    for name, _, kind in PAIRS:
        mine, yours = min(times[name]), min(times[f"bare {kind.__name__}"])
        both = f"{accuracies[name]:.4f} {accuracies[f'bare {kind.__name__}']:.4f}"
        print(f"{name:18s} {mine:7.2f} {yours:8.2f} {mine / yours:6.2f}   {both}")


if __name__ == "__main__":
    main()
