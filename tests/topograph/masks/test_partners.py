"""Masks that lie beside weights, in other dictionaries, under other names and in other shapes."""

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError
from topograph.masks.weights import spread_shape

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

torch.manual_seed(0)
W = torch.randn(64, 32)
M = (torch.rand(64, 32) < 0.25).float()
GRAPH = tg.BipartiteGraph.from_mask(M.T.numpy())


@pytest.mark.parametrize(
    "checkpoint",
    [
        {"state_dict": {"fc.weight": W}, "masks": {"fc.weight": M}},
        {"state_dict": {"fc.weight": W}, "masks": {"fc": M}},
        {"model": {"fc.weight": W}, "mask": {"fc.weight": M.bool()}},
        {"model": {"fc.weight": W}, "mask": {"module.fc.weight": M.to(torch.uint8)}},
        {"state_dict": {"module.fc.weight": W}, "compression_sched": {"masks_dict": {"module.fc.weight": M}}},
        {"fc.weight": W, "fc.sparse_mask": M},
        {"fc.weight": W, "fc._mask": M},
        {"fc.weight": W, "fc.weight_mask": M},
        {"fc.weight": W, "fc.mask_weight": M},
        {"fc.weight": W, "mask.fc.weight": M},
        {"fc.weight": W, "fc.weight.mask": M},
        {"fc.weight_orig": W, "fc.weight_mask": M},
        {"model": {"fc.weight": W}, "pruner": {"backward_masks": [M]}},
        {"model": {"fc.weight": W}, "ema_mask": {"fc.weight": M}},
    ],
)
def test_a_weight_has_the_edges_of_its_mask(checkpoint):
    masks = tg.load(checkpoint)
    assert list(masks.values()) == [GRAPH]
    assert "edges of the mask" in next(iter(masks.read_as.values()))


@pytest.mark.parametrize("name", ["fc.weight_mask", "fc.mask", "masks.fc.weight"])
@pytest.mark.parametrize("shape", [(64,), (64, 1), (1, 32), (32,)])
def test_a_mask_may_repeat_over_the_weight(name, shape):
    mask = (torch.rand(shape) < 0.5).float()
    spread = mask.reshape(-1, 1) if shape == (64,) else mask
    graph = next(iter(tg.load({"fc.weight": W, name: mask}).values()))
    assert graph == tg.BipartiteGraph.from_mask((spread * torch.ones(64, 32)).T.numpy())


def test_masks_of_filters():
    weight, mask = torch.randn(4, 3, 2, 2), torch.tensor([1.0, 0, 1, 0])
    graph = tg.load({"conv.weight": weight, "conv.weight_mask": mask})["conv.weight"]
    assert graph.right_degrees.tolist() == [12, 0, 12, 0]


def test_the_largest_weights_under_a_mask():
    kept = tg.load({"model": {"fc.weight": W}, "masks": {"fc.weight": M}}, density=0.1)["model.fc.weight"]
    inside = np.abs((W * M).numpy())
    cut = np.sort(inside.ravel())[-round(0.1 * W.numel())]
    assert kept == tg.BipartiteGraph.from_mask((inside >= cut).T)


def test_a_mask_of_other_numbers_is_not_a_mask():
    masks = tg.load({"fc.weight": W, "fc.weight_mask": M * 0.5, "head.weight": W})
    assert list(masks) == ["head.weight"]
    assert "other than 0 and 1" in masks.left_out["fc.weight"]


def test_scores_are_not_a_mask():
    masks = tg.load({"fc.weight": W, "fc.mask_scores": torch.randn(64, 32)})
    assert masks["fc.weight"].n_edges == W.numel()
    assert "fc.mask_scores" in masks.left_out


def test_a_mask_without_its_weight_is_left_out_and_a_file_of_masks_is_read():
    masks = tg.load({"fc.weight": W, "attn_mask": torch.ones(9, 9)})
    assert list(masks) == ["fc.weight"]
    assert "no weight of its name and shape" in masks.left_out["attn_mask"]
    assert list(tg.load({"fc1_mask": M, "fc2_mask": M})) == ["fc1_mask", "fc2_mask"]
    assert list(tg.load({"masks": {"fc.weight": M}})) == ["masks.fc.weight"]


def test_masks_in_a_list_are_told_where_the_shape_cannot_join_them():
    state = {"model": {"a.weight": W, "b.weight": W}, "masks": [M, M], "c": {"c.weight": torch.ones(3, 2)}}
    masks = tg.load(state)
    assert masks["model.a.weight"].n_edges == W.numel()
    assert "in doubt: the mask masks.0 has its shape" in masks.read_as["model.a.weight"]
    budget = tg.load(state, density=0.5, scope="global")
    assert list(budget) == ["c.c.weight"]
    assert "left out of a density over all layers" in budget.left_out["model.a.weight"]


def test_shapes_over_which_a_mask_spreads():
    assert spread_shape((4, 3), (4, 3, 2, 2)) == (4, 3, 1, 1)
    assert spread_shape((1, 1), (4, 3)) is None
    assert spread_shape((3, 4), (4, 3)) is None


def test_a_weight_that_is_not_read_keeps_its_mask_unread():
    with pytest.raises(InvalidMaskError, match="no mask among"):
        tg.load({"fc.bias": torch.ones(3), "fc.bias_mask": torch.ones(3)})
