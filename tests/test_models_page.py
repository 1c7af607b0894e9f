"""``docs/beyond-perceptrons.md`` and its figure are what the published results say."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from analysis.published import open_study
from tests.page_scripts import page_script
from trainers.study import StudySpec

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def generator():
    """The script that makes the page."""
    return page_script("models_page")


@pytest.fixture(scope="module")
def results(generator):
    """The published results."""
    matplotlib.use("Agg")
    return generator.Results()


def test_the_page_is_what_the_results_say(generator, results):
    text = (ROOT / "docs" / "beyond-perceptrons.md").read_text(encoding="utf-8")
    assert generator.page(text, results) == text, "python docs/models_page.py makes it anew"


def test_the_figure_was_drawn_from_the_published_results(results):
    with Image.open(ROOT / "docs" / "_static" / "beyond-perceptrons.png") as picture:
        assert picture.text["Source"] == results.source


@pytest.mark.parametrize("name", ["convolutional", "recurrent", "attention"])
def test_the_published_part_is_the_spec(name):
    spec = StudySpec.from_toml(ROOT / "studies" / f"{name}.toml")
    (part,) = open_study(name).card.parts
    assert (part.name, part.question, part.planned) == (spec.name, spec.content["question"], len(spec.points))


def test_pairs_have_equal_degrees_and_seeds(generator, results):
    for frame in results.models.values():
        moved = frame[frame["variant"].isin(["max algebraic_connectivity", "min algebraic_connectivity"])]
        keys = ["model", "density", "construction", "topology_seed"]
        for _, pair in moved.groupby(keys):
            assert pair["seed"].nunique() == 1
            for column in ("mean_density", "mean_left_degree_std", "mean_right_degree_std", "max_right_degree_std"):
                assert np.ptp(pair[column]) < 1e-9, column
        assert (generator.raised(frame).groupby(keys).size() == 1).all()


def test_the_interval_of_pairs_is_that_of_a_paired_t_test(generator, results):
    for frame in results.models.values():
        keys = ["density", "construction", "topology_seed"]
        up = frame[frame["variant"] == "max algebraic_connectivity"].set_index(keys)["test_accuracy"]
        down = frame[frame["variant"] == "min algebraic_connectivity"].set_index(keys)["test_accuracy"]
        both = up.index.intersection(down.index)
        found = stats.ttest_rel(100 * up[both], 100 * down[both])
        mean, low, high = generator.mean_interval(generator.raised(frame)["points"])
        assert mean == pytest.approx(100 * (up[both] - down[both]).mean())
        assert (low, high) == pytest.approx(tuple(found.confidence_interval(0.95)))
