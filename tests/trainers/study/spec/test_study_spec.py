from __future__ import annotations

import copy
from pathlib import Path

import pytest

from tests.trainers.study.conftest import SMALL, changed
from topograph.errors import SpecError
from trainers.study import StudySpec, run_study
from trainers.study.spec.faults import find_line
from trainers.study.spec.recipe import Recipe
from trainers.study.spec.values import expand

ROOT = Path(__file__).parents[4]


def without(*keys):
    return {**SMALL, "grid": {key: value for key, value in SMALL["grid"].items() if key not in keys}}


def points(content):
    return StudySpec.from_mapping(content).points


def runs(content):
    return [
        (p.recipe.label, p.recipe.architecture, p.recipe.degree_label, p.config, *seeds)
        for p in points(content)
        for seeds in p.seeds
    ]


def test_a_cross_of_lists():
    found = runs(SMALL)
    # random_regular 2 degrees × 2 topologies, regular_rotating 2 degrees, dense; two trainings of each
    assert len(set(found)) == (4 + 2 + 1) * 2
    spec = StudySpec.from_mapping(SMALL)
    assert len(spec.recipes()) == 4 + 2 + 1
    assert {recipe.seed for recipe in spec.recipes() if recipe.construction != "random_regular"} == {0}


def test_every_setting_can_be_an_axis():
    content = {**SMALL, "training": {"epochs": [1, 2], "dropout_hidden": [0, 0.2, 0.5], "learning_rate": 0.1}}
    configs = {point.config for point in points(content)}
    assert {(c.epochs, c.dropout_hidden) for c in configs} == {(e, d) for e in (1, 2) for d in (0, 0.2, 0.5)}
    assert {c.learning_rate for c in configs} == {0.1}


def test_a_grid_has_settings_of_its_own():
    content = {
        "training": {"epochs": 3, "dropout_hidden": 0.1},
        "grid": [
            {"architectures": [64, 20, 10], "constructions": "random_edge", "degrees": [[4, 5]]},
            {
                "architectures": [64, 50, 30, 10],
                "constructions": "random_edge",
                "degrees": [[4, 5, 6]],
                "training": {"dropout_hidden": [0.2, 0.5]},
            },
        ],
    }
    found = [
        (p.recipe.architecture, p.recipe.degrees, p.config.epochs, p.config.dropout_hidden) for p in points(content)
    ]
    assert found == [
        ("64-20-10", (4, 5), 3, 0.1),
        ("64-50-30-10", (4, 5, 6), 3, 0.2),
        ("64-50-30-10", (4, 5, 6), 3, 0.5),
    ]


def test_zipped_axes():
    content = changed(
        architectures=[[64, 12, 10], [64, 20, 20, 10]],
        degrees=[[2, 4], [2, 4, 6]],
        constructions="regular_rotating",
        zip=["architectures", "degrees"],
    )
    assert [(p.recipe.sizes, p.recipe.degrees) for p in points(content)] == [
        ((64, 12, 10), (2, 4)),
        ((64, 20, 20, 10), (2, 4, 6)),
    ]
    both = {**content, "training": {"epochs": [1, 2], "learning_rate": [0.1, 0.2]}}
    both["grid"]["zip"] = [["architecture", "degrees"], ["epochs", "learning_rate"]]
    assert len(points(both)) == 4
    assert {(p.config.epochs, p.config.learning_rate) for p in points(both)} == {(1, 0.1), (2, 0.2)}
    seeds = changed(constructions="random_regular", degrees=2, zip=["topology_seeds", "training_seeds"])
    assert [s for p in points(seeds) for s in p.seeds] == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("exclude", "gone"),
    [
        ({"construction": "dense"}, lambda r: r[0] == "dense"),
        ({"constructions": ["dense", "random_regular"]}, lambda r: r[0] in ("dense", "random_regular")),
        ({"degrees": 2, "topology_seed": 1}, lambda r: r[2] == "2-2" and r[4] == 1),
        ({"degrees": [[4, 10]], "epochs": 2}, lambda r: r[2] == "4-10" and r[0] != "dense" and r[3].epochs == 2),
        ({"training_seeds": {"from": 1, "to": 5}}, lambda r: r[5] == 1),
        ({"architecture": [64, 12, 10], "epochs": [2]}, lambda r: r[3].epochs == 2),
        ([{"construction": "dense"}, {"epochs": 2}], lambda r: r[0] == "dense" or r[3].epochs == 2),
    ],
)
def test_exclusions(exclude, gone):
    content = {**SMALL, "training": {"epochs": [1, 2]}}
    # a fixed construction has one topology, whatever the seeds: all of its seeds stand for the first
    expected = [run for run in runs(content) if not gone(run)]
    found = runs({**content, "exclude": exclude})
    assert set(found) == set(expected)
    assert len(found) < len(runs(content))


