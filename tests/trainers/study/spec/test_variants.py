from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import topograph as tg
from topograph.errors import SpecError
from topograph.masks.building import maskable_layers
from topograph.masks.groups import split_groups
from trainers.study.plan.runs import plan_runs
from trainers.study.spec.study_spec import StudySpec
from trainers.study.spec.variants import PLAIN, Variant

TOPOLOGY = tg.Topology.build("regular_rotating", [24, 18, 5], [4, 5])


@pytest.mark.parametrize("entry", ["null", {"rewire": "max", "steps": 40}, {"rewire": "min", "steps": 40}])
def test_rewiring_keeps_every_degree_and_leaves_dense_layers_alone(entry):
    variant = Variant.from_spec(entry)
    changed = variant.apply(TOPOLOGY, seed=3)
    assert changed == variant.apply(TOPOLOGY, seed=3)
    assert changed != TOPOLOGY
    assert changed[1] == TOPOLOGY[1]
    assert changed[0].left_degrees.tolist() == TOPOLOGY[0].left_degrees.tolist()
    assert changed[0].right_degrees.tolist() == TOPOLOGY[0].right_degrees.tolist()


def test_rewiring_moves_what_it_aims_at():
    values = {
        target: Variant.from_spec({"rewire": target, "steps": 60}).apply(TOPOLOGY, 0)[0].algebraic_connectivity()
        for target in ("min", "max")
    }
    assert values["min"] < TOPOLOGY[0].algebraic_connectivity() < values["max"]


def test_relabelling_changes_the_alignment_and_nothing_of_the_graph():
    changed = Variant("relabelled").apply(TOPOLOGY, 0)
    assert changed != TOPOLOGY
    assert changed.as_graph().algebraic_connectivity() == pytest.approx(TOPOLOGY.as_graph().algebraic_connectivity())
    assert PLAIN.apply(TOPOLOGY, 0) is TOPOLOGY


def test_a_grid_with_variants():
    content = {
        "grid": {
            "architectures": [64, 20, 10],
            "constructions": ["regular_rotating", "dense"],
            "degrees": [[3, 10]],
            "variants": ["plain", "relabelled", {"rewire": "max", "steps": 5}],
            "topology_seeds": [0, 1],
        }
    }
    runs = plan_runs(StudySpec.from_mapping(content))
    assert [(run.recipe.construction, run.recipe.variant.name) for run in runs] == [
        ("regular_rotating", "plain"),
        *[("regular_rotating", "relabelled")] * 2,
        *[("regular_rotating", "max algebraic_connectivity")] * 2,
        ("dense", "plain"),
    ]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("nul", "did you mean 'null'"),
        ({"rewire": "most"}, "'max', 'min' or a value"),
        ({"rewire": True}, "'max', 'min' or a value"),
        ({"rewire": -1}, "'max', 'min' or a value"),
        ({"rewire": "max", "metric": "density"}, "metric must be one of"),
        ({"rewire": "max", "steps": 0}, "steps"),
        ({"steps": 3}, "a variant is one of"),
        (3, "a variant is one of"),
    ],
)
def test_broken_variants_are_refused_in_words(entry, words):
    with pytest.raises(SpecError, match=words):
        Variant.from_spec(entry)


def test_the_shipped_experiment_is_whole():
    spec = StudySpec.from_toml(Path(__file__).parents[4] / "studies" / "experiment.toml")
    assert {recipe.variant.name for recipe in spec.recipes()} >= {
        "plain",
        "null",
        "relabelled",
        "max algebraic_connectivity",
    }


def live_model():
    torch = pytest.importorskip("torch")

    class Everything(torch.nn.Module):
        """One layer of each kind that can hold a mask; never run."""

        def __init__(self):
            super().__init__()
            self.grouped = torch.nn.Conv2d(4, 6, 3, groups=2)
            self.conv = torch.nn.Conv2d(6, 8, 3)
            self.lstm = torch.nn.LSTM(8, 10)
            self.gru = torch.nn.GRU(10, 12)
            self.attention = torch.nn.MultiheadAttention(12, 3)
            self.fc = torch.nn.Linear(12, 5)

    return Everything()


