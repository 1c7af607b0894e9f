from __future__ import annotations

import os
import time

import pytest

from trainers.study.engine.pool import SandboxPool
from trainers.study.engine.sandbox import SandboxDiedError


def test_sandboxes_have_one_thread_each():
    with SandboxPool(1) as pool:
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
        assert pool.submit(os.getenv, "NUMBA_NUM_THREADS").result() == "1"


def test_a_pool_finishes_what_is_queued_or_drops_it():
    with SandboxPool(2) as pool:
        futures = [pool.submit(pow, 2, i) for i in range(20)]
    assert [future.result() for future in futures] == [2**i for i in range(20)]
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(pow, 2, 2)
    with SandboxPool(1) as pool:
        first, *rest = [pool.submit(os._exit, 3), pool.submit(pow, 2, 10), pool.submit(pow, 2, 11)]
    assert isinstance(first.exception(), SandboxDiedError)
    assert [future.result() for future in rest] == [1024, 2048]
    pool = SandboxPool(1)
    futures = [pool.submit(time.sleep, 60) for _ in range(3)]
    time.sleep(0.2)
    pool.kill()
    assert futures[-1].cancelled()
    assert all(future.done() for future in futures)
