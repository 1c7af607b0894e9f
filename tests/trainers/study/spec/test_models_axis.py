from __future__ import annotations

import pytest

from tests.trainers.study.conftest import SMALL, changed
from tests.trainers.study.toy_models import TINY, model_study
from topograph.errors import SpecError
from trainers.study.plan.runs import plan_runs
from trainers.study.spec import ModelRecipe, StudySpec

pytest.importorskip("torch")


def recipes(**grid):
    return StudySpec.from_mapping(model_study(**grid)).recipes()


def test_models_with_options_are_crossed_with_densities_and_allocations():
    found = recipes(
        models=["lenet5", {"name": "lstm", "hidden": [8, 16]}, {"name": "mlp", "widths": [[30, 20]]}],
        densities=[0.1, 0.2], allocations=["uniform", "erk"],
    )  # fmt: skip
    assert len(found) == 4 * 2 * 2
    assert list(dict.fromkeys(one.architecture for one in found)) == [
        "lenet5", "lstm(hidden=8)", "lstm(hidden=16)", "mlp(widths=[30, 20])",
    ]  # fmt: skip
    assert {one.degree_label for one in found} == {
        f"density {density} {allocation}" for density in (0.1, 0.2) for allocation in ("uniform", "erk")
    }


def test_a_pruner_that_compares_all_scores_has_one_allocation_and_one_run():
    spec = StudySpec.from_mapping(
        model_study(constructions=["snip", {"name": "snip", "scope": "layer"}, "dense"], allocations=["uniform", "er"])
    )
    runs = list(plan_runs(spec))
    assert [(run.recipe.label, run.recipe.allocation, run.recipe.density) for run in runs] == [
        ("snip", "global", 0.4),
        ("snip(scope=layer)", "uniform", 0.4),
        ("dense", "uniform", 1.0),
        ("snip(scope=layer)", "er", 0.4),
    ]


def test_the_trainer_of_models_is_pytorch_unless_another_is_named():
    assert {point.trainer for point in StudySpec.from_mapping(model_study()).points} == {"pytorch"}


def test_chains_and_models_stand_in_one_study_and_chains_keep_their_ids():
    alone = {run.run_id for run in plan_runs(StudySpec.from_mapping(SMALL))}
    both = {**SMALL, "grid": [SMALL["grid"], {"models": TINY, "constructions": "erdos_renyi", "densities": [0.2]}]}
    runs = list(plan_runs(StudySpec.from_mapping(both)))
    assert alone < {run.run_id for run in runs}
    assert [isinstance(run.recipe, ModelRecipe) for run in runs].count(True) == 1


def test_models_and_allocations_can_be_zipped_and_left_out():
    found = recipes(models=[TINY, "lstm"], densities=[0.1, 0.2], zip=["models", "densities"])
    assert [(one.architecture, one.density) for one in found] == [(TINY, 0.1), ("lstm", 0.2)]
    content = model_study(models=["lenet5", {"name": "lstm", "hidden": [8, 16]}], densities=[0.1, 0.2],
                          allocations=["uniform", "erk"])  # fmt: skip
    content["exclude"] = [{"models": {"name": "lstm", "hidden": 8}}, {"model": "lenet5", "density": 0.2},
                          {"model": "lstm", "allocation": "erk"}]  # fmt: skip
    left = StudySpec.from_mapping(content).recipes()
    assert [(one.architecture, one.density, one.allocation) for one in left] == [
        ("lenet5", 0.1, "uniform"),
        ("lenet5", 0.1, "erk"),
        ("lstm(hidden=16)", 0.1, "uniform"),
        ("lstm(hidden=16)", 0.2, "uniform"),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (model_study(models="lenet6"), r"\[grid\] models: .*did you mean 'lenet5'"),
        (model_study(models={"name": "lstm", "hidde": 4}), "did you mean 'hidden'"),
        (model_study(models=[3]), "names or tables"),
        (model_study(models="no_such_module:thing"), "models: .*could not be loaded"),
        (model_study(allocations="erkk"), r"\[grid\] allocations: .*did you mean 'erk'"),
        (model_study(architectures=[64, 10]), "a \\[\\[grid\\]\\] of its own"),
        (model_study(degrees=3), r"\[grid\] degrees: .*give models densities"),
        (model_study(densities=[[0.1, 0.2]]), r"\[grid\] densities: .*allocations says how"),
        (model_study(constructions="desne"), "did you mean 'dense'"),
        (changed(allocations="erk"), "allocations are for models"),
        ({"grid": {"models": TINY, "constructions": "erdos_renyi"}}, "degrees or densities"),
        ({"grid": {"models": TINY, "densities": 0.1}}, "needs constructions"),
    ],
)  # fmt: skip
def test_broken_grids_of_models_are_refused_in_words(content, words):
    with pytest.raises(SpecError, match=words):
        StudySpec.from_mapping(content)
