"""A process that is killed while it tracks loses at most its last step."""

import os
import signal
import subprocess
import sys
import time

import pytest

from topograph.tracking import read_history

SCRIPT = """
import sys
import numpy as np
import topograph as tg

masks = {"a": np.eye(30), "b": np.ones((30, 4))}
tracker = tg.Tracker(masks, ["density"], path=sys.argv[1])
for step in range(100_000):
    masks["a"][step % 30, step % 7] = step % 2
    tracker.update(step)
    print(step, flush=True)
"""


@pytest.mark.parametrize("ending", ["parquet", "sqlite"])
def test_a_kill_loses_at_most_the_last_step(tmp_path, ending):
    path = tmp_path / f"run.{ending}"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 60:  # past the first joining of parts
            break
    time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    done = [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    finished = max([60, *done])
    table = read_history(path)
    steps = sorted(set(table.step))
    assert steps == list(range(len(steps)))  # none is missing in between
    assert steps[-1] >= finished
    assert set(table.groupby("step").size()) == {len(table) // len(steps)}  # and none is there by half
