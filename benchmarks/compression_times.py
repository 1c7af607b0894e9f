"""Time an epoch of each way to have few parameters: 784-300-10 on MNIST, as ``studies/compression.toml`` trains it.

    TOPOGRAPH_DATA=<folder with mnist/> python benchmarks/compression_times.py [--write] [--samples 6400] [--rounds 3]

The first layer has 1, 5 or 20 % of the parameters, the second all; one core. An epoch is half the difference between
the shortest training of three epochs and the shortest of one, so that preparations do not count. Families take turns,
in seconds of the processor, scaled to the 60,000 samples of an epoch. ``--write`` keeps the table as
``analysis/published_results/compression-times.csv``, from which ``docs/compression.md`` is made.
"""

from __future__ import annotations

import argparse
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import topograph as tg
from trainers import TrainingConfig, get_trainer, load_dataset
from trainers.datasets import Dataset
from trainers.study.publishing.processor import processor_kind

TIMES = Path(str(files("analysis"))) / "published_results" / "compression-times.csv"
DEGREES = (3, 15, 60)
SPARSE = ("pytorch", "pytorch_sparse", "numpy")
COMPRESSIONS = ("low_rank", "circulant", "hashed", "tensor_train")
CONFIG = TrainingConfig(
    batch_size=128, learning_rate=0.003, optimizer="adam", loss="cross_entropy", activation="relu",
    output_activation="softmax", initialization="he_normal", fans="degrees",
)  # fmt: skip


def cases():
    """Family, trainer, share of the first layer's parameters, topology and settings."""
    for degree in DEGREES:
        topology = tg.Topology.build(["regular_rotating", "dense"], [784, 300, 10], degrees=[degree, 10])
        for trainer in SPARSE:
            yield "sparse", trainer, degree / 300, topology, CONFIG
        for name in COMPRESSIONS:
            yield name, "pytorch", degree / 300, topology, CONFIG.replace(compression=name)
    dense = tg.Topology.build("dense", [784, 300, 10])
    yield "dense", "pytorch", 1.0, dense, CONFIG
    yield "dense + dropconnect", "pytorch", 1.0, dense, CONFIG.replace(dropconnect=0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=6400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    threadpool_limits(1)
    import torch

    torch.set_num_threads(1)
    whole = load_dataset("mnist")
    n = arguments.samples
    data = Dataset("mnist, some", whole.x_train[:n], whole.y_train[:n], whole.x_test[:100], whole.y_test[:100])
    found = list(cases())
    least = {(number, epochs): np.inf for number in range(len(found)) for epochs in (1, 3)}
    for _, trainer, _, topology, config in found[:3]:
        get_trainer(trainer).train(topology, data, config.replace(epochs=1))  # compiles, and warms up
    for _ in range(arguments.rounds):
        for number, epochs in least:
            _, trainer, _, topology, config = found[number]
            started = time.process_time()
            get_trainer(trainer).train(topology, data, config.replace(epochs=epochs))
            least[number, epochs] = min(least[number, epochs], time.process_time() - started)
    rows = []
    for number, (family, trainer, share, _, _) in enumerate(found):
        spent = (least[number, 3] - least[number, 1]) / 2 * len(whole.x_train) / n
        rows.append((family, trainer, share, round(spent, 3), processor_kind()))
        print(f"{family:20s} {trainer:15s} {share:6.0%} {spent:8.3f} s per epoch", flush=True)
    if arguments.write:
        pd.DataFrame(rows, columns=["family", "trainer", "share", "seconds", "processor"]).to_csv(TIMES, index=False)


if __name__ == "__main__":
    main()