def test_constructions_with_options():
    content = changed(constructions=["dense", {"name": "watts_strogatz", "beta": [0.1, 0.5]}], degrees=[2])
    assert [recipe.label for recipe in StudySpec.from_mapping(content).recipes()] == [
        "dense",
        *["watts_strogatz(beta=0.1)"] * 2,
        *["watts_strogatz(beta=0.5)"] * 2,
    ]
    only = {**content, "exclude": [{"construction": {"name": "watts_strogatz", "beta": 0.5}}]}
    assert {recipe.label for recipe in StudySpec.from_mapping(only).recipes()} == {"dense", "watts_strogatz(beta=0.1)"}


def test_degrees_densities_and_several_architectures():
    spec = StudySpec.from_mapping(
        changed(
            architectures=[[64, 20, 10], [64, 30, 20, 10]], degrees=[2], densities=[0.25], constructions="random_edge"
        )
    )
    degrees = {recipe.degrees for recipe in spec.recipes()}
    assert degrees == {(2, 2), (2, 2, 2), (5, 2.5), (7.5, 5, 2.5)}
    each = StudySpec.from_mapping(
        {**without("degrees"), "grid": {**without("degrees")["grid"], "densities": [[0.5, 1]]}}
    )
    assert {recipe.degrees for recipe in each.recipes()} == {(6, 10), None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, [3]),
        ([1, 2], [1, 2]),
        (range(3), [0, 1, 2]),
        ({"from": 0, "to": 3}, [0, 1, 2, 3]),
        ({"from": 0.1, "to": 0.5, "step": 0.2}, [0.1, 0.3, 0.5]),
        ({"from": 1, "to": 100, "factor": 3}, [1, 3, 9, 27, 81]),
        ({"from": 10**16 + 1, "to": 10**16 + 5, "step": 2}, [10**16 + 1, 10**16 + 3, 10**16 + 5]),
        ({"from": 1, "to": 64, "factor": 2}, [1, 2, 4, 8, 16, 32, 64]),
        ({"from": 0, "to": 1, "count": 3}, [0, 0.5, 1]),
        ({"from": 2, "to": 9, "count": 1}, [2]),
        ({"from": 0.001, "to": 1, "count": 4, "scale": "log"}, [0.001, 0.01, 0.1, 1]),
        ([[1, 2], {"from": 3, "to": 4}], [[1, 2], 3, 4]),
    ],
)
def test_values_lists_and_ranges(value, expected):
    assert expand(value) == expected


def test_recipes_are_records_too():
    for recipe in StudySpec.from_toml(ROOT / "studies" / "experiment.toml").recipes():
        assert Recipe.from_record(recipe.to_record()) == recipe


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"grid": 3}, r"\[grid\]: must be a table"),
        ({}, r"needs a table \[grid\]"),
        ({**SMALL, "gird": {}}, "did you mean 'grid'"),
        (changed(degreees=[1]), r"\[grid\] degreees: .*did you mean 'degrees'"),
        (changed(degree=[1]), "degrees is given twice"),
        (changed(constructions=["desne"]), "did you mean 'dense'"),
        (changed(constructions=[{"name": "watts_strogatz", "betta": 0.1}]), "did you mean 'beta'"),
        (changed(constructions=[{"nam": "dense"}]), "name ="),
        (changed(trainers="nunpy"), "did you mean 'numpy'"),
        (changed(datasets="mnits"), "did you mean 'mnist'"),
        (changed(datasets=[3]), "must be names"),
        (changed(variants=["nul"]), "variants: .*did you mean 'null'"),
        (changed(degrees=[13]), r"\[grid\] degrees: degree 13 does not fit random_regular"),
        (changed(degrees=[0]), "degree 0"),
        (changed(degrees=[2.5]), "whole number"),
        (changed(degrees=[[1, 2, 3]]), "2 layers"),
        (changed(degrees=["two"]), "numbers"),
        (changed(degrees=[float("nan")]), r"\[grid\] degrees: must hold finite numbers"),
        (changed(degrees=[float("inf")]), "finite numbers"),
        (changed(densities=[[0.5, 0.2, 0.1]]), r"\[grid\] densities: .*2 layers, but .* has 3"),
        (changed(degrees=[]), "empty"),
        (changed(degrees={"from": 1, "to": 5, "stepp": 2}), "a range is"),
        (changed(degrees={"from": 5, "to": 1}), "upwards"),
        (changed(constructions=[{"name": "watts_strogatz", "beta": [[1]]}]), "constructions: .*cannot hold lists"),
        (changed(degrees={"from": 0, "to": 5, "factor": 2}), "from must be"),
        (changed(densities=[1.5]), r"\(0, 1\]"),
        (changed(architectures=[64]), "two sizes"),
        (changed(architectures=[[64, -1]]), "size"),
        (changed(architectures=[[64, 10], 64]), "lists of layer sizes"),
        (changed(topology_seeds=[-1]), "topology_seeds"),
        (changed(topology_seeds=["a"]), "topology_seeds"),
        (changed(zip=["degrees"]), "at least two axes"),
        (changed(zip=["degrees", "epoch"]), "did you mean 'epochs'"),
        (changed(zip=["degrees", "constructions"]), "degrees has 2, constructions has 3"),
        (changed(zip=[["degrees", "topology_seeds"], ["degrees", "training_seeds"]]), "one group only"),
        (changed(training={"epoch": 3}), r"\[grid\] training.epoch: .*did you mean 'epochs'"),
        ({**SMALL, "training": {"epoch": 3}}, r"\[training\] epoch: .*did you mean 'epochs'"),
        ({**SMALL, "training": {"dropout": 0.5}}, "did you mean 'dropout_"),
        ({**SMALL, "training": {"epochs": [1, 0]}}, r"\[training\] epochs: .*epochs=0"),
        ({**SMALL, "training": {"epochs": []}}, "empty"),
        ({**SMALL, "training": {"epochs": {"from": 1, "to": "9"}}}, r"\[training\] epochs: to must be a number"),
        ({**SMALL, "training": {"epochs": {"from": 1}}}, r"\[training\] epochs: a range is"),
        ({**SMALL, "training": {"seed": 1}}, "training_seeds"),
        ({**SMALL, "training": 3}, "table of settings"),
        ({**SMALL, "training": {"loss": "cross_entropy", "output_activation": ["softmax", "linear"]}}, "softmax"),
        ({**SMALL, "metrics": ["gap"]}, "unknown metric"),
        ({**SMALL, "metrics": [["sizes"]]}, "metrics: .*cannot hold lists"),
        ({**SMALL, "exclude": [{}]}, "which combinations"),
        ({**SMALL, "exclude": [{"epochs": {"from": 1}}]}, r"\[\[exclude\]\] 1, epochs: a range is"),
        ({**SMALL, "exclude": [{"constuction": "dense"}]}, "did you mean 'constructions'"),
        ({**SMALL, "exclude": [{"construction": "dense"}, {"epochs": 7}]}, r"\[\[exclude\]\] 2: .*excludes nothing"),
        ({**SMALL, "exclude": [{"epochs": 1}]}, "nothing is left"),
        ({"grid": {"constructions": "dense"}}, "needs architectures"),
        ({"grid": {"constructions": "random_edge", "architectures": [4, 4]}}, "degrees or densities"),
    ],
)  # fmt: skip
def test_broken_specs_are_refused_before_any_work(tmp_path, content, words):
    before = copy.deepcopy(content)
    with pytest.raises(SpecError, match=words):
        run_study(content, tmp_path / "s.sqlite", progress=False)
    assert content == before
    assert not (tmp_path / "s.sqlite").exists()


