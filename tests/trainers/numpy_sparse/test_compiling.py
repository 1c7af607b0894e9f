from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def run(code, folder, **environment):
    paths = os.pathsep.join([str(folder), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


def test_the_cache_notices_a_change_in_another_file(tmp_path):
    """Numba alone goes on with machine code that holds what a neighbour was before."""
    (tmp_path / "caller.py").write_text(
        "from trainers.numpy_sparse.compiling import compiled\nimport callee\n\n\n"
        "@compiled\ndef call(x):\n    return callee.answer(x)\n"
    )
    code = "from caller import call; print(call(1), sum(call.stats.cache_hits.values()))"
    found = []
    for number in (1, 1, 2):
        (tmp_path / "callee.py").write_text(
            "from trainers.numpy_sparse.compiling import compiled\n\n\n"
            f"@compiled\ndef answer(x):\n    return x + {number}\n"
        )
        found.append(run(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"), PYTHONDONTWRITEBYTECODE="1"))
    assert found == [["2", "0"], ["2", "1"], ["3", "0"]]


def test_a_process_that_compiles_has_the_bits_of_one_that_reads_what_was_compiled(tmp_path):
    code = (
        "import topograph as tg; from trainers import TrainingConfig, get_trainer, load_dataset\n"
        "topology = tg.Topology.build('random_regular', [64, 32, 10], [8, 10], seed=0)\n"
        "config = TrainingConfig(epochs=2, learning_rate=0.3)\n"
        "result = get_trainer('numpy').train(topology, load_dataset('digits'), config)\n"
        "print(*(weights.data.tobytes().hex() for weights in result.weights))"
    )
    first, second = (run(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) for _ in range(2))
    assert first == second
