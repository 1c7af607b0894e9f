"""Convolutions, pooling, residual sums and concatenations, against graphs written out by hand."""

import itertools

import numpy as np
import pytest

from tests.topograph.model_graph.compared import check_against, randomly_masked, there
from tests.topograph.model_graph.written_out import Written, flat, image

torch = pytest.importorskip("torch")
nn = torch.nn


def pooled(written, name, maps, size, step):
    """Windows of an image as nodes, an edge from each pixel."""
    height, width = len(maps[0]), len(maps[0][0])
    high, wide = (height - size) // step + 1, (width - size) // step + 1
    result = image(name, len(maps), high, wide)
    for c, y, x in itertools.product(range(len(maps)), range(high), range(wide)):
        node = written.node(result[c][y][x])
        for a, b in itertools.product(range(size), range(size)):
            written.edge(maps[c][y * step + a][x * step + b], node)
    return result


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "padding": 1},
        {"stride": (2, 1), "padding": (1, 1), "dilation": (1, 2)},
        {"groups": 2, "padding": 1},
        {"groups": 4},
    ],
)
def test_a_convolution_before_a_dense_layer(options, seed):
    model = nn.Sequential(nn.Conv2d(4, 4, 3, **options), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
    model(torch.ones(1, 4, 4, 5))
    randomly_masked(model, seed, density=0.15)
    pixels = image("in", 4, 4, 5)
    written = Written(flat(pixels))
    pair = {
        name: (value, value) if isinstance(value, int) and name != "groups" else value
        for name, value in options.items()
    }
    maps = written.convolution("conv", pixels, there(model[0]), lambda *place: ("conv", *place), **pair)
    written.outputs = written.layer("fc", flat(maps), [("out", i) for i in range(3)], there(model[3]))
    written.hidden = {name for name in written.neurons if name[0] == "conv"}
    check_against(model, (4, 4, 5), written)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AvgPool2d(2), nn.MaxPool2d(3, 1), nn.LPPool2d(1, 2)])
def test_pooling_adds_the_pixels_of_its_windows(pool):
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), pool, nn.Conv2d(3, 2, 2), nn.Flatten())
    randomly_masked(model, 3, density=0.4)
    pixels = image("in", 1, 6, 6)
    written = Written(flat(pixels))
    maps = written.convolution("one", pixels, there(model[0]), lambda *place: ("one", *place))
    size, step = (3, 1) if getattr(pool, "kernel_size", 2) == 3 else (2, 2)
    maps = pooled(written, "pool", maps, size, step)
    maps = written.convolution("two", maps, there(model[4]), lambda *place: ("two", *place))
    written.outputs = flat(maps)
    written.hidden = {name for name in written.neurons if name[0] == "one"}
    check_against(model, (1, 6, 6), written)


