"""The interval of every run holds the true value, over many seeds and spectra made to deceive it."""

import numpy as np
import pytest

import topograph as tg
from topograph.spectral.lanczos.certificate import constant_vector
from topograph.spectral.lanczos.operators import FullOperator, HalfOperator
from topograph.spectral.lanczos.run import LanczosRun
from topograph.spectral.lanczos.witness import Witness
from topograph.spectral.pattern import Pattern


@pytest.fixture(scope="module")
def graph():
    half = tg.construct("random_regular", 60, 40, degree=8, seed=2).to_mask(bool)
    mask = np.kron(np.eye(2, dtype=bool), half)
    mask[0, 40] = mask[60, 0] = True  # symmetric halves: eigenvalues in close pairs
    found = tg.BipartiteGraph.from_mask(mask)
    assert found.is_connected
    return found


@pytest.fixture(scope="module")
def true(graph):
    """λ2 to more digits than LAPACK's, which is off by 1e-14: the Rayleigh quotient of its vector, in long numbers."""
    b = graph.to_mask(float)
    laplacian = np.block([[np.diag(b.sum(1)), -b], [-b.T, np.diag(b.sum(0))]])
    vector = np.linalg.eigh(laplacian)[1][:, 1].astype(np.longdouble)
    quotient = vector @ (laplacian.astype(np.longdouble) @ vector) / (vector @ vector)
    assert quotient == pytest.approx(np.linalg.eigvalsh(laplacian)[1], abs=1e-12)
    return quotient


@pytest.mark.parametrize("seed", range(40))
def test_every_seed_every_stage(graph, true, seed):
    """At every step of the run, converged or not, the interval holds the eigenvalue sought."""
    pattern = Pattern.of(graph)
    size = graph.n_nodes
    run = LanczosRun(FullOperator(pattern, -1), constant_vector(size), 1e-8, seed=seed)
    for _ in range(30):
        run.advance(7)
        run.check()
        found = run.result()
        assert found.low <= true * (1 + 1e-13)
        assert true <= found.high * (1 + 1e-13)


def test_a_perron_vector_needs_no_chance(graph):
    pattern = Pattern.of(graph)
    run = LanczosRun(HalfOperator.gram(pattern), None, 1e-10, start=pattern.right)
    true = np.linalg.norm(graph.to_mask(float), 2) ** 2
    for _ in range(12):
        run.advance(1)
        run.check()
        found = run.result()
        assert found.low <= -true * (1 - 1e-13)
        assert -true <= found.high + 1e-11
    known = run.as_known()
    assert known.residual < 1e-4
    assert (known.vector > 0).all()


def test_a_tighter_tolerance_gives_a_narrower_interval(graph):
    widths = []
    for tolerance in (1e-4, 1e-6, 1e-9):
        spectrum = graph.spectrum(tolerance=tolerance, method="lanczos", quantities=["algebraic_connectivity"])
        widths.append(spectrum["algebraic_connectivity"].width / spectrum["algebraic_connectivity"].value)
    assert widths[0] >= 0.999 * widths[1]  # the witness may tell no more for the one than for the other
    assert widths[1] > widths[2]
    assert all(width <= 2 * tolerance for width, tolerance in zip(widths, (1e-4, 1e-6, 1e-9), strict=True))


class Diagonal:
    """An operator whose eigenvalues are given, with steps in plain NumPy."""

    inner = None
    noise = 4e-15
    cost = 0

    def __init__(self, eigenvalues):
        self.eigenvalues = np.asarray(eigenvalues)
        self.size = self.eigenvalues.size

    def advance(self, state, steps):
        for j in range(state.steps, state.steps + steps):
            (vector, other), (before, other_before), following = state.at(j), state.at(j - 1), state.at(j + 1)
            image = self.eigenvalues * vector / state.betas[j]
            alpha = state.alphas[j] = image @ vector / state.betas[j]
            carry = state.betas[j] / state.betas[j - 1] if j else 0.0
            shared = alpha / state.betas[j]
            following[1] = self.eigenvalues * other / state.betas[j] - shared * other - carry * other_before
            following[0] = image - shared * vector - carry * before
            state.betas[j + 1] = np.linalg.norm(following[0])
            state.steps = j + 1


@pytest.mark.parametrize("apart", [0.0, 1e-9, 1e-7, 1e-5, 1e-3, 0.1])
def test_a_pair_of_eigenvalues_however_close_is_not_taken_for_one(apart):
    """Wherever a certificate is given, for any seed, the smallest eigenvalue is in it."""
    rest = np.linspace(1.5, 8.0, 78)
    operator = Diagonal(np.concatenate([[1.0, 1.0 + apart], rest]))
    by_witness = 0
    for seed in range(60):
        run = LanczosRun(operator, None, 1e-8, seed=seed)
        assert run.run(78)
        found = run.result()
        assert found.low <= 1.0 <= found.high
        assert found.high - found.low <= 1.01e-8
        by_witness += found.single_below is not None
    assert by_witness == 0 if apart < 1e-8 else apart < 1e-3 or by_witness > 50


def test_a_witness_sees_two_eigenvalues_behind_one_ritz_value():
    """A start nearly orthogonal to the smallest eigenvector: the run has settled on the second, the witness objects."""
    operator = Diagonal(np.concatenate([[1.0, 1.2], np.linspace(3.0, 8.0, 58)]))
    run = LanczosRun(operator, None, 1e-8, seed=3)
    start = run.state.at(0)[0]
    start[0] = 1e-13
    run.betas[0] = np.linalg.norm(start)
    witness = Witness(run.betas[0])
    run.certificates = [witness]
    looked = False
    while run.theta > 1.1 and run.steps < 50:
        run.advance(1)
        assert not run.check()
        looked = looked or (0 < witness.missing < np.inf and run.residual < 1e-6)
    assert looked


def test_the_vector_that_follows_takes_the_same_polynomial(graph):
    """What follows is p_j(A) b: by the recurrence written out for dense matrices."""
    b = graph.to_mask(float)
    laplacian = np.block([[np.diag(b.sum(1)), -b], [-b.T, np.diag(b.sum(0))]])
    size = graph.n_nodes
    run = LanczosRun(FullOperator(Pattern.of(graph), -1), constant_vector(size), 1e-8)
    before, now = np.zeros(size), run.state.at(0)[1] / run.betas[0]
    run.advance(12)
    for j in range(12):
        assert run.state.basis[j, 1] / run.betas[j] == pytest.approx(now, abs=1e-9)
        after = laplacian @ now - run.alphas[j] * now - (run.betas[j] * before if j else 0)
        before, now = now, after / run.betas[j + 1]


def test_without_room_for_the_basis_the_growth_decides(graph):
    size = graph.n_nodes
    run = LanczosRun(FullOperator(Pattern.of(graph), -1), constant_vector(size), 1e-8)
    run.kept = 0
    assert run.run(200)
    assert run.result().single_below is None
    b = graph.to_mask(float)
    true = np.linalg.eigvalsh(np.block([[np.diag(b.sum(1)), -b], [-b.T, np.diag(b.sum(0))]]))[1]
    assert run.result().low <= true * (1 + 1e-13)
    assert run.result().value == pytest.approx(true, rel=1e-8)
