"""The graph of a whole network: time and memory of its row, and its figures beside brute force.

    OMP_NUM_THREADS=1 python benchmarks/whole_networks.py [--parts resnet bert spectrum brute]

resnet: the network row of ResNet-20 with masks of 10 %, first and second time.
bert: that of a transformer of 12 layers, 768 wide, with 128 tokens, dense and with 10 % of its weights (transformers).
spectrum: λ2 and the normalised gap of the largest component of LeNet-5 with masks of 10 %.
brute: a small ResNet's row beside the same graph written out as a matrix.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import torch
from torch import nn

import topograph as tg


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(after), nn.BatchNorm2d(after)])
        same = stride == 1 and before == after
        self.shortcut = nn.Identity() if same else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x):
        """The block's image."""
        y = self.norms[1](self.second(torch.relu(self.norms[0](self.first(x)))))
        return torch.relu(y + self.shortcut(x))


def resnet(blocks=3, width=16):
    """ResNet-(6 · blocks + 2)."""
    layers, before = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()], width
    for after, stride in ((width, 1), (2 * width, 2), (4 * width, 2)):
        for block in range(blocks):
            layers.append(Block(before, after, stride if block == 0 else 1))
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10)).eval()


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def masked(model, density):
    tg.MaskSet.build(model, "erdos_renyi", density=density, seed=0).apply_to(model)
    return model


def timed(model, metrics, example):
    """The network row, and the seconds of one core that it took: of a busy machine the clock says something else."""
    start = time.process_time()
    row = tg.measure(model, metrics, example=example, progress=False).loc["network"]
    return row, time.process_time() - start


def resnet_part():
    model = masked(resnet(), 0.1)
    for turn in ("first", "second"):
        row, seconds = timed(model, "network", (3, 32, 32))
        print(f"ResNet-20 at 10 %, {turn}: {seconds:.2f} s")
    print(row.to_string())


def bert_part():
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(), add_pooling_layer=False)
    words = torch.zeros(1, 128, dtype=torch.long)
    for name in ("dense", "10 %"):
        if name != "dense":
            with torch.no_grad():
                for weight_name, weight in model.named_parameters():
                    if weight.dim() == 2 and "embeddings" not in weight_name:
                        weight.mul_(torch.rand_like(weight) < 0.1)
        row, seconds = timed(model, "network", words)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"BERT base, 128 tokens, {name}: {seconds:.1f} s, peak of the process so far {peak:.2f} GB")
        print(row.to_string())


def spectrum_part():
    model = masked(lenet5(), 0.1)
    for metric in ("giant_connectivity", "giant_normalized_gap"):
        start = time.process_time()
        table = tg.measure(model, metric, example=(1, 28, 28), long=True, progress=False)
        seconds = time.process_time() - start
        value = table[table["layer"] == "network"].iloc[0]
        print(f"LeNet-5 at 10 %: {metric} {value['value']:.9g} ± {value['residual']:.1g}, {seconds:.1f} s")


def brute_part():
    model = masked(resnet(1, 2), 0.3)
    network = tg.network_graph(model, (3, 8, 8))
    begins, ends = network.edges()
    matrix = np.zeros((network.n_units, network.n_units))
    np.add.at(matrix, (begins - 1, ends - 1), 1)
    both = matrix + matrix.T
    values = np.linalg.eigvalsh(np.diag(both.sum(0)) - both)
    alphas = np.linalg.eigvalsh(both)
    paths = np.linalg.solve(np.eye(len(matrix)) - matrix, np.eye(len(matrix))[:, network.outputs - 1])
    counts = paths[network.inputs - 1]
    chosen = ["algebraic_connectivity", "adjacency_gap", "log_path_count", "reachability", "path_count_cv"]
    row = tg.measure(model, chosen, example=(3, 8, 8)).loc["network"]
    written = [
        values[1],
        alphas[-1] - alphas[-2],
        np.log(counts.sum()),
        (counts > 0.5).mean(),
        counts.std() / counts.mean(),
    ]
    for name, expected in zip(chosen, written, strict=True):
        print(f"ResNet-8, {network.n_units} units: {name} {row[name]:.12g}, written out {expected:.12g}")


PARTS = {"resnet": resnet_part, "bert": bert_part, "spectrum": spectrum_part, "brute": brute_part}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for part in parser.parse_args().parts:
        PARTS[part]()
