"""Masks for models: how fast they are made, what they cost a training, and what it costs to watch them.

    TOPOGRAPH_DATA=<folder with fashion-mnist/> python benchmarks/masked_models.py [--parts build train track]

build: masks of 10 % for a model of 100 M parameters, with the time and the peak of memory beside the model's own.
train: a training step of LeNet-5 and of a transformer encoder of 4 layers, masked and dense in turns, median of each.
track: an epoch of LeNet-5 on Fashion-MNIST, and a tracker's update with six metrics, with and without a change.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import threading
import time

import torch
from torch import nn

import topograph as tg
from trainers import load_dataset

SIX = ["density", "n_components", "algebraic_connectivity", "normalized_gap", "adjacency_gap", "ramanujan_ratio"]


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def encoder(width=128):
    layer = nn.TransformerEncoderLayer(width, 4, 4 * width, batch_first=True, dropout=0.0)
    return nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)


class Peak:
    """The highest resident memory while it runs, above what there was before, in bytes."""

    def __enter__(self):
        self.before = self.peak = resident()
        self.running = True
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        while self.running:
            self.peak = max(self.peak, resident())
            time.sleep(0.005)

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        self.added = self.peak - self.before


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def build():
    tg.MaskSet.build(lenet5(), "random_regular", density=0.1)  # whatever is compiled or imported once
    model = nn.Sequential(*(nn.Linear(4096, 4096, bias=False) for _ in range(6)))
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"a model of {weights / 1e6:.1f} M parameters, {4 * weights / 1e6:.0f} MB")
    for name in ("random_regular", "erdos_renyi", "biregular_random", "regular_rotating"):
        with Peak() as memory:
            start = time.perf_counter()
            masks = tg.MaskSet.build(model, name, density=0.1, allocation="erk", seed=0)
            seconds = time.perf_counter() - start
        edges = sum(graph.n_edges for graph in masks.values())
        share = memory.added / (4 * weights)
        print(f"  {name:20s}{seconds:8.2f} s{memory.added / 1e6:8.0f} MB = {share:.2f} x the model, {edges} edges")
        del masks
    masks = tg.MaskSet.build(model, "random_regular", density=0.1, seed=0)
    with Peak() as memory:
        start = time.perf_counter()
        masks.apply_to(model)
        seconds = time.perf_counter() - start
    share = memory.added / (4 * weights)
    print(f"  {'apply_to':20s}{seconds:8.2f} s{memory.added / 1e6:8.0f} MB = {share:.2f} x the model")


def train(repeats):
    images, tokens = torch.randn(128, 1, 28, 28), torch.randn(16, 64, 128)
    for name, model, x in (("LeNet-5", lenet5(), images), ("transformer encoder", encoder(), tokens)):
        masked = copy.deepcopy(model)
        tg.MaskSet.build(masked, "random_regular", density=0.1, allocation="erk").apply_to(masked)
        pairs = [(one, torch.optim.SGD(one.parameters(), 0.01, momentum=0.9)) for one in (model, masked)]
        times = ([], [])
        for _ in range(repeats):
            for (one, optimizer), kept in zip(pairs, times, strict=True):
                start = time.perf_counter()
                optimizer.zero_grad()
                one(x).square().mean().backward()
                optimizer.step()
                kept.append(time.perf_counter() - start)
        dense, sparse = (statistics.median(kept[repeats // 10 :]) for kept in times)
        print(
            f"{name:20s} dense {1e3 * dense:8.2f} ms a step, masked {1e3 * sparse:8.2f} ms, ratio {sparse / dense:.3f}"
        )


def track():
    data = load_dataset("fashion-mnist")
    x = torch.tensor(data.x_train, dtype=torch.float32).reshape(-1, 1, 28, 28)
    y = torch.tensor(data.y_train).long()
    model = lenet5()
    tg.MaskSet.build(model, "random_regular", density=0.1, allocation="erk").apply_to(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    tracker = tg.Tracker(model, SIX, optimizer=optimizer, on_alarm=lambda _: None)
    tracker.update(0)
    start = time.perf_counter()
    for batch in torch.randperm(len(x)).split(128):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    epoch = time.perf_counter() - start
    print(f"an epoch of LeNet-5 on Fashion-MNIST: {epoch:.2f} s, with a tracker that hears of every step")
    for number in range(1, 7):
        changed = number % 2 == 0  # then all layers get new masks, as after a rewiring
        if changed:
            tg.MaskSet.build(model, "random_regular", density=0.1, allocation="erk", seed=number).apply_to(model)
        start = time.perf_counter()
        tracker.update(number)
        update = time.perf_counter() - start
        what = "every mask changed" if changed else "no mask changed"
        print(f"  six metrics, {what:18s}: {1e3 * update:7.1f} ms = {update / epoch:.2%} of the epoch")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=["build", "train", "track"])
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    if "build" in arguments.parts:
        build()
    if "train" in arguments.parts:
        train(arguments.repeats)
    if "track" in arguments.parts:
        track()


if __name__ == "__main__":
    main()
