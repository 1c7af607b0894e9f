"""Every notebook runs, leaves nothing where it lies, defines nothing, and still shows what it was saved with.

Cells tagged ``stable`` hold what does not depend on the machine: their saved output is compared, numbers to 4 digits.
"""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra [notebooks]")
nbclient = pytest.importorskip("nbclient", reason="needs the extra [notebooks]")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")
_LONGEST = 900  # seconds for a cell: a hang ends, a slow machine does not


def cells(notebook, kind="code"):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def words_and_numbers(cell):
    """What a cell shows: its words, and its numbers with a fraction."""
    text = "\n".join(
        output["text"] if output["output_type"] == "stream" else output["data"].get("text/plain", "")
        for output in cell.outputs
        if output["output_type"] != "error" and output.get("name") != "stderr"  # progress, and what is compiled
    )
    return re.sub(r"\s+", " ", _NUMBER.sub("#", text)), [float(number) for number in _NUMBER.findall(text)]


def test_notebooks_are_numbered_in_order():
    assert NOTEBOOKS
    assert [int(path.stem.partition("_")[0]) for path in NOTEBOOKS] == list(range(1, len(NOTEBOOKS) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_leaves_its_folder_clean(path, tmp_path):
    saved = nbformat.read(path, as_version=4)
    source = "\n".join(cell.source for cell in cells(saved))
    for package in ("torch", "keras", "jax"):
        if re.search(rf"^import {package}\b", source, flags=re.MULTILINE):
            pytest.importorskip(package)
    run = nbformat.from_dict(saved)
    shutil.copy(path, tmp_path)
    nbclient.NotebookClient(
        run, timeout=_LONGEST, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert [left.name for left in tmp_path.iterdir()] == [path.name]  # so it runs a second time as it did the first
    compared = 0
    for before, after in zip(cells(saved), cells(run), strict=True):
        if "stable" in before.metadata.get("tags", ()):
            compared += 1
            assert words_and_numbers(after)[0] == words_and_numbers(before)[0], before.source
            assert words_and_numbers(after)[1] == pytest.approx(words_and_numbers(before)[1], rel=1e-4, abs=1e-9)
    assert compared


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_a_story(path):
    """Saved with outputs and without errors; nothing is defined in it that belongs in a module."""
    notebook = nbformat.read(path, as_version=4)
    assert cells(notebook, "markdown")[0].source.startswith("# ")
    for cell in cells(notebook):
        assert not any(output["output_type"] == "error" for output in cell.outputs)
        if not cell.source.startswith("%%"):
            tree = ast.parse(re.sub(r"^[%!].*$", "pass", cell.source, flags=re.MULTILINE))
            assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda) for node in ast.walk(tree))
    assert any(cell.outputs for cell in cells(notebook))
    assert [cell.execution_count for cell in cells(notebook)] == list(range(1, len(cells(notebook)) + 1))