def masked(construction="erdos_renyi", density=0.4):
    model = live_model()
    layers, _ = maskable_layers(model)
    return tg.MaskSet.build(model, construction, density=density, seed=0), layers


@pytest.mark.parametrize("entry", ["null", {"rewire": "max", "steps": 10}, {"rewire": "min", "steps": 10}])
def test_rewiring_a_model_keeps_every_degree_of_every_kind_of_layer_and_its_groups(entry):
    masks, layers = masked()
    changed = Variant.from_spec(entry).apply_to_masks(masks, layers, seed=3)
    assert list(changed) == list(masks)
    assert {kind: any(kind in name for name in masks) for kind in ("grouped", "lstm", "gru", "attention")} == {
        "grouped": True, "lstm": True, "gru": True, "attention": True,
    }  # fmt: skip
    for layer in layers:
        before, after = masks[layer.name], changed[layer.name]
        assert after.left_degrees.tolist() == before.left_degrees.tolist(), layer.name
        assert after.right_degrees.tolist() == before.right_degrees.tolist(), layer.name
        assert after != before or entry != "null", layer.name  # a search may find nothing better
        group_of_input, group_of_output = layer.n_left // layer.groups, layer.n_right // layer.groups
        rows, columns = after.to_mask().nonzero()
        assert (rows // group_of_input == columns // group_of_output).all(), layer.name
    assert sum(changed[name] != masks[name] for name in masks) > len(masks) / 2
    model = live_model()
    changed.apply_to(model)  # a mask that joined two groups would be refused
    again = Variant.from_spec(entry).apply_to_masks(masks, layers, seed=3)
    assert dict(again) == dict(changed)


def test_shuffled_layers_of_a_model_keep_each_groups_number_of_edges():
    masks, layers = masked()
    changed = Variant("shuffled_layers").apply_to_masks(masks, layers, seed=0)
    for layer in layers:
        before, after = (split_groups(one[layer.name], layer.groups) for one in (masks, changed))
        assert [piece.n_edges for piece in after] == [piece.n_edges for piece in before]
        assert after != before


def test_relabelling_a_model_renumbers_the_inputs_of_its_first_weight_alike_for_all_gates():
    torch = pytest.importorskip("torch")
    model = torch.nn.LSTM(8, 10)
    layers, _ = maskable_layers(model)
    masks = tg.MaskSet.build(model, "erdos_renyi", density=0.3, seed=0)
    changed = Variant("relabelled").apply_to_masks(masks, layers, seed=1)
    moved = [name for name in masks if changed[name] != masks[name]]
    assert moved == [name for name in masks if name.startswith("weight_ih_l0:")]
    assert len(moved) == 4
    before, after = (np.hstack([one[name].to_mask() for name in moved]) for one in (masks, changed))
    assert sorted(map(tuple, before)) == sorted(map(tuple, after))  # the same rows in another order, for all gates


def test_relabelling_a_grouped_convolution_stays_within_its_groups():
    masks, layers = masked()
    changed = Variant("relabelled").apply_to_masks(masks, layers, seed=1)
    assert [name for name in masks if changed[name] != masks[name]] == ["grouped.weight"]
    for before, after in zip(*(split_groups(one["grouped.weight"], 2) for one in (masks, changed)), strict=True):
        assert sorted(before.left_degrees) == sorted(after.left_degrees)
        assert before.right_degrees.tolist() == after.right_degrees.tolist()


def test_layers_whose_metric_is_undefined_stay_as_they_are():
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Linear(6, 2))
    layers, _ = maskable_layers(model)
    empty = tg.BipartiteGraph.from_mask(np.zeros((6, 2), dtype=bool))
    masks = tg.MaskSet({"0.weight": tg.construct("erdos_renyi", 6, 6, edges=12, seed=0), "1.weight": empty})
    changed = Variant.from_spec({"rewire": "max", "steps": 5}).apply_to_masks(masks, layers, 0)
    assert changed["1.weight"] == empty
    assert PLAIN.apply_to_masks(masks, layers, 0) is masks
