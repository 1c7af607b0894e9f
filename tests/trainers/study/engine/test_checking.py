"""Results that cannot be those of the run that asked for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import topograph as tg
from tests.trainers.study.conftest import TOPOLOGIES, study, toy_study
from tests.trainers.study.toy_trainers import toy_result
from topograph.errors import ConformanceError
from trainers import TrainingConfig, load_dataset
from trainers.study.engine.checking import check_result

TOPOLOGY = tg.Topology.build("regular_rotating", [64, 12, 10], [3, 4])
CONFIG = TrainingConfig(epochs=3, seed=2**40)
RESULT = toy_result(TOPOLOGY, CONFIG)
DENSE = sp.csr_array(np.ones((64, 12)))


def check(result):
    return check_result("mine", result, TOPOLOGY, load_dataset("digits"), CONFIG)


def layer(**changes):
    first = RESULT.weights[0]
    parts = {"data": first.data, "indices": first.indices, "indptr": first.indptr, "shape": first.shape} | changes
    return sp.csr_array((parts["data"], parts["indices"], parts["indptr"]), shape=parts["shape"])


def test_a_result_that_is_possible_passes_as_it_is():
    assert check(RESULT) is RESULT
    assert check(replace(RESULT, balanced_accuracy=1.0, correct=np.int64(0))).correct == 0


def test_weights_in_another_order_are_sorted():
    first = RESULT.weights[0]
    turned = np.arange(first.nnz).reshape(64, 3)[:, ::-1].ravel()  # each row backwards
    numbers = np.arange(first.nnz, dtype=np.float32)
    backwards = sp.csr_array((numbers[turned], first.indices[turned], first.indptr), shape=first.shape)
    result = replace(RESULT, weights=(backwards, RESULT.weights[1]), weight_stats=RESULT.weight_stats.iloc[:0])
    assert np.array_equal(check(result).weights[0].data, numbers)
    other_format = replace(RESULT, weights=tuple(weights.tocoo() for weights in RESULT.weights))
    assert np.array_equal(check(other_format).weights[0].indices, first.indices)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"correct": -3}, "correct=-3, but it must be a whole number from 0 to 360"),
        ({"correct": 361}, "correct=361"),
        ({"correct": 3.5}, "correct=3.5"),
        ({"correct": True}, "correct=True"),
        ({"correct": 10**5000}, r"correct=a number of 16610 bits"),
        ({"total": 1000}, "total=1000, but the test set has 360"),
        ({"total": 0}, "total=0"),
        ({"train_accuracy": 1.5}, "train_accuracy=1.5"),
        ({"train_accuracy": float("nan")}, "train_accuracy=nan"),
        ({"balanced_accuracy": -0.1}, "balanced_accuracy=-0.1"),
        ({"seconds": -1.0}, "seconds=-1.0"),
        ({"seconds": float("inf")}, "seconds=inf"),
        ({"device": None}, "device must be a string"),
        ({"config": CONFIG.replace(seed=1)}, "its config has seed=1, but seed=1099511627776 was asked for"),
        ({"config": CONFIG.replace(momentum=0.5)}, "momentum=0.5, but momentum=0.9"),
        ({"config": None}, "its config has epochs=None"),
        ({"history": {"loss": (1.0,) * 4}}, "has 4 values, but there were at most 3 epochs"),
        ({"history": {"loss": (float("nan"),)}}, "not a finite number"),
        ({"history": {"test_accuracy": (1.2,)}}, "an accuracy is in"),
        ({"history": {"loss": "high"}}, "must be a sequence of numbers"),
        ({"history": [1.0]}, "history is a list"),
        ({"weights": (DENSE, RESULT.weights[1])}, "layer 1 are not stored at exactly the 192 edges"),
        ({"weights": (layer(indices=(RESULT.weights[0].indices + 1) % 12), RESULT.weights[1])}, "exactly the 192"),
        ({"weights": (DENSE.toarray(), RESULT.weights[1])}, "are a ndarray, not a sparse array"),
        ({"weights": RESULT.weights[::-1]}, r"have shape \(12, 10\), but the layer has \(64, 12\)"),
        ({"weights": RESULT.weights[:1]}, "1 arrays of weights and 2 of biases, but 2 layers"),
        ({"weights": (layer(data=np.full(192, np.nan)), RESULT.weights[1])}, "not all finite"),
        ({"weights": (layer(data=np.full(192, 1j)), RESULT.weights[1])}, "not all finite real"),
        ({"biases": (np.zeros(3), np.zeros(10))}, "biases of layer 1"),
        ({"biases": (np.full(12, np.inf), np.zeros(10))}, "biases of layer 1 are not all finite"),
        ({"weight_stats": RESULT.weight_stats * 2}, "weight_stats of l1 are not the statistics"),
        ({"weight_stats": RESULT.weight_stats.iloc[:1]}, "must have the rows l1, l2"),
    ],
)  # fmt: skip
def test_impossible_results_are_refused(changes, words):
    with pytest.raises(ConformanceError, match=words):
        check(replace(RESULT, **changes))


def test_the_result_of_another_topology_is_refused():
    other = toy_result(tg.Topology.build("random_regular", [64, 12, 10], [3, 4], seed=1), CONFIG)
    with pytest.raises(ConformanceError, match="edges of the topology"):
        check(other)
    with pytest.raises(ConformanceError, match="of type dict, not a TrainingResult"):
        check({"correct": 3})


@pytest.mark.usefixtures("toys")
def test_a_study_keeps_no_impossible_result(tmp_path):
    summary, runs = study(tmp_path, toy_study("liar", seeds=range(4)), workers=1)
    assert (summary.trained, summary.failed) == (TOPOLOGIES, 3 * TOPOLOGIES)
    reasons = runs.groupby("seed")["reason"].first()
    assert "correct=-1" in reasons[1]
    assert "its config has seed=1002" in reasons[2]
    assert "edges of the topology" in reasons[3]
    assert set(runs.loc[runs["status"] == "done", "seed"]) == {0}


def test_edges_may_change_only_where_rewiring_was_asked_for_and_as_many_per_layer():
    rewired = CONFIG.replace(rewiring="set")
    last = tg.Topology.build("random_regular", [64, 12, 10], [3, 4], seed=1)
    fewer = tg.Topology.build("random_regular", [64, 12, 10], [3, 3], seed=1)
    result = replace(toy_result(last, rewired), topology=last)
    data = load_dataset("digits")
    assert check_result("mine", result, TOPOLOGY, data, rewired) is result
    for wrong, words in (
        (replace(result, topology=None), "its topology is of type NoneType"),
        (replace(toy_result(fewer, rewired), topology=fewer), "layer 2 ends with 36 edges, but began with 48"),
        (replace(result, topology=last[:1]), "its topology is 64-12"),
        (replace(toy_result(TOPOLOGY, rewired), topology=last), "weights of layer 1 are not stored at exactly"),
    ):
        with pytest.raises(ConformanceError, match=words):
            check_result("mine", wrong, TOPOLOGY, data, rewired)
    with pytest.raises(ConformanceError, match="rewiring='none'"):
        check(replace(toy_result(last, CONFIG), topology=last))


def masks_and_result(masks=None, **changes):
    """Masks of two layers that do not chain, and a result that is possible for them."""
    masks = masks or tg.MaskSet(
        {"conv.weight": tg.construct("erdos_renyi", 9, 4, edges=12, seed=0),
         "fc.weight": tg.construct("erdos_renyi", 16, 10, edges=30, seed=0)}
    )  # fmt: skip
    weights = tuple(graph.biadjacency.astype(np.float32) * 0.5 for graph in masks.values())
    whole = replace(RESULT, weights=weights, biases=(), weight_stats=pd.DataFrame(), topology=masks)
    return masks, replace(whole, **changes)


def test_results_of_models_are_checked_against_the_masks_by_name():
    data = load_dataset("digits")
    masks, result = masks_and_result()
    assert check_result("mine", result, masks, data, CONFIG) is result
    assert list(result.weight_stats.index) == ["conv.weight", "fc.weight"]
    fewer = tg.MaskSet({**masks, "fc.weight": tg.construct("erdos_renyi", 16, 10, edges=29, seed=0)})
    renamed = tg.MaskSet({"conv.weight": masks["conv.weight"], "head.weight": masks["fc.weight"]})
    for wrong, words in (
        (replace(result, topology=fewer), "its set of masks is not the one"),
        (replace(result, topology=renamed), "its set of masks is not"),
        (replace(result, topology=TOPOLOGY), "its set of masks is not"),
        (replace(result, weights=result.weights[::-1]), r"weights of layer conv.weight have shape \(16, 10\)"),
        (replace(result, biases=(np.zeros(4), np.zeros(10))), "2 of biases"),
        (replace(result, weight_stats=RESULT.weight_stats), "must have the rows conv.weight, fc.weight"),
    ):
        with pytest.raises(ConformanceError, match=words):
            check_result("mine", wrong, masks, data, CONFIG)
    rewired = CONFIG.replace(rewiring="set")
    with pytest.raises(ConformanceError, match=r"layer fc.weight ends with 29 edges, but began with 30"):
        check_result("mine", replace(masks_and_result(fewer)[1], config=rewired), masks, data, rewired)
