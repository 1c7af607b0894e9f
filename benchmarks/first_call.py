"""Time what a machine that has never run topograph waits for: imports, the first `measure`, the first `train`.

    python benchmarks/first_call.py [--rounds 3]

Each line is a process of its own; the best of the rounds counts, in seconds on the clock. Cold, the folder of compiled
code is empty; warm, the process before has filled it. Beside it stands the same code when numba compiles everything, as
it would without the portable code in the package.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import topograph as tg

NUMBA_ALONE = "from topograph.machine_code import Kernels; Kernels.find = lambda *_, **__: None; "
COMMAND = "import sys; from analysis.cli import main; sys.exit(main(sys.argv[1:]))"


def seconds(code, arguments, cache):
    """How long a fresh process takes."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *map(str, arguments)], env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


def pair(code, arguments, rounds):
    """The best cold and the best warm time."""
    cold, warm = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(seconds(code, arguments, cache))
            warm.append(seconds(code, arguments, cache))
    return min(cold), min(warm)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        mask, topology = Path(folder) / "mask.npy", Path(folder) / "topology.npz"
        np.save(mask, np.random.default_rng(0).random((784, 300)) < 0.1)
        tg.Topology.build("random_regular", [64, 32, 10], [8, 10], seed=0).save(topology)
        train = "train", topology, "--dataset", "digits", "--set", "epochs=5"
        print(f"{'':44s} {'cold':>8s} {'warm':>8s}")
        for words, code, arguments in (
            ("python -c pass", "pass", ()),
            ("import topograph", "import topograph", ()),
            ("import analysis", "import analysis", ()),
            ("topograph measure mask.npy", COMMAND, ("measure", mask)),
            ("the same, by numba alone", NUMBA_ALONE + COMMAND, ("measure", mask)),
            ("topograph train topology.npz", COMMAND, train),
            ("the same, by numba alone", NUMBA_ALONE + COMMAND, train),
        ):
            cold, warm = pair(code, arguments, rounds)
            print(f"{words:44s} {cold:6.2f} s {warm:6.2f} s", flush=True)


if __name__ == "__main__":
    main()
