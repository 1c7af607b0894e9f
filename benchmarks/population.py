"""Networks per hour: all at once with `train_many`, one by one, a hand-written PyTorch loop, the NumPy backend.

    TOPOGRAPH_DATA=<folder with mnist/> python benchmarks/population.py [--networks 4] [--sizes 784 300 10] [--epochs 1]

MNIST, the paper's settings, a tenth of the first layer; every network has edges and a seed of its own. On a
GPU where there is one (`--device cuda`), and then the NumPy backend beside it on one core. Networks an hour are given
for the paper's 50 epochs, from the time of the epochs measured here, evaluation included.

On a GPU, a step of dense masked networks is bound by memory: of each cell, the weight is read on the way forward, and
the weight, its velocity and the mask's byte on the way back, where weight and velocity are written: 21 bytes, were all
of a step one pass. The bound is the card's bandwidth, which a copy measures, over these bytes.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
from training_peers import TorchMasked

import topograph as tg
from trainers import Dataset, TrainingConfig, get_trainer, load_dataset
from trainers.pytorch import PyTorchTrainer

PAPER_EPOCHS = 50
BYTES_A_CELL = 4 + 4 + 4 + 1 + 4 + 4


def measured(work, device):
    """Seconds of a call, the device's work included."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def bandwidth(device):
    """Bytes a second of a large copy, read and written."""
    source = torch.empty(2**28 if device.type == "cuda" else 2**26, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    best = min(measured(lambda: target.copy_(source), device) for _ in range(5))
    return 2 * source.nbytes / best


def handwritten(topology, data, config, device):
    """One network as one writes it by hand."""
    peer = TorchMasked(topology, data, config)
    for number, layer in enumerate(peer.layers):
        layer.to(device)
        peer.masks[number] = peer.masks[number].to(device)
    peer.x, peer.y = peer.x.to(device), peer.y.to(device)
    parameters = [p for layer in peer.layers for p in layer.parameters()]
    peer.optimizer = torch.optim.SGD(parameters, lr=config.learning_rate, momentum=config.momentum, nesterov=True)
    test = torch.from_numpy(data.x_test.copy()).to(device)
    for epoch in range(config.epochs):
        for chosen in peer.batches(epoch):
            rows = torch.from_numpy(chosen).to(device)
            peer.optimizer.zero_grad()
            torch.nn.functional.mse_loss(peer.forward(peer.x[rows]), peer.y[rows]).backward()
            peer.optimizer.step()
        with torch.no_grad():
            peer.forward(test).argmax(dim=1).cpu()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, help="(default: 512 on a GPU, else 4)")
    parser.add_argument("--alone", type=int, default=2, help="networks trained one by one, to take the time of")
    parser.add_argument("--sizes", type=int, nargs="+", default=[784, 300, 10])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    networks = arguments.networks or (512 if device.type == "cuda" else 4)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} cores"
    print(f"device {device} ({where}), load {os.getloadavg()[0]:.1f}, PyTorch {torch.__version__}")
    data, n = load_dataset("mnist"), arguments.samples
    data = Dataset("mnist", data.x_train[:n], data.y_train[:n], data.x_test[: n // 6], data.y_test[: n // 6])
    sizes = arguments.sizes
    constructions = [*["random_regular"] * (len(sizes) - 2), "dense"]
    degrees = [max(1, m // 10) for m in sizes[1:-1]] + [sizes[-1]]
    topologies = [tg.Topology.build(constructions, sizes, degrees, seed=seed) for seed in range(networks)]
    configs = [TrainingConfig.paper(epochs=arguments.epochs, learning_rate=0.1, seed=seed) for seed in range(networks)]
    trainer, sparse = PyTorchTrainer(device=str(device)), PyTorchTrainer("sparse", device=str(device))
    alone = range(min(arguments.alone, networks))
    warm = Dataset("warm", data.x_train[:640], data.y_train[:640], data.x_test[:100], data.y_test[:100])
    for one in (trainer, sparse, get_trainer("numpy")):
        one.train(topologies[0], warm, configs[0])
    rows = {
        "train_many, masked": (networks, lambda: trainer.train_many(topologies, data, configs)),
        "train_many, sparse": (networks, lambda: sparse.train_many(topologies, data, configs)),
        "one by one, masked": (len(alone), lambda: [trainer.train(topologies[i], data, configs[i]) for i in alone]),
        "by hand": (len(alone), lambda: [handwritten(topologies[i], data, configs[i], device) for i in alone]),
        "numpy, one core": (
            len(alone),
            lambda: [get_trainer("numpy").train(topologies[i], data, configs[i]) for i in alone],
        ),
    }
    seconds = {}
    print(f"{'-'.join(map(str, sizes))}, {n} samples\n{'':20s} {'networks':>8s} {'s':>8s} {'networks per hour':>17s}")
    for name, (count, work) in rows.items():
        seconds[name] = measured(work, device) / count
        an_hour = 3600 / (seconds[name] / arguments.epochs * PAPER_EPOCHS)
        print(f"{name:20s} {count:8d} {seconds[name] * count:8.2f} {an_hour:17.1f}", flush=True)
    cells, steps = sum(a * b for a, b in itertools.pairwise(sizes)), -(-n // configs[0].batch_size) * arguments.epochs
    if device.type == "cuda":
        rate = bandwidth(device)
        bound = BYTES_A_CELL * cells * steps / rate
        below = seconds["train_many, masked"] / bound
        best = 3600 / (bound / arguments.epochs * PAPER_EPOCHS)
        print(
            f"bandwidth {rate / 1e9:.0f} GB/s: at best {best:.0f} networks per hour; train_many is {below:.1f} × below"
        )
    else:
        print("no GPU: how far below its memory's bandwidth train_many is cannot be said here")
    assert np.isfinite(list(seconds.values())).all()


if __name__ == "__main__":
    main()
