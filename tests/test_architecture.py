"""The house keeps its shape: arrows in one direction, no framework at the door, names that stay."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW = {"topograph": {"trainers", "analysis"}, "trainers": {"analysis"}, "analysis": set()}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
FRAMEWORKS = ("tensorflow", "numba", "safetensors") + tuple(
    re.split(r"[^\w.-]", requirement)[0]
    for extra, requirements in EXTRAS.items()
    if extra not in ("all", "dev", "docs", "notebooks")
    for requirement in requirements
)


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", BELOW)
def test_arrows_run_one_way(package):
    for path in (ROOT / package).rglob("*.py"):
        assert not imported(path) & BELOW[package], path


@pytest.mark.parametrize("package", BELOW)
def test_importing_us_imports_no_framework(package):
    code = f"import sys, {package}; print([name for name in {FRAMEWORKS} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_the_core_draws_nothing():
    code = "import sys, topograph, trainers; print('matplotlib' in sys.modules, 'seaborn' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", "False"]


def test_completion_offers_the_public_names_and_they_exist():
    import analysis
    import topograph
    import trainers

    for package in (topograph, trainers, analysis):
        offered = dir(package)
        assert set(package.__all__) <= set(offered)
        assert not {"annotations", "version", "import_module", "Any"} & set(offered)
        for name in offered:
            assert getattr(package, name) is not None


def test_the_public_face_stays():
    import analysis
    import topograph as tg
    import trainers
    from trainers.study import run_study

    for name in ("BipartiteGraph", "Topology", "construct", "measure", "load"):
        assert name in tg.__all__
    for name in ("get_trainer", "TrainingConfig", "TrainingResult", "load_dataset"):
        assert name in trainers.__all__
    for name in ("load_frame", "correlate", "fit", "compare", "report"):
        assert name in analysis.__all__
    assert callable(run_study)
    graph = tg.BipartiteGraph
    for name in ("from_mask", "density", "left_degrees", "right_degrees", "biadjacency", "to_mask", "to_networkx"):
        assert hasattr(graph, name)
    for name in ("to_igraph", "edges", "algebraic_connectivity", "spectral_gap", "degree_stats", "n_edges"):
        assert hasattr(graph, name)
    for module in (tg, trainers, analysis):
        for name in module.__all__:
            assert getattr(module, name).__doc__


def test_every_file_that_the_map_names_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folders = ("topograph", "trainers", "analysis", "benchmarks", "docs", "tests")
    files = [f"/{path.relative_to(ROOT)}" for folder in folders for path in (ROOT / folder).rglob("*.py")]
    gone = {name for name in re.findall(r"[\w/]+\.py\b", text) if not any(file.endswith(f"/{name}") for file in files)}
    assert not gone, f"ARCHITECTURE.md names {sorted(gone)}: say where they are now"


def test_the_version_is_said_once():
    import tomllib

    import topograph as tg

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert tg.__version__ == declared
    assert f"## {declared}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", ["pandas", "scipy.sparse.linalg"])
def test_the_core_imports_what_is_slow_to_import_on_first_use(package):
    code = f"import sys, topograph; print({package!r} in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"
