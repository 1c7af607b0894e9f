"""Functions that tests name as ``bad_factories:function``: most of them do not keep what a factory promises."""

import torch
from torch import nn


def fine(shape, classes, width=4):
    """A linear model over a few features."""
    size = int(torch.tensor(shape).prod())
    return nn.Sequential(nn.Flatten(), nn.Linear(size, width), nn.ReLU(), nn.Linear(width, classes))


def raises(shape, classes):
    raise RuntimeError("no such luck")


def gives_none(shape, classes):
    return None


def gives_a_number(shape, classes):
    return 7


def one_class_more(shape, classes):
    return fine(shape, classes + 1)


def gives_pairs(shape, classes):
    class Pairs(nn.Module):
        def forward(self, x):
            return x, x

    return Pairs()


def takes_other_samples(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3, classes))


def fails_in_training(shape, classes):
    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = fine(shape, classes)

        def forward(self, x):
            if self.training:
                raise KeyError("lost")
            return self.inner(x)

    return Failing()


def without_layers(shape, classes):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(classes))

        def forward(self, x):
            return x.flatten(1)[:, :1] * self.scale

    return Scaled()


def draws_everywhere(shape, classes):
    import random

    import numpy as np

    model = fine(shape, classes)
    with torch.no_grad():
        model[1].bias[0] = random.random()
        model[1].bias[1] = np.random.random()  # noqa: NPY002
    return model


not_a_function = 3


def draws_in_evaluation(shape, classes):
    """Noise on the outputs, in training and in evaluation: unusual, but not wrong."""

    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = fine(shape, classes)

        def forward(self, x):
            z = self.inner(x)
            return z + torch.randn_like(z)

    return Noisy()
