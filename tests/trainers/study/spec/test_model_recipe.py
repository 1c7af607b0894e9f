from __future__ import annotations

import pytest

import topograph as tg
from tests.trainers.study.toy_models import RAISES, TINY, model_study
from topograph.errors import InvalidDatasetError, InvalidModelError
from topograph.masks.building import allocate, maskable_layers
from trainers import TrainingConfig, load_dataset
from trainers.models import ModelSpec
from trainers.pruning import prune
from trainers.study.plan.runs import plan_runs
from trainers.study.spec import ModelRecipe, StudySpec, Variant, recipe_from_record
from trainers.study.spec.model_size import ModelSize, model_size
from trainers.study.spec.pruned import Pruned

torch = pytest.importorskip("torch")
DATA = Pruned("digits", "{}")
MODEL = ModelSpec(TINY)


def recipe(construction="erdos_renyi", density=0.4, allocation="uniform", seed=0, **more):
    return ModelRecipe(MODEL, construction, density, allocation, seed, DATA, **more)


def test_the_same_masks_are_made_every_time_and_are_those_of_mask_set_build():
    made = recipe(allocation="erk", seed=3).build()
    model = MODEL.build(load_dataset("digits"), seed=3)
    expected = tg.MaskSet.build(model, "erdos_renyi", density=0.4, allocation="erk", seed=3)
    assert dict(made) == dict(expected) == dict(recipe(allocation="erk", seed=3).build())
    assert made.content_hash == expected.content_hash
    assert made.content_hash != recipe(allocation="erk", seed=4).build().content_hash
    assert sum(graph.n_edges for graph in made.values()) == recipe().expected_edges


def test_a_hash_of_masks_knows_the_names_of_their_layers():
    graph = tg.construct("erdos_renyi", 5, 4, edges=8, seed=0)
    assert tg.MaskSet({"a": graph}).content_hash != tg.MaskSet({"b": graph}).content_hash
    assert tg.MaskSet({"a": graph}).content_hash == tg.MaskSet({"a": graph}, read_as={"a": "turned"}).content_hash


@pytest.mark.parametrize("pruner", ["snip", "magnitude"])
def test_a_pruners_masks_are_those_of_the_models_initial_weights_at_the_seed(pruner):
    data = load_dataset("digits")
    made = recipe(pruner, allocation="global", seed=2).build()
    expected = prune(pruner, MODEL.build(data, seed=2), data, density=0.4, seed=2, input_shape=data.shape,
                     config=TrainingConfig(seed=2))  # fmt: skip
    assert dict(made) == dict(expected)
    by_layer = recipe("magnitude", allocation="erk", options=(("scope", "layer"),)).build()
    layers, _ = maskable_layers(MODEL.build(data))
    assert {name: graph.n_edges for name, graph in by_layer.items()} == allocate(layers, density=0.4, allocation="erk")


def test_constructions_of_a_random_number_of_edges_take_their_share_as_an_expectation():
    made = recipe("random_edge", density=0.5, allocation="er").build()
    dense = recipe("dense", density=1.0).build()
    assert all(graph.density == 1 or "grouped" in name for name, graph in dense.items())
    assert sum(graph.n_edges for graph in dense.values()) == recipe(density=1.0).expected_edges
    assert 0.3 < sum(graph.n_edges for graph in made.values()) / recipe(density=1.0).expected_edges < 0.7


def test_variants_of_a_model_keep_its_degrees():
    plain, rewired = recipe().build(), recipe(variant=Variant.from_spec("rewired")).build()
    assert list(plain) == list(rewired)
    for name, graph in plain.items():
        assert graph.left_degrees.tolist() == rewired[name].left_degrees.tolist()
    assert dict(plain) != dict(rewired)


def test_other_data_of_the_same_name_and_a_factory_that_fails_are_noticed():
    with pytest.raises(InvalidDatasetError, match="other content"):
        recipe().planned(0, "0" * 64).build()
    with pytest.raises(InvalidModelError, match=r"toy_models:raises.*no such luck"):
        ModelRecipe(ModelSpec(RAISES), "erdos_renyi", 0.1, "uniform", 0, DATA).build()


def test_records_bring_back_the_recipe_and_its_kind():
    content = model_study(
        models=[TINY, {"name": "lstm", "hidden": [4, 8]}], constructions=["snip", "erdos_renyi"],
        variants=["plain", {"rewire": "max", "steps": 5}], allocations=["er", "erk"],
    )  # fmt: skip
    for run in plan_runs(StudySpec.from_mapping(content)):
        assert recipe_from_record(run.recipe.to_record()) == run.recipe


def test_the_whole_model_is_measured_with_its_masks_on():
    masks = recipe().build()
    model, shape = recipe().measurable(masks)
    assert shape == (8, 8)
    table = tg.measure(model, ["n_edges", "density"], example=shape)
    assert list(table.index) == [*masks, "network"]
    assert table.loc["network", "n_edges"] == sum(graph.n_edges for graph in masks.values())


def test_sizes_count_what_convolutions_multiply_at_every_place():
    size = model_size(ModelSpec("lenet5"), "digits")
    assert size.multiplications > 2 * size.room > 0
    rows = model_size(ModelSpec("lstm", {"hidden": 16}), "digits")
    assert rows.multiplications == 8 * (rows.room - 160) + 160  # a digit has eight rows; the last layer reads one state
    assert model_size(ModelSpec(RAISES), "digits") == ModelSize(0, 0.0)
