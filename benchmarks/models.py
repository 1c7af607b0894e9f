"""An epoch of a model under masks against the same PyTorch loop written by hand without masks, on one core.

    TOPOGRAPH_DATA=<folder with fashion-mnist/> python benchmarks/models.py [--models lenet5 …] [--batches 100]

Both train on the same batches of Fashion-MNIST with SGD, in turns; the least processor time of some epochs counts. The
loop by hand gathers each batch from a tensor, as one does who wants it fast, and counts loss and hits as well.
"""

from __future__ import annotations

import argparse
import time

from timing import use_one_core

use_one_core()

import numpy as np  # noqa: E402
import torch  # noqa: E402

import topograph as tg  # noqa: E402
from trainers import ModelSpec, TrainingConfig, load_dataset  # noqa: E402
from trainers.pytorch.masked_model import MaskedModel  # noqa: E402
from trainers.pytorch.model_learner import ModelLearner  # noqa: E402


def by_hand(model, x, y, order, optimizer, size):
    model.train()
    summed, correct = 0.0, 0
    for begin in range(0, len(order), size):
        batch = order[begin : begin + size]
        labels = y[batch]
        outputs = model(x[batch])
        loss = torch.nn.functional.cross_entropy(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        summed += loss.item() * len(batch)
        correct += (outputs.argmax(1) == labels).sum().item()
    return summed / len(order), correct / len(order)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["lenet5", "resnet8", "lstm", "transformer"])
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
    arguments = parser.parse_args()
    data = load_dataset("fashion-mnist")
    print(f"one core, PyTorch {torch.__version__}, batches of {arguments.size}, density 10 %, {arguments.optimizer}")
    for name in arguments.models:
        spec = ModelSpec(name)
        config = TrainingConfig(
            batch_size=arguments.size, learning_rate=0.01, loss="cross_entropy", output_activation="softmax",
            optimizer=arguments.optimizer,
        )  # fmt: skip
        masks = tg.MaskSet.build(spec.build(data), "erdos_renyi", density=0.1, allocation="erk", seed=0)
        order = np.arange(arguments.batches * arguments.size) % len(data.x_train)
        masked = MaskedModel(spec.label, spec.build(data), masks, config, arguments.batches)
        learner = ModelLearner(masked, data, config, torch.device("cpu"))
        dense, x, y = spec.build(data), torch.tensor(data.x_train).reshape(-1, *data.shape), torch.tensor(data.y_train)
        make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[arguments.optimizer]
        options = {"momentum": 0.9, "nesterov": True} if arguments.optimizer == "sgd" else {"betas": (0.9, 0.999)}
        optimizer = make(dense.parameters(), 0.01, **options)
        times = {"ours": [], "by hand": []}
        for epoch in range(arguments.repeats):
            for who, call in (
                ("ours", lambda: learner.train_epoch(epoch, order, 0.01)),  # noqa: B023
                ("by hand", lambda: by_hand(dense, x, y, torch.from_numpy(order), optimizer, arguments.size)),  # noqa: B023
            ):
                start = time.process_time()
                call()
                times[who].append((time.process_time() - start) / arguments.batches)
        ours, hand = min(times["ours"]), min(times["by hand"])
        print(
            f"  {name:12s} by hand {1e3 * hand:7.2f} ms a step, under masks {1e3 * ours:7.2f} ms: {ours / hand:.3f} x"
        )


if __name__ == "__main__":
    main()
