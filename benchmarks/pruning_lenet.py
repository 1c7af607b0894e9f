"""Pruners and rewiring rules on LeNet-5 and Fashion-MNIST, in a plain PyTorch loop, on a GPU where there is one.

    TOPOGRAPH_DATA=<folder with fashion-mnist/> python benchmarks/pruning_lenet.py STORE.sqlite [--processes 12]
    python benchmarks/pruning_lenet.py STORE.sqlite --read

Each network is recorded by `analysis.record` as soon as it is trained, and none is trained twice. Runs come in order of
their seed, so whatever stops it leaves whole seeds behind. A pruner's random ticket has as many edges in each layer,
drawn anew; a rule begins with the masks of the row ``erdos_renyi``.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

import analysis
import topograph as tg
from trainers import TrainingConfig, load_dataset
from trainers.pruning import prune
from trainers.rewiring import ModuleRewiring

PRUNERS = ("random", "magnitude", "snip", "grasp", "synflow", "phew")
RULES = ("set", "rigl", "mest", "cht")
DENSITIES = (0.02, 0.05, 0.1, 0.2)
EPOCHS, BATCH, RATE = 5, 100, 2e-3
METRICS = ("density", "normalized_gap", "isolated_left", "isolated_right")


def lenet5(torch, seed):
    """LeNet-5 with ReLU and the largest of each four."""
    nn = torch.nn
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def plan(seeds):
    """Every network: seed, density, method, rule and whether it is a random ticket."""
    for seed in range(seeds):
        yield seed, 1.0, "dense", "none", False
        for density in DENSITIES:
            for ticket in (False, True):
                yield from ((seed, density, method, "none", ticket) for method in PRUNERS)
            yield from ((seed, density, "erdos_renyi", rule, False) for rule in ("none", *RULES))


def make_masks(torch, model, data, method, density, seed, ticket):
    """The masks that a network begins with."""
    if method == "erdos_renyi":
        return tg.MaskSet.build(model, method, density=density, seed=seed)
    masks = prune(method, model, data, density=density, seed=seed, input_shape=(1, 28, 28))
    if not ticket:
        return masks
    drawn = {}
    for number, (name, graph) in enumerate(masks.items()):
        generator = np.random.default_rng([seed, number])
        mask = np.zeros(graph.n_left * graph.n_right, dtype=bool)
        mask[generator.choice(mask.size, graph.n_edges, replace=False)] = True
        drawn[name] = tg.BipartiteGraph.from_mask(mask.reshape(graph.shape))
    return tg.MaskSet(drawn)


def train(torch, model, masks, arrays, rule, seed, epochs):
    """Train in place; the share of test images that are told right, and the masks at the end."""
    x, y, x_test, y_test = arrays
    steps = len(y) // BATCH
    rewiring = None
    if rule != "none":
        config = TrainingConfig(rewiring=rule, epochs=epochs, seed=seed)
        rewiring = ModuleRewiring(model, masks, config, steps_per_epoch=steps)
    elif masks is not None:
        masks.apply_to(model)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    orders = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        order = torch.randperm(len(y), generator=orders).to(x.device)
        for step in range(steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            if rewiring is None or rewiring.step(optimizer):
                optimizer.step()
    with torch.no_grad():
        right = (model(x_test).argmax(1) == y_test).float().mean().item()
    return right, rewiring.masks if rewiring is not None else masks


def work(store, number, processes, seeds, epochs, device):
    """Train every so-manyth network that is not recorded yet."""
    import torch

    torch.set_num_threads(1)
    data = load_dataset("fashion-mnist")
    x, x_test = (torch.from_numpy(np.array(a)).reshape(-1, 1, 28, 28).to(device) for a in (data.x_train, data.x_test))
    arrays = x, torch.from_numpy(np.array(data.y_train)).to(device), x_test, torch.from_numpy(data.y_test).to(device)
    there = recorded(store)
    for seed, density, method, rule, ticket in itertools.islice(plan(seeds), number, None, processes):
        named = {"seed": seed, "density": density, "construction": method, "rewiring": rule, "ticket": str(ticket)}
        if tuple(named.values()) in there:
            continue
        began = time.perf_counter()
        model = lenet5(torch, seed)
        masks = None if method == "dense" else make_masks(torch, model, data, method, density, seed, ticket)
        accuracy, last = train(torch, model.to(device), masks, arrays, rule, seed, epochs)
        analysis.record(
            store, last or tg.MaskSet.build(model, "dense"), metrics=METRICS, test_accuracy=accuracy,
            outcomes={"seconds": time.perf_counter() - began}, dataset="fashion-mnist", epochs=epochs, **named,
        )  # fmt: skip
        print(f"{method} {rule} {'ticket ' * ticket}at {density:.0%}, seed {seed}: {accuracy:.2%}", flush=True)


def recorded(store):
    """What is in the store, by what tells networks from each other."""
    if not Path(store).exists():
        return set()
    frame = analysis.load_frame(store)
    return set(frame[["seed", "density", "construction", "rewiring", "ticket"]].itertuples(index=False, name=None))


def interval(values):
    """A mean with Student's 95 % interval."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return f"{values.mean():.1f}"
    reach = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.1f} ({values.mean() - reach:.1f} … {values.mean() + reach:.1f})"


