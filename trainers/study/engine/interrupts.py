"""Tell Ctrl-C from a `KeyboardInterrupt` that a trainer raises by itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Watch:
    """Whether Ctrl-C is being watched for, and whether it came."""

    on = False
    came = False


@contextmanager
def watching_interrupts() -> Iterator[None]:
    """Remember Ctrl-C while the block runs, besides raising it.

    This works in the main thread under Python's own handler; elsewhere the block just runs.
    """
    ours = threading.current_thread() is threading.main_thread()
    if _Watch.on or not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        _Watch.came = True
        signal.default_int_handler(number, frame)

    _Watch.on, _Watch.came = True, False
    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        _Watch.on = False
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupted() -> bool:
    """Whether Ctrl-C came while it was watched for, even if somebody caught the exception."""
    return _Watch.on and _Watch.came


def is_interrupt(error: BaseException) -> bool:
    """Whether an error is the user's Ctrl-C, which must not become the failure of a run."""
    if not isinstance(error, KeyboardInterrupt) or threading.current_thread() is not threading.main_thread():
        return False
    if _Watch.on:
        return _Watch.came
    return signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, signal.SIG_DFL)
