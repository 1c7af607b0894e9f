"""`LanczosState`: the vectors and coefficients that a Lanczos iteration carries from step to step."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from topograph.machine_code import address_of
from topograph.spectral.pattern import Vector

_LINE = 8  # numbers in a line of the cache
_LEAST = 3  # rows: the vectors of the last step, of this one and of the next


class LanczosState:
    """The Krylov vectors of an iteration, the deflated vector, and the tridiagonal matrix so far.

    Parameters
    ----------
    start
        First vector, not normalised; ``norm`` is its norm in the operator's inner product.
    norm
        See ``start``.
    known
        Deflated eigenvector; zeros where there is none.
    other
        A second start, which follows with the coefficients of the first; without it zeros follow.

    Attributes
    ----------
    basis
        ``rows × 2 × size``: both vectors of step j, times ``betas[j]``, in row ``j % rows``. As long as there are more
        rows than steps, the vectors of all steps are there.
    alphas, betas
        The tridiagonal matrix; ``betas[0]`` is the norm of the start, ``betas[j]`` the entry beside ``alphas[j]``.
    steps
        How many steps were taken.
    """

    def __init__(self, start: Vector, norm: float, known: Vector, other: Vector | None = None) -> None:
        self.is_followed = other is not None
        self.basis = np.zeros((_LEAST, 2, start.size))
        self.basis[0, 0] = start
        if other is not None:
            self.basis[0, 1] = other
        self.known = np.ascontiguousarray(known)
        self.alphas, self.betas = np.zeros(64), np.zeros(65)
        self.betas[0] = norm
        self.steps = 0
        self._addresses: tuple[int, ...] | None = None
        self._space, self._space_begins = np.empty(0), 0

    @property
    def size(self) -> int:
        """Length of a vector."""
        return self.basis.shape[2]

    @property
    def is_kept(self) -> bool:
        """Whether the vectors of all steps are there."""
        return self.steps < len(self.basis)

    def at(self, step: int) -> npt.NDArray[np.float64]:
        """Both vectors of a step, times ``betas[step]``: ``2 × size``."""
        return np.asarray(self.basis[step % len(self.basis)])

    @property
    def is_finite(self) -> bool:
        """Whether no number of the last step has overflowed."""
        return self.steps == 0 or (math.isfinite(self.alphas[self.steps - 1]) and math.isfinite(self.betas[self.steps]))

    @property
    def exhausted(self) -> bool:
        """Whether the last step left nothing to go on with."""
        k, alphas, betas = self.steps, self.alphas, self.betas
        return bool(k and betas[k] <= 1e-14 * (abs(alphas[k - 1]) + (betas[k - 1] if k > 1 else 0.0)))

    def make_room(self, steps: int, most: int) -> None:
        """Room for ``steps`` in all, and for their vectors while these need no more than ``most`` rows."""
        if steps > self.alphas.size:
            self.alphas = np.concatenate([self.alphas, np.zeros(steps)])
            self.betas = np.concatenate([self.betas, np.zeros(steps)])
            self._addresses = None
        rows = len(self.basis)
        if rows > steps or not self.is_kept:
            return
        self._addresses = None
        if steps >= most:  # from now on the last vectors only
            recent = {step: self.at(step).copy() for step in (self.steps - 1, self.steps) if step >= 0}
            self.basis = np.zeros((_LEAST, 2, self.size))
            for step, vectors in recent.items():
                self.at(step)[:] = vectors
            return
        shape = min(max(2 * rows, steps + 1, 64), most), 2, self.size
        larger = np.empty(shape) if self.is_followed else np.zeros(shape)
        larger[: self.steps + 1] = self.basis[: self.steps + 1]
        self.basis = larger

    @property
    def addresses(self) -> tuple[int, ...]:
        """Where basis, deflated vector, ``alphas`` and ``betas`` lie."""
        if self._addresses is None:
            self._addresses = tuple(map(address_of, (self.basis, self.known, self.alphas, self.betas)))
        return self._addresses

    def work_space(self, length: int) -> int:
        """Address of work space for ``length`` numbers, at a line of the cache; kept while the length is the same.

        It begins as zeros: a pass reads the places of runs that are not there as well.
        """
        if self._space.size != length + _LINE:
            self._space = space = np.zeros(length + _LINE)
            self._space_begins = -(-address_of(space) // (8 * _LINE)) * 8 * _LINE
        return self._space_begins
