"""Tiny models that tests of studies name as ``tests.trainers.study.toy_models:function``."""

from __future__ import annotations


def tiny(shape, classes, width=4):
    """A grouped convolution, a recurrent cell and a linear layer."""
    import torch

    class Tiny(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(1, width, 3, stride=2)
            self.grouped = torch.nn.Conv2d(width, width, 3, groups=2)
            self.lstm = torch.nn.LSTM(width, 6, batch_first=True)
            self.fc = torch.nn.Linear(6, classes)

        def forward(self, x):
            x = torch.relu(self.grouped(torch.relu(self.conv(x.unsqueeze(1)))))
            steps, _ = self.lstm(x.flatten(2).transpose(1, 2))
            return self.fc(steps[:, -1])

    return Tiny()


def raises(shape, classes):
    """A factory that fails."""
    raise RuntimeError("no such luck")


TINY = "tests.trainers.study.toy_models:tiny"
RAISES = "tests.trainers.study.toy_models:raises"
SETTINGS = {
    "epochs": 1,
    "batch_size": 256,
    "loss": "cross_entropy",
    "output_activation": "softmax",
    "optimizer": "adam",
    "learning_rate": 0.01,
}


def model_study(**grid):
    """A small study of the tiny model."""
    filled = {"models": TINY, "constructions": "erdos_renyi", "densities": 0.4, **grid}
    return {"name": "tiny", "grid": filled, "training": dict(SETTINGS), "metrics": ["short"]}
