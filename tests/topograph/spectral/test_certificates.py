"""The interval of every lane holds the true value, over many seeds and spectra made to deceive it."""

import numpy as np
import pytest
import scipy.linalg

import topograph as tg
from topograph.spectral import tridiagonal
from topograph.spectral.eliminated import EliminatedLane
from topograph.spectral.lane import Known, Lane
from topograph.spectral.operators import FullOperator, HalfOperator
from topograph.spectral.pattern import Pattern


@pytest.fixture(scope="module")
def graph():
    half = tg.construct("random_regular", 60, 40, degree=8, seed=2).to_mask(bool)
    mask = np.kron(np.eye(2, dtype=bool), half)
    mask[0, 40] = mask[60, 0] = True  # symmetric halves: eigenvalues in close pairs
    found = tg.BipartiteGraph.from_mask(mask)
    assert found.is_connected
    return found


@pytest.mark.parametrize("seed", range(40))
def test_every_seed_every_stage(graph, seed):
    """At every step of the run, converged or not, the interval holds the eigenvalue sought."""
    pattern = Pattern.of(graph)
    b = graph.to_mask(float)
    laplacian = np.block([[np.diag(b.sum(1)), -b], [-b.T, np.diag(b.sum(0))]])
    true = np.linalg.eigvalsh(laplacian)[1]
    size = graph.n_nodes
    lane = Lane(FullOperator(pattern, -1), Known(np.full(size, size**-0.5)), 1e-8, seed=seed)
    for _ in range(30):
        lane.advance(7)
        lane.check()
        found = lane.result()
        assert found.low <= true * (1 + 1e-13)
        assert true <= found.high * (1 + 1e-13)


def test_a_perron_vector_needs_no_chance(graph):
    pattern = Pattern.of(graph)
    lane = Lane(HalfOperator.gram(pattern), None, 1e-10, start=pattern.right)
    true = np.linalg.norm(graph.to_mask(float), 2) ** 2
    for _ in range(12):
        lane.advance(1)
        lane.check()
        found = lane.result()
        assert found.low <= -true * (1 - 1e-13)
        assert -true <= found.high + 1e-11
    known = lane.as_known()
    assert known.residual < 1e-4
    assert (known.vector > 0).all()


def test_tridiagonal_against_lapack():
    rng = np.random.default_rng(0)
    for k in (1, 2, 5, 40):
        alphas, betas = rng.standard_normal(k), np.abs(rng.standard_normal(k + 1)) + 0.1
        true = scipy.linalg.eigh_tridiagonal(alphas, betas[1:k])[0][0] if k > 1 else alphas[0]
        theta = tridiagonal.smallest_ritz_value(alphas, betas, k, alphas.min(), 0.0)
        assert theta == pytest.approx(true, rel=1e-12, abs=1e-13)
        vector = tridiagonal.ritz_coordinates(alphas, betas, k, theta)
        matrix = np.diag(alphas) + np.diag(betas[1:k], 1) + np.diag(betas[1:k], -1)
        assert matrix @ vector == pytest.approx(theta * vector, abs=1e-11)


def test_growth_is_the_largest_orthonormal_polynomial():
    rng = np.random.default_rng(1)
    k = 12
    alphas, betas = rng.standard_normal(k), np.abs(rng.standard_normal(k + 1)) + 0.5
    mu = tridiagonal.smallest_ritz_value(alphas, betas, k, alphas.min(), 0.0) - 0.1
    p = [1.0]
    for j in range(k):
        before = betas[j] * p[j - 1] if j else 0.0
        p.append(((mu - alphas[j]) * p[j] - before) / betas[j + 1])
    assert tridiagonal.growth(alphas, betas, k, mu) == pytest.approx(np.abs(p).max(), rel=1e-12)
    assert tridiagonal.growth(alphas, betas, k, mu + 0.2) == 0.0


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

    def advance(self, track, known, alphas, betas, first, steps):
        for j in range(first, first + steps):
            track.basis[j : j + 1] = np.stack([track.vector, track.other])
            image = self.eigenvalues * track.vector / betas[j]
            alphas[j] = image @ track.vector / betas[j]
            carry = betas[j] / betas[j - 1] if j else 0.0
            following = self.eigenvalues * track.other / betas[j]
            track.work[:] = image - alphas[j] / betas[j] * track.vector - carry * track.work
            track.other_work[:] = following - alphas[j] / betas[j] * track.other - carry * track.other_work
            betas[j + 1] = np.linalg.norm(track.work)
            track.turn()
        return first + steps


