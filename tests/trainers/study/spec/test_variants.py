from __future__ import annotations

from pathlib import Path

import pytest

import topograph as tg
from topograph.errors import SpecError
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
