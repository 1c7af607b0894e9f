from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from trainers.study.engine.sandbox import Sandbox, SandboxDiedError, SandboxLimitError


def test_a_sandbox_dies_with_its_owner(tmp_path):
    code = (
        "import os, time; from trainers.study.engine.pool import SandboxPool\n"
        "pool = SandboxPool(1); print(pool.submit(os.getpid).result(), flush=True)\n"
        "pool.submit(time.sleep, 600); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        pid = int(owner.stdout.readline())
        time.sleep(0.5)
        owner.kill()
    deadline = time.monotonic() + 30
    while _running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _running(pid)


def _running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_sandbox_says_what_it_died_of():
    sandbox = Sandbox()
    with pytest.raises(SandboxDiedError, match="exit status 3"):
        sandbox.call(os._exit, (3,))
    sandbox = Sandbox()
    with pytest.raises(SandboxLimitError, match=r"0\.2 s"):
        sandbox.call(time.sleep, (60,), 0.2)
    sandbox = Sandbox(first=(os.kill, (0, 99999)))  # what fails at the start is passed over
    with pytest.raises(ZeroDivisionError):
        sandbox.call(divmod, (1, 0))
    assert sandbox.call(divmod, (7, 2)) == (3, 1)
    sandbox.kill()
