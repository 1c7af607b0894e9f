from __future__ import annotations

import math
import os

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import topograph as tg
from tests.toys import TOYS
from topograph.errors import InvalidMaskError, UnknownNameError
from topograph.metrics import WeightedGraph, describe_metrics, get_metric
from topograph.metrics.registry import SHORT, select_metrics

ALL = tg.available_metrics()
FAST = [metric.name for metric in select_metrics("fast")]


def evaluate(name, graph):
    """A metric of a lone graph: it is a chain of one, and its weights are 1."""
    metric = get_metric(name)
    if metric.needs == "chain":
        return metric.compute(tg.Topology([graph]))
    return metric.compute(WeightedGraph(graph, np.ones(graph.n_edges)) if metric.needs == "weights" else graph)


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_known_answers(toy):
    for name, expected in toy.answers.items():
        found = evaluate(name, toy.graph)
        assert found.value == pytest.approx(expected, rel=1e-9, abs=1e-7, nan_ok=True), name
        assert (found.reason is not None) == math.isnan(expected), name


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_sweep_range_and_reason(name, toy):
    metric = get_metric(name)
    found = evaluate(name, toy.graph)
    if math.isnan(found.value):
        assert found.reason
        assert math.isnan(found.residual)
    else:
        assert found.reason is None
        assert metric.low - 1e-9 <= found.value <= metric.high + 1e-9
        assert found.residual >= 0
        if metric.integer:
            assert float(found.value).is_integer()
    assert metric.summary
    assert metric.formula


@given(npst.arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))))
@example(np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1]], bool))  # rewired, it falls into stars: no path of three edges
@settings(max_examples=60)
def test_ranges_hold_for_any_mask(mask):
    table = tg.measure(mask, "all", long=True)
    for row in table.itertuples():
        metric = get_metric(row.metric)
        if math.isnan(row.value):
            assert isinstance(row.reason, str)
        else:
            assert metric.low - 1e-9 <= row.value <= metric.high + 1e-9


def test_measure_takes_anything(tmp_path):
    mask = np.array([[1, 1, 0], [0, 1, 1]])
    graph = tg.BipartiteGraph.from_mask(mask)
    np.save(tmp_path / "mask.npy", mask)
    sp.save_npz(tmp_path / "sparse.npz", sp.csr_array(mask))
    for source in (
        mask,
        mask.tolist(),
        sp.coo_array(mask),
        graph,
        [graph],
        {"a": mask},
        tmp_path / "mask.npy",
        str(tmp_path / "sparse.npz"),
    ):
        table = tg.measure(source, "fast")
        assert table["n_edges"].iloc[0] == 4
        assert table["algebraic_connectivity"].iloc[0] == pytest.approx(2 - 2 * math.cos(math.pi / 5))
        from_file = isinstance(source, (str, os.PathLike))  # which also says how it was read
        assert list(table.columns) == [*FAST, "reason", *(["read_as"] if from_file else [])]


