"""Verifying: a sample that is trained again comes out as published, and whatever was changed is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from topograph.errors import InvalidParameterError
from trainers.study.publishing import PublishedStudy, open_published, verify_published
from trainers.study.publishing.processor import describe_processor
from trainers.study.spec import Recipe
from trainers.study.spec.pruned import Pruned
from trainers.study.spec.variants import Variant


def changed(study: Path, **values: object) -> PublishedStudy:
    """The published study, with columns of its first run changed in memory."""
    published = open_published(study / "published")
    for column, value in values.items():
        published.runs_table[column] = published.runs_table[column].astype(object)
        published.runs_table.at[0, column] = value
    return published


def test_runs_come_out_equal_to_the_bit_on_the_machine_that_trained_them(study):
    found = verify_published(study / "published", sample=3, seed=1)
    assert len(found.table) == 3
    assert found.table["same_machine"].all()
    assert found.table["identical"].all()
    assert found.passed
    assert str(found) == "3 runs trained again: 3 equal to the bit, 0 within the tolerance"


def test_the_sample_depends_on_the_seed_only(study):
    draws = [
        tuple(verify_published(study / "published", sample=1, seed=seed).table["run_id"]) for seed in (0, 0, 1, 2, 3)
    ]
    assert draws[0] == draws[1]
    assert len(set(draws)) > 1


@pytest.mark.parametrize(
    ("column", "change", "words"),
    [
        ("correct", 1, "correct is"),
        ("train_accuracy", 0.5, "train_accuracy is"),
        ("l2_weight_std", 0.5, "l2_weight_std is"),
        ("epochs_trained", 3, "2 epochs of loss, published 3"),
    ],
)
def test_a_changed_number_is_found(study, column, change, words):
    found = verify_published(changed(study, **{column: change}), sample=100)
    failed = found.table[~found.table["passed"]]
    assert len(failed) == 1
    assert words in failed["reason"].iloc[0]
    assert words in str(found)


def test_the_last_bit_of_a_learning_curve_is_compared(study):
    published = open_published(study / "published")
    curves = published.curves()
    curves.loc[0, "loss"] = np.nextafter(curves.loc[0, "loss"], 1.0)
    object.__setattr__(published, "curves", lambda: curves)
    found = verify_published(published, sample=100)
    assert found.table["reason"].str.contains("the learning curve of loss differs").sum() == 1


def test_on_another_machine_a_tolerance_holds(study):
    published = changed(study, processor="another", correct=1)
    accuracy = published.runs_table.at[0, "test_accuracy"]
    published.runs_table.at[0, "test_accuracy"] = accuracy + 0.005
    found = verify_published(published, sample=100)
    assert found.passed
    assert not found.table["identical"].all()
    assert "1 within the tolerance (test accuracy ± 0.01" in str(found)


@pytest.mark.parametrize("column", ["test_accuracy", "l1_weight_std"])
def test_beyond_the_tolerance_another_machine_is_no_excuse(study, column):
    published = changed(study, processor="another")
    published.runs_table.at[0, column] = published.runs_table.at[0, column] * 1.2
    found = verify_published(published, sample=100)
    assert found.table["passed"].tolist().count(False) == 1
    assert found.table["reason"].str.contains(column.replace("_", ".")).any()


def test_a_topology_that_comes_out_otherwise_is_reported(study):
    found = verify_published(changed(study, topology_id="0" * 20), sample=100)
    assert not found.passed
    assert found.table["reason"].str.contains("gives other edges").sum() == 1


@pytest.mark.parametrize("processor", ["another", None], ids=["another machine", "the same machine"])
def test_edges_that_a_search_chooses_otherwise_are_not_compared_elsewhere(study, processor, monkeypatch):
    published = changed(study, topology_id="0" * 20, **({"processor": processor} if processor else {}))
    monkeypatch.setattr(Recipe, "depends_on_rounding", True)
    found = verify_published(published, sample=100)
    compared = found.table["compared"].tolist()
    assert compared.count(False) == (1 if processor else 0)
    assert found.failed == (0 if processor else 1)
    assert found.passed == bool(processor)
    assert str(found).startswith(f"{sum(compared)} runs trained again: {len(compared) - 1} equal to the bit")
    assert ("1 not compared, since a search or a pruner chooses other edges" in str(found)) == bool(processor)


def test_runs_of_which_none_can_be_compared_have_not_passed(study, monkeypatch):
    published = changed(study, processor="another", topology_id="0" * 20)
    object.__setattr__(published, "runs_table", published.runs_table[:1])
    monkeypatch.setattr(Recipe, "depends_on_rounding", True)
    found = verify_published(published)
    assert not found.passed
    assert found.failed == 0


def test_searches_and_pruners_depend_on_rounding():
    for entry, expected in (("null", False), ("relabelled", False), ({"rewire": "max"}, True)):
        recipe = Recipe("random_regular", (64, 20, 10), (5, 10), 0, Variant.from_spec(entry))
        assert recipe.depends_on_rounding == expected
    assert Recipe("snip", (64, 20, 10), (5, 10), 0, pruned=Pruned("digits", "{}")).depends_on_rounding


def test_other_versions_of_packages_are_another_machine(study):
    found = verify_published(changed(study, versions='{"numpy": "0"}'), sample=100)
    assert found.table["same_machine"].tolist().count(False) == 1
    assert found.passed


def test_a_sample_of_nothing_is_refused(study):
    with pytest.raises(InvalidParameterError, match="sample"):
        verify_published(study / "published", sample=0)


def test_processors_are_told_apart_without_naming_the_machine():
    text = "processor\t: 0\nvendor_id\t: X\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: X(R) Y CPU\n"
    assert describe_processor("x86_64", text, "") == "x86_64, X(R) Y CPU, family 6, model 85"
    assert describe_processor("x86_64", text.replace("85", "86"), "") != describe_processor("x86_64", text, "")


def test_published_studies_are_compared_by_their_folder(study):
    published = open_published(study / "published")
    assert published == replace(published)
