"""The page of benchmarks is what the scripts printed, whole, and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "benchmarks"
KEPT = sorted((SCRIPTS / "results").glob("*.txt"))


@pytest.fixture(scope="module")
def page() -> str:
    spec = importlib.util.spec_from_file_location("results", ROOT / "docs" / "results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.benchmarks(SCRIPTS)


def test_every_kept_output_stands_on_the_page_as_it_was_printed(page):
    assert KEPT
    for path in KEPT:
        text = path.read_text(encoding="utf-8").strip()
        assert f"## {path.stem.replace('_', ' ')}\n" in page
        assert f"```text\n{text}\n```" in page, path.name


def test_every_kept_output_is_of_a_script_and_says_on_what_it_ran():
    for path in KEPT:
        assert (SCRIPTS / f"{path.stem}.py").is_file()
        head = path.read_text(encoding="utf-8").splitlines()[:6]
        assert any(word in line for line in head for word in ("core", "NVIDIA")), path.name


def test_a_script_without_a_kept_output_says_how_to_run_it(page):
    assert "`python benchmarks/validity.py` prints it" in page