@pytest.mark.parametrize("layout", ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"])
@pytest.mark.parametrize("kind", [sp.coo_array, sp.coo_matrix])
def test_every_layout_of_scipy_is_one_mask_alone_and_in_a_mapping(layout, kind):
    mask = np.eye(4, 6)
    matrix = kind(mask).asformat(layout)
    for source in (matrix, {"one": matrix}, {"one": matrix, "two": matrix}):
        assert set(tg.measure(source, ["n_edges"])["n_edges"].iloc[:1]) == {4}


def test_a_topology_has_a_row_a_layer_and_one_for_the_network():
    topology = tg.Topology.build("random_regular", [20, 12, 5], [4, 5], seed=1)
    table = tg.measure(topology, "fast")
    assert list(table.index) == ["l1", "l2", "network"]
    assert table.loc["network", "n_edges"] == topology.n_edges
    assert table.loc["network", "density"] == topology.density
    assert table.loc["network", "algebraic_connectivity"] == topology.as_graph().algebraic_connectivity()
    assert math.isnan(table.loc["network", "left_degree_mean"])
    assert "defined for a layer" in table.loc["network", "reason"]
    assert table.loc["l1", "reason"] == "degree_correlation: all connected inputs have the same degree"


def test_long_form_carries_residuals_and_reasons():
    table = tg.measure(np.zeros((2, 2)), metrics=["normalized_gap", "n_edges"], long=True)
    assert list(table.columns) == ["layer", "metric", "value", "residual", "reason"]
    row = table.set_index("metric").loc["normalized_gap"]
    assert math.isnan(row["value"])
    assert row["reason"] == "the graph has no edges"


def test_metrics_are_chosen_by_name_or_group():
    assert list(tg.measure([[1]], "density").columns) == ["density", "reason"]
    assert "left_degree_std" in tg.measure([[1]], ["degrees", "density"])
    with pytest.raises(UnknownNameError, match="did you mean 'density'"):
        tg.measure([[1]], "densty")
    with pytest.raises(tg.TopographError, match="at least one"):
        tg.measure([[1]], [])


def test_whole_numbers_stay_whole():
    table = tg.measure([[1, 0], [1, 1]])
    assert pd.api.types.is_integer_dtype(table["n_edges"])
    assert pd.api.types.is_float_dtype(table["density"])


def test_whole_numbers_stay_whole_where_a_network_has_none():
    table = tg.measure(tg.Topology.build("random_regular", [6, 5, 3], degrees=2))
    assert table["n_left"].dtype == "Int64"
    assert table.loc["network", "n_left"] is pd.NA
    assert table.loc["l1", "n_left"] == 6


def test_by_default_a_handful_of_columns_answers():
    table = tg.measure([[1, 0], [1, 1]])
    assert tuple(table.columns) == (*SHORT, "reason")
    assert set(SHORT) <= set(ALL)
    assert len(tg.measure([[1, 0], [1, 1]], "fast").columns) > 3 * len(SHORT)


def test_what_is_not_a_mask_has_no_row_and_a_reason_in_the_attributes():
    table = tg.measure({"fc": np.eye(3), "bias": np.ones(3), "norm": np.ones(4)})
    assert table.index.tolist() == ["fc"]
    assert set(table.attrs["left_out"]) == {"bias", "norm"}
    tidy = tg.measure({"fc": np.eye(3), "bias": np.ones(3)}, ["n_edges"], long=True)
    assert set(tidy["layer"]) == {"fc"}
    assert set(tidy.attrs["left_out"]) == {"bias"}


def test_the_catalogue_documents_every_metric():
    table = describe_metrics()
    assert list(table.index) == list(ALL)
    assert table["summary"].str.len().min() > 5
    assert table["formula"].str.len().min() > 0
    assert table["cost"].str.len().min() > 0
    themes = set(table["group"]) - {"sizes", "degrees", "structure"}
    assert (table.loc[table["group"].isin(themes), "reference"] != "").all()
    assert not table["fast"][table["needs"] != "graph"].any()


def test_bad_sources_are_refused_in_words(tmp_path):
    with pytest.raises(InvalidMaskError, match="has 3 dimensions, a mask has two"):
        tg.measure(np.ones((2, 2, 2)))
    with pytest.raises(InvalidMaskError, match="no such file"):
        tg.measure(tmp_path / "nothing.npy")
    with pytest.raises(InvalidMaskError, match="no mask among"):
        tg.measure({"bias": np.ones(3)})


# ---------------------------------------------------------------------- several sources at once


def test_a_mapping_of_sources_is_measured_one_by_one(tmp_path):
    topology = tg.Topology.build("random_regular", [6, 5, 3], degrees=2, seed=0)
    topology.save(tmp_path / "t.npz")
    np.save(tmp_path / "m.npy", np.eye(3))
    table = tg.measure({"file": tmp_path / "t.npz", "epoch 3": topology, "mask": np.eye(3)}, "n_edges")
    assert table.index.names == ["source", "layer"]
    assert table["n_edges"].tolist() == [12, 10, 22, 12, 10, 22, 3]
    epochs = tg.measure({epoch: {"fc": np.eye(epoch)} for epoch in (1, 2)}, "n_edges")
    assert epochs.index.tolist() == [(1, "fc"), (2, "fc")]
    tidy = tg.measure({1: topology, 2: topology}, ["density"], long=True)
    assert tidy.columns.tolist() == ["source", "layer", "metric", "value", "residual", "reason"]
    assert tidy["source"].tolist() == [1, 1, 1, 2, 2, 2]
    assert set(tidy.attrs["conventions"]) == {"density"}


def test_a_mapping_of_masks_is_one_source():
    assert tg.measure({"a": np.eye(2), "b": tg.BipartiteGraph.from_mask(np.eye(3))}, "n_edges").index.names == ["layer"]
