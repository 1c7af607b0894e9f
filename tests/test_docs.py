"""Every Python block and every ``topograph`` line of the documentation runs as it is written, page by page."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from analysis.cli import main
from tests.fresh_process import run
from trainers.study import StudySpec

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


RUN_BY_ANOTHER_TEST = ("plugin", "extending")


MARKS = {
    # dask-jobqueue's local jobs are processes that it does not wait for
    "slurm": [pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")],
    "four_loops": [pytest.mark.filterwarnings("ignore")],  # Lightning and transformers warn of much that is not ours
}


def test_the_reference_needs_no_framework_that_the_docs_do_not_install(tmp_path):
    """Modules of the reference are imported where only the extra ``docs`` is installed."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (included,) = (re.findall(r"\[(.*)\]", entry)[0] for entry in extras["docs"] if entry.startswith("topograph["))
    frameworks = {"torch", "keras", "jax", "dask", "onnx", "lightning", "transformers"} - set(included.split(","))
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "api").glob("*.md"))
    modules = set(re.findall(r"automodule:: ([\w.]+)", text))
    assert "topograph.torch" in modules
    code = f"import sys, importlib\nfor name in {sorted(frameworks)}: sys.modules[name] = None\n"
    assert run(code + f"for name in {sorted(modules)}: importlib.import_module(name)\nprint('imported')", tmp_path) == [
        "imported"
    ]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=MARKS.get(page.stem, ()), id=page.stem)
        for page in PAGES
        if page.stem not in RUN_BY_ANOTHER_TEST
    ],
)
def test_page(page, tmp_path, monkeypatch):
    text = page.read_text(encoding="utf-8")
    for package in ("torch", "keras", "dask_jobqueue", "submitit", "lightning", "transformers"):
        used = re.search(
            rf"^(?:import {package}|from {package}|from trainers\.(?:py)?{package})\b", text, flags=re.MULTILINE
        )
        if used and find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    shutil.copytree(ROOT / "studies", tmp_path / "studies", ignore=shutil.ignore_patterns("*.sqlite*", "*.html"))
    digits = tmp_path / "studies" / "digits.toml"
    digits.write_text(digits.read_text(encoding="utf-8").replace("epochs = 20", "epochs = 1"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for language, body in re.findall(r"^```(python|sh|toml)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        if language == "python":
            exec(compile(body, page.name, "exec"), namespace)
            continue
        if language == "toml":
            content = tomllib.loads(body)
            if "grid" in content:
                StudySpec.from_mapping(content)
            continue
        for line in body.splitlines():
            arguments = shlex.split(line, comments=True)
            if arguments[:1] == ["topograph"]:
                assert main(arguments[1:]) == 0, line


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([\w/]+\.md)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name}: {target}"
