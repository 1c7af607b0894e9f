"""A trainer may raise anything; only the user's Ctrl-C ends a study."""

from __future__ import annotations

import signal
import threading

import pytest

from tests.trainers.study.conftest import TOPOLOGIES, study, toy_study
from trainers.study.engine.interrupts import interrupted, is_interrupt, watching_interrupts

pytestmark = pytest.mark.usefixtures("toys")


@pytest.mark.parametrize("workers", [1, 2])
def test_whatever_a_trainer_raises_is_the_failure_of_its_run_alone(tmp_path, workers):
    summary, runs = study(tmp_path, toy_study("raiser", seeds=range(6)), workers=workers)
    assert (summary.trained, summary.failed) == (TOPOLOGIES, 5 * TOPOLOGIES)
    reasons = runs.groupby("seed")["reason"].first()
    assert reasons.loc[1:].tolist() == [
        "KeyboardInterrupt: by itself",
        "GeneratorExit: by itself",
        "Rude",
        "Mute",
        "ValueError: half of a pair \\ud83d, a zero \\x00",
    ]
    assert set(runs["attempts"]) == {1}


def test_ctrl_c_is_told_from_an_exception_of_that_name():
    with watching_interrupts():
        assert not is_interrupt(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt) as caught:
            signal.raise_signal(signal.SIGINT)
        assert is_interrupt(caught.value)
        assert interrupted()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not interrupted()


def test_in_a_thread_no_exception_is_ctrl_c():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(is_interrupt(KeyboardInterrupt())))
    thread.start()
    thread.join()
    assert seen == [False]
