"""Null models keep what they say, and what is compared with them is judged as by hand."""

import numpy as np
import pandas as pd
import pytest

import topograph as tg
from topograph.design.nulls import NULLS, get_null
from topograph.errors import InvalidParameterError, UnknownNameError

NETWORK = tg.Topology.build("random_regular", [12, 9, 5], degrees=[3, 2], seed=0)
COLUMNS = ["value", "null_mean", "null_std", "low", "high", "z", "percentile", "p_value", "draws", "reason"]


def draws(null, graphs, count=200):
    draw, _ = get_null(null)
    generator = np.random.default_rng(1)
    return [draw(list(graphs), generator) for _ in range(count)]


def test_rewired_graphs_keep_every_degree_and_the_names():
    graph = NETWORK[0].labelled([f"g{i}" for i in range(12)])
    for (null,) in draws("rewired", [graph], 20):
        assert (null.left_degrees == graph.left_degrees).all()
        assert (null.right_degrees == graph.right_degrees).all()
        assert null.left_labels == graph.left_labels


def test_layerwise_graphs_keep_the_edges_of_each_layer():
    drawn = draws("layerwise", NETWORK)
    assert {tuple(g.n_edges for g in graphs) for graphs in drawn} == {(36, 18)}
    places = np.mean([graphs[0].to_mask() for graphs in drawn], axis=0)  # every place equally likely: 200 draws of 1/3
    assert abs(places - 1 / 3).max() < 5 * np.sqrt(2 / 9 / 200)


def test_erdos_renyi_keeps_the_edges_of_the_network_only():
    drawn = draws("erdos_renyi", NETWORK)
    counts = np.array([[g.n_edges for g in graphs] for graphs in drawn])
    assert set(counts.sum(axis=1)) == {54}
    room, rest, edges = 108, 45, 54
    mean = edges * room / (room + rest)
    variance = mean * rest / (room + rest) * (room + rest - edges) / (room + rest - 1)  # of the hypergeometric law
    assert counts[:, 0].mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 200))
    assert counts[:, 0].var() == pytest.approx(variance, rel=0.4)
    (alone,) = draws("erdos_renyi", NETWORK[:1], 1)
    assert alone[0].n_edges == 36


def test_a_construction_and_a_function_are_nulls_too():
    ((first, second),) = draws("biregular_random", NETWORK, 1)
    assert (first.n_edges, second.n_edges) == (36, 18)
    assert np.ptp(first.right_degrees) == 0
    table = tg.compare_with_null(NETWORK, "n_edges", null=lambda g, generator: g, draws=3)
    assert set(table["reason"]) == {"is the same for every null graph"}
    assert set(table["percentile"]) == {50}
    assert set(table["p_value"]) == {1}


def test_every_number_is_as_by_hand():
    counts = iter([2, 4, 4, 6, 9])

    def null(graph, generator):
        mask = np.zeros(12)
        mask[: next(counts)] = 1
        return tg.BipartiteGraph.from_mask(mask.reshape(4, 3))

    mask = np.zeros(12)
    mask[:6] = 1
    table = tg.compare_with_null(mask.reshape(4, 3), "n_edges", null=null, draws=5, level=0.5)
    assert list(table.columns) == COLUMNS
    row = table.loc[("graph", "n_edges")]
    assert (row["value"], row["null_mean"], row["low"], row["high"], row["draws"]) == (6, 5, 4, 6, 5)
    assert row["null_std"] == pytest.approx(np.std([2, 4, 4, 6, 9], ddof=1))
    assert row["z"] == pytest.approx(1 / np.std([2, 4, 4, 6, 9], ddof=1))
    assert row["percentile"] == pytest.approx(100 * (3 + 0.5) / 5)
    assert row["p_value"] == pytest.approx(2 * (1 + 2) / 6)  # two null values are as large or larger


def test_a_ring_is_a_poor_expander_for_its_degrees_and_a_random_graph_is_not():
    ring = tg.construct("regular_rotating", 80, 60, degree=4)
    usual = tg.design.rewire(ring, seed=5)
    table = tg.compare_with_null(
        {"ring": tg.Topology([ring]), "usual": tg.Topology([usual])},
        ["algebraic_connectivity", "left_degree_std", "n_butterflies"],
        draws=60,
    )
    assert table.index.names == ["source", "layer", "metric"]
    assert table.loc[("ring", "l1", "algebraic_connectivity"), "z"] < -5
    assert table.loc[("ring", "l1", "n_butterflies"), "z"] > 5
    assert table.loc[("ring", "l1", "algebraic_connectivity"), "p_value"] == pytest.approx(2 / 61)
    assert abs(table.loc[("usual", "l1", "algebraic_connectivity"), "z"]) < 4
    degrees = table.xs("left_degree_std", level="metric").xs("l1", level="layer")
    assert degrees["z"].isna().all()
    assert set(degrees["reason"]) == {"is the same for every null graph"}


def test_p_values_of_graphs_that_are_random_are_uniform():
    graphs = {str(seed): tg.construct("erdos_renyi", 14, 10, edges=50, seed=seed) for seed in range(60)}
    table = tg.compare_with_null(graphs, "n_butterflies", null="layerwise", draws=99)
    share = (table["p_value"] <= 0.2).mean()
    assert share < 0.2 + 4 * np.sqrt(0.2 * 0.8 / 60)
    assert 25 < table["percentile"].mean() < 75


def test_layers_and_the_network_have_rows(tmp_path):
    NETWORK.save(tmp_path / "t.npz")
    table = tg.compare_with_null(tmp_path / "t.npz", ["density", "path_count_cv", "reachability"], draws=10)
    assert table.index.get_level_values("layer").unique().tolist() == ["l1", "l2", "network"]
    assert table.loc[("network", "path_count_cv"), "null_std"] > 0
    assert table.loc[("l1", "reachability"), "reason"] == "defined for a whole network, not for a layer"
    assert table.attrs["null"] == NULLS["rewired"][1]
    pd.testing.assert_frame_equal(
        table, tg.compare_with_null(NETWORK, ["density", "path_count_cv", "reachability"], draws=10)
    )


def test_the_same_seed_gives_the_same_table():
    first, again, other = (tg.compare_with_null(NETWORK, "n_butterflies", draws=5, seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_what_is_undefined_has_a_reason():
    table = tg.compare_with_null(np.eye(4), ["ramanujan_ratio", "weighted_gap"], draws=4)
    assert table["value"].isna().all()
    assert "bound is 0" in table.loc[("graph", "ramanujan_ratio"), "reason"]
    assert "needs weights" in table.loc[("graph", "weighted_gap"), "reason"]
    masks = tg.MaskSet({"a": NETWORK[0]}, {"b": "a reason"})
    assert tg.compare_with_null(masks, "density", draws=2).attrs["left_out"] == {"b": "a reason"}


def test_the_short_form_is_the_same():
    pd.testing.assert_frame_equal(
        tg.measure(NETWORK, "density", null="layerwise"), tg.compare_with_null(NETWORK, "density", null="layerwise")
    )


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"null": "rewire"}, UnknownNameError, "unknown null model 'rewire'; did you mean 'rewired'"),
        ({"null": 3}, UnknownNameError, "unknown null model 3"),
        ({"draws": 1}, InvalidParameterError, "draws must be a whole number of at least 2"),
        ({"level": 1.0}, InvalidParameterError, "level must be a number in"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, says):
    with pytest.raises(error, match=says):
        tg.compare_with_null(NETWORK, **arguments)
