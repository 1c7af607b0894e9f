"""networkx' own tests of the functions that the backend has, run with the backend in networkx' place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import networkx as nx
import pytest

from topograph.nx_backend.info import FUNCTIONS

FOLDER = Path(nx.__file__).parent
FILES = (
    "linalg/tests/test_algebraic_connectivity.py",
    "algorithms/bipartite/tests/test_cluster.py",
    "algorithms/tests/test_distance_measures.py::TestDistance",
    "algorithms/tests/test_efficiency.py",
    "algorithms/tests/test_wiener.py",
    "algorithms/shortest_paths/tests/test_generic.py",
)
COUNTING = """
import collections, functools, json, os
from topograph.nx_backend import interface
from topograph.nx_backend.info import FUNCTIONS

answered = collections.Counter()


def counted(name, function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        result = function(*args, **kwargs)  # what is not implemented is not counted
        answered[name] += 1
        return result

    return call


for name in FUNCTIONS:
    setattr(interface, name, counted(name, getattr(interface, name)))


def pytest_sessionfinish():
    with open(os.environ["ANSWERED"], "w") as file:
        json.dump(answered, file)
"""


def test_the_tests_that_come_with_networkx_pass_and_the_backend_answers_in_them(tmp_path):
    files = [FOLDER / file for file in FILES if (FOLDER / file.split("::")[0]).is_file()]
    if len(files) < len(FILES) or not (FOLDER / "conftest.py").is_file():
        pytest.skip("this installation of networkx comes without its tests")
    (tmp_path / "counting.py").write_text(COUNTING)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])),
        "NETWORKX_TEST_BACKEND": "topograph",
        "NETWORKX_FALLBACK_TO_NX": "True",
        "ANSWERED": str(tmp_path / "answered.json"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "counting", "-p", "no:cacheprovider", "--rootdir", FOLDER]
    command += ["-k", "not use_bounds"]  # hundreds of random graphs, few of them bipartite
    done = subprocess.run([*command, *files], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    answered = json.loads((tmp_path / "answered.json").read_text())
    # networkx' one test of a bisection has a graph that is not bipartite
    assert set(FUNCTIONS) - set(answered) <= {"spectral_bisection"}
    assert answered["algebraic_connectivity"] >= 20
    assert answered["fiedler_vector"] >= 15
