"""What is an edge: thresholds and densities, a layer's and global ones."""

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError, InvalidParameterError
from topograph.masks.edge_rule import largest


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64"])
@pytest.mark.parametrize("density", [0.001, 0.1, 0.5, 0.9, 1.0])
def test_density_is_exact(dtype, density):
    random = np.random.default_rng(0)
    weights = random.normal(size=(50, 40)) * 20
    weights = np.where(random.random(weights.shape) < 0.95, weights, 0).astype(dtype)
    graph = tg.load({"w": weights}, density=density)["w"]
    wanted = min(round(density * weights.size), np.count_nonzero(weights))
    assert graph.n_edges == wanted
    sizes, mask = np.abs(weights.astype(float)), graph.to_mask()
    if 0 < wanted < weights.size:
        assert sizes[mask].min() >= sizes[~mask].max()


def test_ties_fall_to_the_first():
    graph = tg.load({"w": np.ones((3, 4), dtype=np.int8)}, density=0.5)["w"]
    assert graph.edges().tolist() == [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0], [1, 1]]


def test_smallest_integer_has_a_magnitude():
    assert tg.load({"w": np.array([[-128, 1]], dtype=np.int8)}, density=0.5)["w"].edges().tolist() == [[0, 0]]


def test_global_density():
    random = np.random.default_rng(1)
    layers = {"a": random.normal(size=(30, 20)), "b": 3 * random.normal(size=(20, 10)).astype(np.float32)}
    masks = tg.load(layers, density=0.1, scope="global")
    assert sum(graph.n_edges for graph in masks.values()) == 80
    cut = np.sort(np.concatenate([np.abs(w).ravel() for w in layers.values()]))[-80]
    for name, weights in layers.items():
        assert np.array_equal(masks[name].to_mask(), np.abs(weights) >= cut)
    one_by_one = tg.load(layers, density=0.1)
    assert [graph.n_edges for graph in one_by_one.values()] == [60, 20]


def test_more_than_one_block():
    random = np.random.default_rng(2)
    weights = random.normal(size=(3000, 2000)).astype(np.float32)
    (rule,) = largest(lambda: [(weights, weights.size)], 0.01)
    assert np.count_nonzero(rule.keep(weights)) == 60_000


def test_threshold():
    weights = np.array([[0.5, -0.6], [0.0, 0.4]])
    assert tg.load({"w": weights}, threshold=0.5)["w"].edges().tolist() == [[0, 1]]
    assert tg.load({"w": weights}, threshold=0)["w"].n_edges == 3
    assert tg.measure(weights, ["n_edges"], threshold=0.45).loc["graph", "n_edges"] == 2


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"threshold": -1}, "threshold"),
        ({"density": 0}, "density"),
        ({"density": 1.5}, "density"),
        ({"density": 0.5, "threshold": 1}, "not both"),
        ({"scope": "global"}, "density="),
        ({"unfold": "flat"}, "unfold"),
        ({"include": []}, "include"),
        ({"orientation": "sideways"}, "orientation"),
        ({"treshold": 1}, "unknown option 'treshold'"),
    ],
)
def test_wrong_options(options, fault):
    with pytest.raises(InvalidParameterError, match=fault):
        tg.load({"w": np.eye(2)}, **options)
    with pytest.raises(InvalidParameterError, match=fault):
        tg.measure(np.eye(2), **options)


def test_not_finite():
    masks = tg.load({"w": np.array([[np.nan, 1.0]]), "v": np.eye(2)})
    assert "NaN" in masks.left_out["w"]
    with pytest.raises(InvalidMaskError, match="NaN"):
        tg.measure(np.array([[np.inf, 1.0]]))


def test_connections_have_no_magnitude():
    with pytest.raises(InvalidParameterError, match="need weights, but l1 has only edges"):
        tg.measure(tg.Topology.build("dense", [3, 2]), density=0.5)


@pytest.mark.parametrize("shape", [(300, 200), (1, 1), (1, 5), (5, 1)])
@pytest.mark.parametrize("share", [0, 0.02, 0.12, 0.13, 1])
def test_turned_the_quick_way_or_the_long_way(shape, share):
    weights = np.random.default_rng(3).random(shape)
    kept = weights < share
    assert tg.load({"w": kept}, orientation="out_in")["w"] == tg.BipartiteGraph.from_mask(kept.T)