def show(store):
    """Accuracies in %, and what each pruner and rule adds to its control, seed by seed."""
    frame = analysis.load_frame(store).assign(points=lambda rows: 100 * rows["test_accuracy"])
    plain, ticket = (frame[frame["ticket"].astype(str) == name] for name in ("False", "True"))
    rule = plain["rewiring"]
    plain = plain.assign(method=plain["construction"].where(rule == "none", "erdos_renyi + " + rule))
    print(f"{len(frame)} networks, {plain['seed'].nunique()} seeds\n\nTest accuracy, %\n")
    columns = [*DENSITIES, 1.0]
    print(_markdown(plain.groupby(["method", "density"])["points"].apply(interval).unstack(), columns))
    keys = ["density", "seed"]
    fixed = plain[plain["method"] == "erdos_renyi"].set_index(keys)["points"]
    tickets = ticket.set_index(["construction", *keys])["points"]
    rows = {}
    for method, part in plain.groupby("method"):
        points = part.set_index(keys)["points"]
        if method in PRUNERS:
            control, name = tickets.loc[method], f"{method} less its random ticket"
        elif "+" in method:
            control, name = fixed, f"{method} less fixed edges"
        else:
            continue
        rows[name] = (points - control).dropna().groupby("density").apply(interval)
    print("\nDifferences, points\n")
    print(_markdown(pd.DataFrame(rows).T, list(DENSITIES)))
    graphs = (
        plain[plain["density"] == 0.05]
        .groupby("method")[
            ["mean_normalized_gap", "min_normalized_gap", "max_isolated_left", "min_density", "max_density"]
        ]
        .mean()
    )
    print("\nThe graphs at 5 %, at the end of training: means, least and largest over layers\n")
    print(_markdown(graphs.map("{:.3g}".format), list(graphs.columns)))


def _markdown(table, columns):
    names = [f"{name:.0%}" if isinstance(name, float) else name for name in columns]
    rows = [[str(key), *("–" if pd.isna(row.get(c)) else row[c] for c in columns)] for key, row in table.iterrows()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [["method", *names], ["---"] * (len(names) + 1), *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--device", help="(default: a GPU where there is one)")
    parser.add_argument("--read", action="store_true", help="train nothing, print the tables")
    options = parser.parse_args()
    if not options.read:
        import torch

        device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
        os.environ["OMP_NUM_THREADS"] = "1"
        context = multiprocessing.get_context("spawn")
        workers = [
            context.Process(
                target=work, args=(options.store, number, options.processes, options.seeds, options.epochs, device)
            )
            for number in range(options.processes)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    show(options.store)


if __name__ == "__main__":
    main()
