"""How workers who share compiled work wait for each other, in compiled code: each counts the turns that it has ended.

They all take the same turns in the same order, so that the slowest never waits. Importing this module imports numba, so
it is imported on first use only.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from topograph.compiling import reordered_part
from topograph.seats import Seat

_TRIES = 64  # looks at another worker's count before other threads may run


@reordered_part
def end_turn(seat: Seat, turn: int) -> int:
    """Let the others see that this worker has ended one turn more than ``turn``; returns their number now."""
    _write_turns(seat.turns, seat.worker, turn + 1)
    return turn + 1


@reordered_part
def await_worker(seat: Seat, worker: int, turn: int) -> None:
    """Wait until another worker has ended ``turn`` turns: what it wrote until then can be read."""
    tries = 0
    while _read_turns(seat.turns, worker) < turn:
        tries += 1
        if tries % _TRIES == 0:
            _give_way(seat.give_way)


@reordered_part
def await_all(seat: Seat, turn: int) -> int:
    """End a turn and wait until all have ended it; returns the number of turns now."""
    turn = end_turn(seat, turn)
    for worker in range(seat.workers):
        if worker != seat.worker:
            await_worker(seat, worker, turn)
    return turn


def _first_of_row(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    width = builder.extract_value(array.shape, 1)
    return builder.gep(array.data, [builder.mul(arguments[1], width)])


def _of_turns(typing: Any, turns: Any, worker: Any) -> Any:
    """The first number of a row, and all that its writer wrote before it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_first_of_row(context, builder, signature, arguments), "acquire", 8)

    return types.int64(turns, types.int64), generate


def _to_turns(typing: Any, turns: Any, worker: Any, count: Any) -> Any:
    """Write the first number of a row, after all else that was written."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _first_of_row(context, builder, signature, arguments)
        builder.store_atomic(arguments[2], place, "release", 8)
        return context.get_dummy_value()

    return types.void(turns, types.int64, types.int64), generate


def _calling(typing: Any, function: Any) -> Any:
    """Call a function of C at an address, which takes nothing."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), []).as_pointer()
        builder.call(builder.inttoptr(arguments[0], kind), [])
        return context.get_dummy_value()

    return types.void(types.int64), generate


_read_turns: Any = intrinsic(_of_turns)
_write_turns: Any = intrinsic(_to_turns)
_give_way: Any = intrinsic(_calling)
