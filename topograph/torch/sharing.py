# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False, disallow-untyped-defs=False
"""`shared`: one compiled function on several threads, those that PyTorch computes with where it has OpenMP.

Threads of our own would have to wait for PyTorch's: these turn round and round for some milliseconds after each of its
operations, in case another one follows, and keep their cores meanwhile.

Importing this module imports numba, so it is imported on first use only.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

_intrinsic: Any = intrinsic  # it supplies the typing context itself, which its types do not say
_WORD, _UNSIGNED, _ANYTHING = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()
_BODY = ir.FunctionType(ir.VoidType(), [_ANYTHING])
_REGION = ir.FunctionType(ir.VoidType(), [_BODY.as_pointer(), _ANYTHING, _UNSIGNED, _UNSIGNED])  # of GOMP_parallel


@_intrinsic
def shared(typing_context, work, given, claims, workers, region):
    """Call ``work(given, worker, workers)`` for each worker whom nobody has claimed.

    Parameters
    ----------
    work
        Compiled function that returns nothing.
    given
        A tuple of arrays and numbers.
    claims
        Array of one int64, the number of workers that are claimed; threads that share it share the work.
    workers
        How many there are.
    region
        Address of ``GOMP_parallel``, which lets as many threads run this; 0 for the calling thread alone.
    """
    called = work.get_call_type(typing_context, (given, types.int64, types.int64), {})

    def generate(context, builder, signature, args):
        _, tuple_given, array, number, address = args
        counter = context.make_array(signature.args[2])(context, builder, array).data
        fields = [tuple_given, counter, number]
        box = builder.alloca(ir.LiteralStructType([field.type for field in fields]))
        for position, field in enumerate(fields):
            builder.store(field, _field(builder, box, position))
        body = _claiming(context, builder.module, work.dispatcher.get_compile_result(called), called, box.type)
        data = builder.bitcast(box, _ANYTHING)
        with builder.if_else(builder.icmp_unsigned("==", address, ir.Constant(_WORD, 0))) as (alone, together):
            with alone:
                builder.call(body, [data])
            with together:
                enter = builder.inttoptr(address, _REGION.as_pointer())
                builder.call(enter, [body, data, builder.trunc(number, _UNSIGNED), ir.Constant(_UNSIGNED, 0)])
        return context.get_dummy_value()

    return types.void(work, given, claims, types.int64, types.int64), generate


def _claiming(context: Any, module: Any, compiled: Any, called: Any, box: Any) -> Any:
    """A function of a pointer to the box, which claims a worker and works for it, until all are claimed."""
    context.active_code_library.add_linking_library(compiled.library)
    body = ir.Function(module, _BODY, module.get_unique_name("topograph.shared"))
    body.linkage = "internal"
    begin, claim, do, end = (body.append_basic_block(name) for name in ("begin", "claim", "work", "end"))
    builder = ir.IRBuilder(begin)
    place = builder.bitcast(body.args[0], box)
    given, counter, workers = (builder.load(_field(builder, place, position)) for position in range(3))
    builder.branch(claim)
    builder.position_at_end(claim)
    worker = builder.atomic_rmw("add", counter, ir.Constant(_WORD, 1), "seq_cst")
    builder.cbranch(builder.icmp_signed("<", worker, workers), do, end)
    builder.position_at_end(do)
    context.call_internal_no_propagate(builder, compiled.fndesc, called, [given, worker, workers])
    builder.branch(claim)
    builder.position_at_end(end)
    builder.ret_void()
    return body


def _field(builder: Any, box: Any, position: int) -> Any:
    return builder.gep(box, [ir.Constant(_UNSIGNED, 0), ir.Constant(_UNSIGNED, position)])
