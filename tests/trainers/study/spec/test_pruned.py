"""Pruners beside constructions, rewiring as an axis, the controls of random tickets; and what ids know of them."""

import json

import pytest

import topograph as tg
from topograph.errors import InvalidDatasetError, SpecError
from trainers import TrainingConfig, load_dataset
from trainers.pruning import prune
from trainers.study import StudySpec
from trainers.study.plan import plan_runs
from trainers.study.spec import Recipe
from trainers.study.spec.variants import Variant


def spec_of(settings=None, **grid):
    asked = {
        "datasets": "digits", "architectures": [64, 12, 10], "densities": 0.2, "constructions": ["erdos_renyi", "snip"],
    }  # fmt: skip
    return StudySpec.from_mapping({"name": "s", "grid": asked | grid, "training": settings or {"epochs": 1}})


def ids(spec, construction="snip"):
    return {run.run_id for run in plan_runs(spec) if run.recipe.construction == construction}


def keys(spec, construction="snip"):
    return {run.recipe_key for run in plan_runs(spec) if run.recipe.construction == construction}


def test_a_pruned_topology_is_that_of_the_pruner_at_the_topology_seed():
    pytest.importorskip("torch")
    (run,) = [run for run in plan_runs(spec_of(topology_seeds=3)) if run.recipe.construction == "snip"]
    config = TrainingConfig(seed=3, initial_draws="dense")
    dense = tg.Topology.build("dense", [64, 12, 10])
    expected = prune("snip", dense, load_dataset("digits"), density=0.2, seed=3, config=config).to_topology()
    assert run.recipe.build() == expected
    assert Recipe.from_record(json.loads(json.dumps(run.recipe.to_record()))).build() == expected


def test_a_layer_wise_pruner_keeps_what_the_densities_say_of_each_layer():
    spec = spec_of(constructions=[{"name": "magnitude"}], densities=[[0.1, 0.5]])
    (run,) = plan_runs(spec)
    assert [graph.n_edges for graph in run.recipe.build()] == [77, 60]
    shared = spec_of(constructions=[{"name": "magnitude", "allocation": "er"}], densities=[[0.1, 0.5]])
    (other,) = plan_runs(shared)
    assert other.recipe.build().n_edges == 137
    assert [graph.n_edges for graph in other.recipe.build()] != [77, 60]


def test_ids_know_the_settings_that_a_pruner_reads_and_no_others():
    base = keys(spec_of())
    assert (
        keys(spec_of({"epochs": 7, "learning_rate": 0.5, "initial_draws": "dense"})) == base
    )  # made once, trained often
    assert keys(spec_of({"epochs": 1, "activation": "tanh"})) != base
    assert keys(spec_of({"epochs": 1, "initialization": "he_normal"})) != base
    assert keys(spec_of(topology_seeds=1)) != base
    assert len(keys(spec_of(training_seeds=[0, 1, 2]))) == 1
    weights = keys(spec_of(constructions="synflow"), "synflow")
    assert keys(spec_of({"epochs": 1, "activation": "tanh"}, constructions="synflow"), "synflow") == weights
    trained = keys(spec_of(constructions="imp"), "imp")
    assert keys(spec_of({"epochs": 2}, constructions="imp"), "imp") != trained


def test_other_data_of_the_same_name_are_noticed():
    (run,) = plan_runs(spec_of(constructions="magnitude"))
    record = run.recipe.to_record()
    assert record["pruned"]["data_hash"] == load_dataset("digits").content_hash
    record["pruned"]["data_hash"] = "0" * 64
    with pytest.raises(InvalidDatasetError, match="other content"):
        Recipe.from_record(record).build()


def test_ids_of_constructions_are_what_they_were():
    """A record without a pruner and a config of defaults hash as before pruning and rewiring existed."""
    (run,) = plan_runs(spec_of(constructions="erdos_renyi"))
    assert "pruned" not in run.recipe.to_record()
    assert run.condition.settings == '{"epochs": 1}'


def test_rewirings_are_an_axis_and_a_setting():
    spec = spec_of(constructions="erdos_renyi", rewirings=["none", "set", "rigl"])
    assert [point.config.rewiring for point in spec.points] == ["none", "set", "rigl"]
    assert ids(spec_of(constructions="erdos_renyi"), "erdos_renyi") < ids(spec, "erdos_renyi")
    with pytest.raises(SpecError, match="rewiring is given twice"):
        spec_of(rewirings="set", training={"rewiring": "rigl"})
    with pytest.raises(SpecError, match="riggle"):
        spec_of(rewirings="riggle")


def test_names_that_are_neither_constructions_nor_pruners_are_refused_with_both():
    with pytest.raises(SpecError, match=r"snipe.*snip"):
        spec_of(constructions="snipe")
    with pytest.raises(SpecError, match=r"option of snip"):
        spec_of(constructions={"name": "snip", "turns": 3})


def test_shuffled_layers_keep_each_layers_number_and_nothing_else():
    topology = tg.Topology.build("random_regular", [30, 20, 10], degrees=[4, 10], seed=0)
    drawn = Variant.from_spec("shuffled_layers").apply(topology, 5)
    assert [graph.n_edges for graph in drawn] == [graph.n_edges for graph in topology]
    assert drawn[0] != topology[0]
    assert set(drawn[0].left_degrees) != {4}
    assert drawn[1] == topology[1]  # dense
    assert drawn == Variant.from_spec("shuffled_layers").apply(topology, 5)
    assert drawn != Variant.from_spec("shuffled_layers").apply(topology, 6)
    assert Variant.from_spec("rewired") == Variant.from_spec("null")
