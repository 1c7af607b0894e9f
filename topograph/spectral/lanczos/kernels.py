"""The compiled passes and products as the rest of the package calls them.

They are kept as portable code, which LLVM finishes at the first call (`topograph.machine_code`); numba compiles them
where that is not possible: for more edges than 32 bits count, or when their source has changed since. After a change of
`passes`, `products`, `steps`, `table`, `vector_code` or `topograph.turns`,
``python -m topograph.spectral.lanczos.kernels``, with an empty folder as ``NUMBA_CACHE_DIR``, makes the portable code
anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from topograph.machine_code import NONE, Kernels, as_arguments
from topograph.seats import Seat
from topograph.spectral.lanczos.table import Share

if TYPE_CHECKING:
    from topograph.spectral.pattern import Matrix, Pattern, Vector

_HERE, _TOPOGRAPH = Path(__file__).parent, Path(__file__).parents[2]
KERNELS = Kernels(
    _HERE / "kernels.ll.gz",
    [
        *(_HERE / f"{name}.py" for name in ("lookups", "passes", "products", "steps", "table", "vector_code")),
        *(_TOPOGRAPH / f"{name}.py" for name in ("seats", "turns")),
    ],
    rotated=True,
)


def advance(
    pattern: Pattern, runs: Any, width: int, source: int, totals: int, sums: int, steps: int, share: Share, seat: Seat
) -> int:
    """See `topograph.spectral.lanczos.passes.advance`; products are by codes where the pattern is half-dense."""
    by_codes = pattern.is_half_dense
    function = KERNELS.find("advance_by_codes") if by_codes else _find("advance", pattern.by_rows)
    given = width, source, totals, sums, steps
    if function is None:
        from topograph.spectral.lanczos import passes

        ways = (None, None, *pattern.codes) if by_codes else (pattern.by_rows, pattern.by_columns, None, None)
        return int(passes.advance(*ways, *pattern.shape, runs, *given, share, seat))
    place = seat.worker, seat.workers, *as_arguments(seat.turns), seat.give_way
    return int(function(*pattern.arguments, *pattern.shape, *as_arguments(runs), *given, *share, *place))


def write_codes(matrix: Matrix, by_rows: Any, by_columns: Any, lo: int, hi: int) -> None:
    """See `topograph.spectral.lanczos.lookups.write_codes`."""
    indptr, indices, _ = matrix
    function = _find("write_codes", matrix)
    if function is None:
        from topograph.spectral.lanczos import lookups

        lookups.write_codes(indptr, indices, by_rows, by_columns, lo, hi)
    else:
        function(*(one for array in (indptr, indices, by_rows, by_columns) for one in as_arguments(array)), lo, hi)


def gather(matrix: Matrix, source: Vector, out: Vector) -> None:
    """See `topograph.spectral.lanczos.products.gather`."""
    function = _find("gather", matrix)
    if function is None:
        from topograph.spectral.lanczos import products

        products.gather(matrix, source, out)
    else:
        function(*matrix_arguments(matrix), *as_arguments(source), *as_arguments(out))


def gather_several(matrix: Matrix, source: int, totals: int, stride: int, width: int, lo: int, hi: int) -> None:
    """See `topograph.spectral.lanczos.products.gather_several`."""
    function = _find("gather_several", matrix)
    if function is None:
        from topograph.spectral.lanczos import products

        products.gather_several(matrix, source, totals, stride, width, lo, hi)
    else:
        function(*matrix_arguments(matrix), source, totals, stride, width, lo, hi)


def matrix_arguments(matrix: Matrix) -> tuple[int, ...]:
    """A pattern by rows or by columns, as portable code takes it."""
    weights = NONE if matrix.weights is None else as_arguments(matrix.weights)
    return *as_arguments(matrix.indptr), *as_arguments(matrix.indices), *weights


def _find(name: str, matrix: Matrix) -> Any:
    """The function for a kind of pattern."""
    if matrix.indptr.itemsize != 4 or matrix.indices.itemsize > 4:
        return None
    return KERNELS.find(name + _suffix(8 * matrix.indices.itemsize, matrix.weights is not None))


def _suffix(bits: int, is_weighted: bool) -> str:
    return f"_{bits}_weighted" if is_weighted else f"_{bits}"


def write() -> None:
    """Make the portable code of the sources as they are."""
    from numba import types

    from topograph.portable_code import portable_code
    from topograph.spectral.lanczos import lookups, passes, products
    from topograph.spectral.pattern import Matrix

    whole, table, vector = types.int64, types.Array(types.int64, 2, "C"), types.Array(types.float64, 1, "C")
    named: Any = types.NamedTuple
    share, seat = named((whole,) * 5, Share), named((whole, whole, table, whole), Seat)
    codes, nothing = types.Array(types.uint64, 2, "C", readonly=True), types.none
    given = whole, whole, table, *(whole,) * 5, share, seat
    entries: dict[str, Any] = {"advance_by_codes": (passes.advance, (nothing, nothing, codes, codes, *given))}
    starts, weighted = (types.Array(kind, 1, "C", readonly=True) for kind in (types.uint32, types.float64))
    kind: Any
    for bits, kind in ((16, types.uint16), (32, types.uint32)):
        for weights in (types.none, weighted):
            matrix = named((starts, types.Array(kind, 1, "C", readonly=True), weights), Matrix)
            suffix = _suffix(bits, weights is weighted)
            entries["advance" + suffix] = passes.advance, (matrix, matrix, nothing, nothing, *given)
            entries["gather" + suffix] = products.gather, (matrix, vector, vector)
            entries["gather_several" + suffix] = products.gather_several, (matrix, *(whole,) * 6)
        plain, written = types.Array(kind, 1, "C", readonly=True), types.Array(types.uint64, 2, "C")
        entries["write_codes" + _suffix(bits, False)] = (
            lookups.write_codes, (starts, plain, written, written, whole, whole)
        )  # fmt: skip
    KERNELS.write(portable_code(entries))


if __name__ == "__main__":
    write()
