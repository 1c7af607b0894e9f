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


def test_a_sandbox_goes_back_to_its_folder(tmp_path):
    sandbox = Sandbox()
    sandbox.call(os.chdir, (tmp_path,))
    assert sandbox.call(os.getcwd, ()) == os.getcwd()
    sandbox.kill()


def test_of_a_sandbox_that_forks_only_the_original_replies():
    sandbox = Sandbox()
    assert sandbox.call(os.fork, ()) > 0
    assert [sandbox.call(pow, (2, i)) for i in range(5)] == [1, 2, 4, 8, 16]
    sandbox.kill()


def test_values_and_errors_that_cannot_be_sent_back_are_said():
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="cannot be sent back"):
        sandbox.call(open, (os.devnull,))
    with pytest.raises(RuntimeError, match="Unpicklable: 3"):
        sandbox.call(raise_unpicklable, (3,))
    with pytest.raises(Exception, match="pickle"):
        sandbox.call(print, (lambda: 1,))
    assert sandbox.call(abs, (-1,)) == 1
    sandbox.kill()


class Unpicklable(Exception):
    """Can be packed, and not unpacked."""

    def __init__(self, number, more):
        super().__init__(number)


def raise_unpicklable(number):
    raise Unpicklable(number, "more")