class Residual(nn.Module):
    """A block with a convolution around which the image is handed on, and one with a convolution as its shortcut."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 2, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2)
        self.second = nn.Conv2d(2, 3, 3, padding=1, stride=2)
        self.shortcut = nn.Conv2d(2, 3, 1, stride=2)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)) + x)
        x = torch.relu(self.second(x) + self.shortcut(x))
        return self.head(x.mean(dim=(2, 3)))


@pytest.mark.parametrize("seed", range(4))
def test_what_only_a_residual_sum_reads_hands_its_edges_over(seed):
    model = randomly_masked(Residual(), seed, density=0.12)
    pixels = image("in", 2, 4, 4)
    written = Written(flat(pixels))
    sums = written.convolution("first", pixels, there(model.first), lambda *place: ("a", *place), padding=(1, 1))
    for before, after in zip(flat(pixels), flat(sums), strict=True):
        written.edge(before, after)
    for name, layer, padding in (("second", model.second, (1, 1)), ("shortcut", model.shortcut, (0, 0))):
        maps = written.convolution(
            name, sums, there(layer), lambda *place: ("b", *place), padding=padding, stride=(2, 2)
        )
    means = [written.node(("mean", c)) for c in range(3)]
    for c in range(3):
        for pixel in flat(maps[c]):
            written.edge(pixel, means[c])
    written.outputs = written.layer("head", means, ["x", "y"], there(model.head))
    written.hidden = {name for name in written.neurons if name[0] in ("first", "second")}
    check_against(model, (2, 4, 4), written)


class Joined(nn.Module):
    """Two branches side by side, reshaped and turned on the way."""

    def __init__(self):
        super().__init__()
        self.left = nn.Conv1d(2, 3, 2)
        self.right = nn.Conv1d(2, 2, 2)
        self.head = nn.Linear(20, 3)

    def forward(self, x):
        both = torch.cat([self.left(x), self.right(x)], dim=1)  # 5 × 4
        turned = both.permute(0, 2, 1).reshape(x.shape[0], -1)
        return self.head(turned)


def test_concatenations_and_turned_axes_make_no_units():
    model = randomly_masked(Joined(), 0, density=0.3)
    places = [[("in", c, 0, x) for x in range(5)] for c in range(2)]
    written = Written(flat(places))
    maps = []
    for name, layer in (("left", model.left), ("right", model.right)):
        kernel = there(layer)[:, :, None, :]
        maps += written.convolution(name, [[row] for row in places], kernel, lambda *place, n=name: (n, *place))
    turned = [maps[channel][0][position] for position in range(4) for channel in range(5)]
    written.outputs = written.layer("head", turned, ["a", "b", "c"], there(model.head))
    written.hidden = {name for name in written.neurons if name[0] != "head"}
    check_against(model, (2, 5), written)


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "output_padding": 1, "padding": 1}, {"dilation": 2, "groups": 2}]
)
def test_a_transposed_convolution_is_its_own_unrolled_graph(options):
    """Written out from PyTorch's own answer to single pixels and single weights."""
    layer = nn.ConvTranspose2d(2, 4, 2, bias=False, **options)
    model = randomly_masked(nn.Sequential(layer, nn.Flatten(), nn.LazyLinear(2)), 2, density=0.4, example=(2, 3, 3))
    pixels = image("in", 2, 3, 3)
    written = Written(flat(pixels))
    mask = there(layer)
    with torch.no_grad():
        shape = layer(torch.zeros(1, 2, 3, 3)).shape[1:]
        for place in np.ndindex(*shape):
            written.node(("t", *place), ("t", place[0]))
        for weight in np.argwhere(mask):
            single = nn.ConvTranspose2d(2, 4, 2, bias=False, **options)
            single.weight.data = torch.zeros_like(layer.weight)
            single.weight.data[tuple(weight)] = 1.0
            for pixel in flat(pixels):
                one = torch.zeros(1, 2, 3, 3)
                one[0][pixel[1:]] = 1.0
                for target in np.argwhere(single(one)[0].numpy()):
                    written.edge(pixel, ("t", *map(int, target)), ("t", *map(int, weight)))
    order = [("t", *map(int, place)) for place in np.ndindex(*shape)]
    written.outputs = written.layer("fc", order, ["a", "b"], there(model[2]))
    written.hidden = {name for name in written.neurons if name[0] == "t"}
    check_against(model, (2, 3, 3), written)


def test_adaptive_pooling_reads_overlapping_windows():
    model = randomly_masked(
        nn.Sequential(nn.Conv1d(1, 2, 2), nn.AdaptiveAvgPool1d(3), nn.Flatten(), nn.Linear(6, 2)), 1, 0.6
    )
    places = [("in", x) for x in range(6)]
    written = Written(places)
    kernel = there(model[0])[:, :, None, :]
    maps = written.convolution("conv", [[places]], kernel, lambda *place: ("conv", *place))
    windows = [[0, 1], [1, 2, 3], [3, 4]]  # of 5 positions, PyTorch's rule
    pools = []
    for channel in range(2):
        for number, window in enumerate(windows):
            pools.append(written.node(("pool", channel, number)))
            for position in window:
                written.edge(maps[channel][0][position], pools[-1])
    written.outputs = written.layer("fc", pools, ["a", "b"], there(model[3]))
    written.hidden = {name for name in written.neurons if name[0] == "conv"}
    check_against(model, (1, 6), written)