@pytest.mark.parametrize("apart", [0.0, 1e-9, 1e-7, 1e-5, 1e-3, 0.1])
def test_a_pair_of_eigenvalues_however_close_is_not_taken_for_one(apart):
    """Wherever a certificate is given, for any seed, the smallest eigenvalue is in it."""
    rest = np.linspace(1.5, 8.0, 78)
    operator = Diagonal(np.concatenate([[1.0, 1.0 + apart], rest]))
    by_witness = 0
    for seed in range(60):
        lane = Lane(operator, None, 1e-8, seed=seed)
        assert lane.run(78)
        found = lane.result()
        assert found.low <= 1.0 <= found.high
        assert found.high - found.low <= 1.01e-8
        by_witness += lane.limit is not None
    assert by_witness == 0 if apart < 1e-8 else apart < 1e-3 or by_witness > 50


def test_a_witness_sees_two_eigenvalues_behind_one_ritz_value():
    """A start nearly orthogonal to the smallest eigenvector: the run has settled on the second, the witness objects."""
    operator = Diagonal(np.concatenate([[1.0, 1.2], np.linspace(3.0, 8.0, 58)]))
    lane = Lane(operator, None, 1e-8, seed=3)
    lane.track.vector[0] = 1e-13
    lane.betas[0] = np.linalg.norm(lane.track.vector)
    lane.needed = np.inf
    asked = []
    ask = lane._ask_witness
    lane._ask_witness = lambda *given: asked.append(lane.steps) or ask(*given)
    while lane.theta > 1.1 and lane.steps < 50:
        lane.advance(1)
        assert not lane.check()
        if asked:
            assert lane.limit is None
    assert asked


def test_the_vector_that_follows_takes_the_same_polynomial(graph):
    """What follows is p_j(A) b: by the recurrence written out for dense matrices."""
    b = graph.to_mask(float)
    laplacian = np.block([[np.diag(b.sum(1)), -b], [-b.T, np.diag(b.sum(0))]])
    size = graph.n_nodes
    lane = Lane(FullOperator(Pattern.of(graph), -1), Known(np.full(size, size**-0.5)), 1e-8)
    before, now = np.zeros(size), lane.track.other / lane.betas[0]
    lane.advance(12)
    for j in range(12):
        assert lane.track.basis[j, 1] / lane.betas[j] == pytest.approx(now, abs=1e-9)
        after = laplacian @ now - lane.alphas[j] * now - (lane.betas[j] * before if j else 0)
        before, now = now, after / lane.betas[j + 1]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "m", "k"), [(150, 70, 9), (90, 90, 6), (70, 150, 12), (200, 40, 3)])
def test_inputs_of_one_degree_are_eliminated(n, m, k, weighted):
    """The interval is that of L itself, whatever the outputs' degrees."""
    for seed in range(4):
        mask = tg.construct("random_regular", n, m, degree=k, seed=seed).to_mask(float)
        rng = np.random.default_rng(seed)
        if weighted:
            mask *= rng.lognormal(size=mask.shape)
            mask *= 7.0 / mask.sum(axis=1, keepdims=True)
        graph = tg.BipartiteGraph.from_mask(mask)
        if not graph.is_connected:
            continue
        values = mask[mask > 0] if weighted else None
        pattern = Pattern.of(graph, values)
        pattern.__dict__["left"] = np.full(n, pattern.left[0])  # the sums differ by rounding
        laplacian = np.block([[np.diag(mask.sum(1)), -mask], [-mask.T, np.diag(mask.sum(0))]])
        true = np.linalg.eigvalsh(laplacian)[1]
        found = EliminatedLane(pattern, 1e-8).run(500)
        assert found is not None
        assert found.value == pytest.approx(true, rel=1e-8)
        assert found.low <= true * (1 + 1e-12)
        assert true <= found.high * (1 + 1e-12)
        assert found.high - found.low <= 1.1e-8 * true


def test_without_room_for_the_basis_the_growth_decides(graph, monkeypatch):
    from topograph.spectral import lane as module

    monkeypatch.setattr(module, "_KEPT", 0)
    size = graph.n_nodes
    lane = Lane(FullOperator(Pattern.of(graph), -1), Known(np.full(size, size**-0.5)), 1e-8)
    assert lane.run(200)
    assert lane.limit is None
    b = graph.to_mask(float)
    true = np.linalg.eigvalsh(np.block([[np.diag(b.sum(1)), -b], [-b.T, np.diag(b.sum(0))]]))[1]
    assert lane.result().low <= true * (1 + 1e-13)
    assert lane.result().value == pytest.approx(true, rel=1e-8)