def test_broken_toml_names_file_and_line(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("[grid]\narchitectures = [64, 10\n")
    with pytest.raises(SpecError, match=r"broken\.toml: not valid TOML: .*(line|end of document)"):
        run_study(path, tmp_path / "s.sqlite")
    with pytest.raises(SpecError, match=r"none\.toml: cannot be read"):
        run_study(tmp_path / "none.toml", tmp_path / "s.sqlite")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('constructions = "random_edge"', "constructions = 'e'", r"line 8: \[\[grid\]\] 1, constructions: .*dense"),
        ("    [2, 3],", "    [2, 33],", r"line 9: \[\[grid\]\] 1, degrees: degree 33"),
        ("epochs = 3", "epohcs = 3", r"line 4: \[training\] epohcs: .*did you mean 'epochs'"),
        ("dropout_hidden = 0.5", "dropout_hidden = 1.5", r"line 19: \[\[grid\]\] 2, training.dropout_hidden: "),
        ("degrees = 2", "degree = 11", r"line 16: \[\[grid\]\] 2, degrees: degree 11"),
        ('question = "a = 1"', 'qestion = "?"', "line 1: qestion: .*'question'"),
        ('construction = "dense"', 'construction = "dense"\nmomentum = 0.3', r"line 21: \[\[exclude\]\] 1: .*nothing"),
    ],
)  # fmt: skip
def test_a_fault_is_shown_where_it_stands(tmp_path, old, new, words):
    text = """question = "a = 1"

[training]
epochs = 3

[[grid]]
architectures = [4, 4, 4]
constructions = "random_edge"
degrees = [ # degrees = [
    [2, 3],
]

[[grid]]
architectures = [6, 6]
constructions = ["random_edge", "dense"]
degrees = 2

[grid.training]
dropout_hidden = 0.5

[[exclude]]
construction = "dense"
"""
    path = tmp_path / "spec.toml"
    path.write_text(text)
    StudySpec.from_toml(path)
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(SpecError, match=rf"spec\.toml, {words}"):
        StudySpec.from_toml(path)


def test_lines_are_found_in_strange_texts():
    text = 'a = """\n[b]\nc = 1\n"""\n"q k" = 2\nb.c = [\n "x = [",\n 3]\n[ d . e ]\n f = { g = 1,\n h = 2 }\ni = 1\n'
    expected = {("a",): 1, ("q k",): 5, ("b", "c"): 6, ("d", "e"): 9, ("d", "e", "f"): 10, ("d", "e", "i"): 12}
    assert {path: find_line(text, path) for path in expected} == expected
    assert find_line(text, ("nothing",)) is None


@pytest.mark.parametrize("name", ["digits", "experiment", "convolutional", "recurrent", "attention"])
def test_the_shipped_specs_are_whole(name):
    assert len(StudySpec.from_toml(ROOT / "studies" / f"{name}.toml").recipes()) >= 30
