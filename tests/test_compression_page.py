"""``docs/compression.md`` and its figure are what the published results say."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest
from PIL import Image

from tests.page_scripts import page_script
from trainers.study import StudySpec

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def generator():
    """The script that makes the page."""
    return page_script("compression_page")


@pytest.fixture(scope="module")
def results(generator):
    """The published results."""
    matplotlib.use("Agg")
    return generator.Results()


def test_the_page_is_what_the_results_say(generator, results):
    text = (ROOT / "docs" / "compression.md").read_text(encoding="utf-8")
    assert generator.page(text, results) == text, "python docs/compression_page.py makes it anew"


def test_the_figure_was_drawn_from_the_published_results(results):
    with Image.open(ROOT / "docs" / "_static" / "compression.png") as picture:
        assert picture.text["Source"] == results.study.card.tables["runs"]["sha256"]


def test_the_published_part_is_the_spec(results):
    spec = StudySpec.from_toml(ROOT / "studies" / "compression.toml")
    (part,) = results.study.card.parts
    assert (part.name, part.question) == (spec.name, spec.content["question"])
    first = (ROOT / "studies" / "compression.toml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"# {part.planned} networks, about ")


def test_every_compressed_network_keeps_its_budget(results):
    frame = results.frame
    compressed = frame["compression"] != "none"
    budgets = 784 * frame["degrees"].str.partition("-")[0].astype(int)
    assert (frame["l1_n_parameters"] <= budgets)[compressed].all()
    assert (frame["l1_n_parameters"] == budgets)[~compressed].all()
    assert (frame["l2_n_parameters"] == 3000).all()


def test_the_page_names_the_families_and_settings_of_the_spec(generator, results):
    assert set(results.frame["family"]) == {*generator._FAMILIES, *generator._SPARSE, *generator._DENSE}
    spec = StudySpec.from_toml(ROOT / "studies" / "compression.toml")
    assert {(p.config.epochs, p.config.batch_size, p.config.optimizer) for p in spec.points} == {
        (1, 128, "adam"),
        (10, 128, "adam"),
    }
