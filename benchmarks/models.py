"""An epoch of a model under masks against the same PyTorch loop written by hand without masks, on one core.

    TOPOGRAPH_DATA=<folder with fashion-mnist/> python benchmarks/models.py [--models lenet5 …] [--batches 100] \
        [--together 8]

Both train on the same batches of Fashion-MNIST with SGD, in turns; the least processor time of some epochs counts. The
loop by hand gathers each batch from a tensor, as one does who wants it fast, and counts loss and hits as well.
``--together`` compares, instead, steps of several networks of one model by `torch.func` with one network after another.
"""

from __future__ import annotations

import argparse
import copy
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


def least(call, repeats):
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def together(name, networks, size, repeats):
    modules = [ModelSpec(name).build((28, 28), 10, seed=seed) for seed in range(networks)]
    x, y = torch.rand(size, 28, 28), torch.randint(10, (size,))
    parameters, buffers = torch.func.stack_module_state(modules)
    parameters = {key: value.detach() for key, value in parameters.items()}
    empty = copy.deepcopy(modules[0]).to("meta")

    def loss(parameters, buffers):
        outputs = torch.func.functional_call(empty, (parameters, buffers), (x,))
        return torch.nn.functional.cross_entropy(outputs, y)

    gradients = torch.func.vmap(torch.func.grad(loss))
    optimizers = [torch.optim.SGD(module.parameters(), 0.01) for module in modules]

    def at_once():
        found = gradients(parameters, buffers)
        for key, value in parameters.items():
            value.sub_(found[key], alpha=0.01)

    def in_turn():
        for module, optimizer in zip(modules, optimizers, strict=True):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(x), y).backward()
            optimizer.step()

    once, turn = (least(call, repeats) / networks for call in (at_once, in_turn))
    print(
        f"  {name:12s} {networks} networks, batches of {size}: by torch.func {1e3 * once:7.2f} ms per network "
        f"and step, one after another {1e3 * turn:7.2f} ms: {once / turn:.2f} x"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["lenet5", "resnet8", "lstm", "transformer"])
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
    parser.add_argument("--together", type=int, help="number of networks")
    arguments = parser.parse_args()
    if arguments.together:
        print(f"one core, PyTorch {torch.__version__}")
        for name in arguments.models:
            together(name, arguments.together, arguments.size, arguments.repeats)
        return
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
