"""``docs/paper.md``, its figures and the README's summary are what the published results say."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import pytest
from PIL import Image

from analysis.paper import CLAIMS, QUESTIONS, judge_claims, load_paper
from analysis.paper.judgement import HOLDS, IN_PART, NOT_HERE, NOT_RUN, UNTOLD, VERDICTS
from analysis.published import open_study
from tests.page_scripts import page_script
from trainers.study import StudySpec

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def results():
    """The published results."""
    matplotlib.use("Agg")
    return load_paper()


@pytest.fixture(scope="module")
def generator():
    """The script that makes the page."""
    return page_script("paper_page")


def test_the_page_is_what_the_results_say(generator, results):
    text = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
    assert generator.page(text, results) == text, "python docs/paper_page.py makes it anew"


def test_the_readme_says_what_the_results_say(generator, results):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert generator.readme(text, results) == text, "python docs/paper_page.py makes it anew"


def test_every_figure_was_drawn_from_the_published_results(results):
    text = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
    names = re.findall(r"\]\((_static/paper/[\w-]+\.png)\)", text)
    assert names
    for name in names:
        with Image.open(ROOT / "docs" / name) as picture:
            assert picture.text["Source"] == results.card.tables["runs"]["sha256"], name
    drawn = {path.name for path in (ROOT / "docs" / "_static" / "paper").glob("*.png")}
    assert drawn == {Path(name).name for name in names}


def test_the_page_has_a_row_and_a_rule_for_every_claim():
    text = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
    for claim in (*CLAIMS, *QUESTIONS):
        (row,) = re.findall(rf"^\| {re.escape(claim.words)} \|.*\*\*(.+)\*\* \|$", text, flags=re.MULTILINE)
        assert row in VERDICTS
        assert f"- *{claim.words}*: {claim.rule}." in text


def test_what_the_page_says_in_words_is_what_was_judged(results):
    """The prose under "In words" rests on these verdicts: when one changes, it has to be written anew."""
    tables = [judge_claims(results, claims) for claims in (CLAIMS, QUESTIONS)]
    verdicts = {row["claim"]: row["verdict"] for table in tables for _, row in table.iterrows()}
    assert verdicts["Accuracy does not drop until well below 10 % of the first layer's edges"] == NOT_HERE
    assert verdicts["It is connectivity rather than density"] in (NOT_HERE, UNTOLD)
    assert verdicts["The drop comes from stopping in the middle of training"] == IN_PART
    assert verdicts["Rows drawn independently overtake rotated rows once training no longer improves"] == HOLDS
    assert verdicts["Connectivity matters at equal degree once training no longer improves"] in (HOLDS, IN_PART)
    aligned = "Structured constructions owe accuracy to how they lie on the image once training no longer improves"
    assert verdicts[aligned] == NOT_HERE
    beyond = "Badly connected graphs stay behind even where their alignment with the image is gone, trained on"
    assert verdicts[beyond] == IN_PART
    rewired = "More connectivity at exactly equal degrees brings accuracy once training no longer improves"
    assert verdicts[rewired] in (NOT_RUN, UNTOLD)


def test_the_published_parts_are_the_specs(results):
    specs = [StudySpec.from_toml(path) for path in sorted((ROOT / "studies" / "paper").glob("*.toml"))]
    assert [part.name for part in results.card.parts] == [spec.name for spec in specs]
    assert [part.question for part in results.card.parts] == [spec.content["question"] for spec in specs]


def test_each_spec_says_how_many_networks_it_plans(results):
    for part in results.card.parts:
        first = (ROOT / "studies" / "paper" / f"{part.name}.toml").read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith(f"# {part.planned} networks, about "), part.name


def test_published_results_are_small_enough_for_a_repository():
    folder = ROOT / "analysis" / "published_results"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 15e6


def test_pages_that_count_the_parts_and_networks_count_right(results):
    parts, networks = len(results.card.parts), f"{results.card.planned:,}"
    studies = " ".join((ROOT / "docs" / "studies.md").read_text(encoding="utf-8").split())
    assert f"{networks} networks on MNIST, in {parts} parts" in studies
    assert f"{networks} networks on MNIST in {parts} specs" in (ROOT / "studies/paper/README.md").read_text("utf-8")


def test_the_page_counts_the_kinds_of_processor():
    kinds = open_study("paper").runs_table["processor"].nunique()
    page = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
    assert f"{['One kind', 'Two kinds', 'Three kinds'][kinds - 1]} of processor trained" in page
