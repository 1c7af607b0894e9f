"""Products of a pattern in which many pairs have an edge, by tables of partial sums: the method of the four Russians.

Six entries of a vector have 64 sums. Six bits of a row of the pattern say which of them to add, so that one addition
takes the place of all the edges among six entries: of three, on average, at a density of one half. A word holds ten
times six bits, and the ten tables together fit the cache next to the core, or nearly so.

Source: Arlazarov, Dinic, Kronrod & Faradžev, On economical construction of the transitive closure of a directed graph,
Soviet Math. Dokl. 11 (1970).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from topograph.compiling import compiled
from topograph.spectral.lanczos.table import BITS, FIELDS, WORD
from topograph.spectral.lanczos.vector_code import doubles

_WHOLE = ir.IntType(64)


@compiled.in_place
def write_codes(indptr: Any, indices: Any, by_rows: Any, by_columns: Any, lo: int, hi: int) -> None:
    """Set the bits of rows ``lo … hi`` by rows, ``(words of columns) × rows``, and by columns; both hold 0 before.

    Threads that share a pattern have whole words of rows each.
    """
    for i in range(lo, hi):
        mine, word = np.uint64(1) << np.uint64(i % WORD), i // WORD
        for e in range(np.int64(indptr[i]), np.int64(indptr[i + 1])):
            j = np.int64(indices[e])
            by_rows[j // WORD, i] |= np.uint64(1) << np.uint64(j % WORD)
            by_columns[word, j] |= mine


def _tables_of(width: int) -> Any:
    """Write the sums of each subset of six entries, ``width`` numbers each, at ``source`` to ``table``."""

    def make(typing: Any, source: Any, table: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            several, entry = ir.VectorType(ir.DoubleType(), width), 8 * width
            source, table = arguments

            def at(base: Any, number: int) -> Any:
                return builder.inttoptr(builder.add(base, _WHOLE(entry * number)), several.as_pointer())

            sums = [ir.Constant(several, [0.0] * width)]
            for bit in range(BITS):
                value = builder.load(at(source, bit), align=8)
                sums += [builder.fadd(total, value) if number else value for number, total in enumerate(sums)]
            for number, total in enumerate(sums):
                builder.store(total, at(table, number), align=8)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return intrinsic(make)


def _additions_of(width: int) -> Any:
    """Add what the bits of the word at ``code`` choose, six from each table, to the ``width`` numbers at ``sums``."""

    def make(typing: Any, code: Any, tables: Any, sums: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            several, entry = ir.VectorType(ir.DoubleType(), width), 8 * width
            code, tables, sums = arguments
            word = builder.load(builder.inttoptr(code, _WHOLE.as_pointer()))
            parts: list[Any] = []
            for field in range(FIELDS):
                chosen = builder.and_(builder.lshr(word, _WHOLE(BITS * field)), _WHOLE((1 << BITS) - 1))
                table = builder.add(tables, _WHOLE((entry << BITS) * field))
                address = builder.add(table, builder.mul(chosen, _WHOLE(entry)))
                value = builder.load(builder.inttoptr(address, several.as_pointer()), align=8)
                if field < 4:  # four accumulators hide the latency of the additions
                    parts.append(value)
                else:
                    parts[field % 4] = builder.fadd(parts[field % 4], value)
            total = builder.fadd(builder.fadd(parts[0], parts[1]), builder.fadd(parts[2], parts[3]))
            place = builder.inttoptr(sums, several.as_pointer())
            builder.store(builder.fadd(builder.load(place, align=8), total), place, align=8)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), generate

    return intrinsic(make)


_tables_of_2, _tables_of_4, _tables_of_8 = (_tables_of(width) for width in (2, 4, 8))
_additions_of_2, _additions_of_4, _additions_of_8 = (_additions_of(width) for width in (2, 4, 8))


@compiled.in_place
def look_up_several(
    codes: Any, source: int, totals: int, stride: int, width: int, lo: int, hi: int, space: int
) -> None:
    """Rows ``lo … hi`` of the products with ``width`` vectors, as `products.gather_several` gives them.

    ``codes`` are from `write_codes`. Of ``source``, whole words of entries are read. ``space`` is the address of work
    space, `table.space_for` so many rows.
    """
    entry = 8 * width
    table, begin, rows = space, space + (entry << BITS) * FIELDS, codes.ctypes.data
    end = begin + entry * (hi - lo)
    sums = doubles(begin, width * (hi - lo))
    sums[:] = 0.0
    for word in range(codes.shape[0]):
        code, place, total = rows + 8 * (word * codes.shape[1] + lo), source + WORD * entry * word, begin
        for field in range(FIELDS):
            first, into = place + BITS * entry * field, table + (entry << BITS) * field
            if width == 2:
                _tables_of_2(first, into)
            elif width == 4:
                _tables_of_4(first, into)
            else:
                _tables_of_8(first, into)
        if width == 2:
            while total < end:
                _additions_of_2(code, table, total)
                code, total = code + 8, total + entry
        elif width == 4:
            while total < end:
                _additions_of_4(code, table, total)
                code, total = code + 8, total + entry
        else:
            while total < end:
                _additions_of_8(code, table, total)
                code, total = code + 8, total + entry
    for k in range(width):
        out = doubles(totals + k * stride + 8 * lo, hi - lo)
        for i in range(hi - lo):
            out[i] = sums[i * width + k]
