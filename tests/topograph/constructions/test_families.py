"""What is known about each family: published structure, spectra, counts, and what its errors offer."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topograph import construct
from topograph.constructions.families.ramanujan import explicit_graphs
from topograph.constructions.geometry import net, paley_design, projective_space, quadrangle
from topograph.constructions.lps import lps_graph
from topograph.constructions.rows import complement, uniform_entries
from topograph.errors import InvalidParameterError


def sigmas(graph):
    return np.linalg.svd(graph.to_mask(float), compute_uv=False)


@pytest.mark.parametrize(
    ("graph", "sigma2"),
    [
        (projective_space(2, 3), np.sqrt(3)),
        (projective_space(2, 7), np.sqrt(7)),
        (projective_space(3, 3), 3),
        (projective_space(4, 2), 2**1.5),
        (net(2, 5), np.sqrt(5)),
        (net(5, 5), np.sqrt(5)),
        (net(6, 5), np.sqrt(5)),
        (quadrangle(2), 2),
        (quadrangle(3), np.sqrt(6)),
        (quadrangle(5), np.sqrt(10)),
        (paley_design(11, False), np.sqrt(3)),
        (paley_design(19, True), np.sqrt(5)),
    ],
)
def test_geometries_have_their_known_sigma2(graph, sigma2):
    assert sigmas(graph)[1] == pytest.approx(sigma2)


def test_quadrangle_has_girth_eight():
    b = quadrangle(3).to_mask(int)
    collinear = b @ b.T - 4 * np.eye(len(b), dtype=int)
    assert collinear.max() == 1  # two points on one line at most
    inside = (collinear @ collinear) * collinear
    assert set(inside[collinear == 1]) == {2}  # no triangles: common neighbours only on the line itself


@pytest.mark.parametrize(("p", "q"), [(5, 13), (17, 13)])  # bipartite PGL, and the double cover of PSL
def test_lps(p, q):
    graph = lps_graph(p, q)
    assert graph.n_left == graph.n_right == q * (q * q - 1) // 2
    assert graph.is_connected
    assert 1 < sigmas(graph)[1] <= 2 * np.sqrt(p)


@pytest.mark.parametrize("shape", [(7, 7), (30, 40), (26, 26)])
def test_every_explicit_graph_is_ramanujan(shape):
    checked = 0
    for entry in explicit_graphs(*shape):
        if max(entry.n_left, entry.n_right) <= 140:
            graph = entry.make()
            assert graph.shape == (entry.n_left, entry.n_right), entry
            assert set(graph.left_degrees) == {entry.degree}, entry
            (right,) = set(graph.right_degrees)
            assert sigmas(graph)[1] <= np.sqrt(entry.degree - 1) + np.sqrt(right - 1) + 1e-9, entry
            checked += 1
    assert checked > 5


def test_ramanujan_offers_the_nearest():
    with pytest.raises(InvalidParameterError, match="841 × 290 with degree 10"):
        construct("ramanujan", 784, 300, degree=10)
    with pytest.raises(InvalidParameterError, match="13 × 13 with degree 4"):
        construct("ramanujan", 13, 13, degree=5)


def test_biregular_random_comes_near_the_bound():
    graph = construct("biregular_random", 600, 300, degree=12, seed=1)
    assert sigmas(graph)[1] < 1.03 * (np.sqrt(11) + np.sqrt(23))


def test_biregular_random_is_nearly_uniform():
    # 90 simple 2-biregular graphs on 4 + 4 nodes; chi-square over them has 89 degrees of freedom
    found = Counter(construct("biregular_random", 4, 4, degree=2, seed=s).content_hash for s in range(4500))
    counts = np.array(list(found.values()))
    assert len(counts) == 90
    assert ((counts - 50) ** 2 / 50).sum() < 150


@given(st.integers(1, 12), st.integers(1, 12), st.data())
@settings(max_examples=60, deadline=None)
def test_biregular_random_is_near_regular_at_any_size(n, m, data):
    edges = data.draw(st.integers(1, n * m))
    graph = construct("biregular_random", n, m, edges=edges, seed=data.draw(st.integers(0, 99)))
    assert graph.n_edges == edges
    assert np.ptp(graph.left_degrees) <= 1
    assert np.ptp(graph.right_degrees) <= 1


@pytest.mark.parametrize(("n", "m", "k"), [(784, 300, 30), (10, 30, 4), (9, 9, 9)])
def test_watts_strogatz_without_rewiring_is_regular_rotating(n, m, k):
    assert construct("watts_strogatz", n, m, degree=k, beta=0) == construct("regular_rotating", n, m, degree=k)


def test_watts_strogatz_moves_the_share_beta():
    regular = construct("regular_rotating", 400, 200, degree=10).to_mask()
    for beta in (0.2, 1.0):
        graph = construct("watts_strogatz", 400, 200, degree=10, beta=beta, seed=2)
        assert np.count_nonzero(graph.to_mask() & ~regular) / 4000 == pytest.approx(beta * 190 / 200, abs=0.05)


def test_barabasi_albert_has_hubs():
    for degree in (4, 80):  # the compiled and the ranking way
        hubs = construct("barabasi_albert", 2000, 200, degree=degree, seed=0).right_degrees
        fair = construct("random_regular", 2000, 200, degree=degree, seed=0).right_degrees
        assert hubs.std() > 3 * fair.std()


def test_sobol_fills_a_power_of_two_layer_evenly():
    mask = construct("sobol", 16, 16, edges=16).to_mask(int)
    for rows in (1, 2, 4, 8, 16):  # an elementary interval of 16 cells holds one point
        assert (mask.reshape(16 // rows, rows, rows, 16 // rows).sum(axis=(1, 3)) == 1).all()


def test_sobol_agrees_with_scipy():
    from scipy.stats import qmc

    points = qmc.Sobol(2, scramble=False).random(64)
    cells = set(map(tuple, np.floor(points * [64, 32]).astype(int)))
    assert cells == set(map(tuple, construct("sobol", 64, 32, edges=64).edges()))


def test_radix_net_layers_have_equal_path_counts():
    paths = np.eye(24, dtype=int)
    stride = 1
    for radix in (2, 3, 4):
        paths = paths @ construct("radix_net", 24, 24, degree=radix, stride=stride).to_mask(int)
        stride *= radix
    assert (paths == 1).all()


def test_butterfly_stages_make_one_path_for_each_pair():
    paths = np.eye(27, dtype=int)
    for stage in range(3):
        paths = paths @ construct("butterfly", 27, 27, degree=3, stage=stage).to_mask(int)
    assert (paths == 1).all()


def test_local_windows_are_windows():
    mask = construct("local_windows", 784, 300, window=(3, 5)).to_mask().reshape(28, 28, 300)
    for j in range(300):
        rows, columns = np.nonzero(mask[:, :, j])
        assert (np.ptp(rows), np.ptp(columns), rows.size) == (2, 4, 15)
    assert mask[[0, 0, -1, -1], [0, -1, 0, -1]].any(axis=1).all()  # the corners are seen


def test_stochastic_block_counts():
    graph = construct("stochastic_block", 90, 60, degree=6, blocks=3, inside=0.8, seed=4)
    i, j = graph.edges().T
    assert np.count_nonzero(i // 30 == j // 20) == round(0.8 * 540)
    assert construct("stochastic_block", 9, 7, degree=2, blocks=1).n_edges == 18


def test_erdos_renyi_epsilon_is_set():
    assert construct("erdos_renyi", 784, 300, epsilon=20).n_edges == 20 * 1084


@pytest.mark.parametrize(
    ("name", "n", "m", "options", "says"),
    [
        ("xnet_cayley", 300, 300, {"degree": 4}, "120 × 120 and 336 × 336"),
        ("xnet_cayley", 24, 24, {"degree": 9}, "the nearest is 4"),
        ("radix_net", 784, 300, {"degree": 100}, "nearest are 75 and 150"),
        ("radix_net", 784, 300, {"degree": 75, "base": 3}, "that is 4"),
        ("butterfly", 30, 30, {"degree": 4}, "28 × 28 and 32 × 32"),
        ("block_diagonal", 784, 300, {"degree": 31}, "25 and 30"),
        ("n_m_structured", 784, 300, {"degree": 100}, r"degree=75 \(1:4\) and degree=150 \(2:4\)"),
        ("n_m_structured", 786, 300, {}, "784 and 788"),
        ("local_windows", 784, 300, {"degree": 30}, "window=8 .* window=9"),
        ("local_windows", 783, 300, {"window": 3}, "784 pixels"),
        ("stochastic_block", 20, 20, {"degree": 10, "inside": 1.0}, "to 0.5"),
        ("erdos_renyi", 20, 20, {"degree": 10, "epsilon": 1.0}, "either"),
        ("dense", 20, 20, {"degree": 10}, "leave degree out"),
        ("watts_strogatz", 20, 20, {"degree": 10, "beta": 1.5}, "beta"),
        ("butterfly", 32, 32, {"edges": 65}, "radix"),
        ("local_windows", 784, 300, {"edges": 7500, "window": 5}, "not both"),
    ],
)
def test_errors_say_what_is_feasible_nearby(name, n, m, options, says):
    with pytest.raises(InvalidParameterError, match=says):
        construct(name, n, m, **options)


def test_uniform_cells_are_uniform():
    generator = np.random.default_rng(0)
    for count in (3, 7):
        hits = np.bincount(np.concatenate([uniform_entries(10, count, generator) for _ in range(3000)]), minlength=10)
        assert np.abs(hits - 300 * count).max() < 6 * np.sqrt(300 * count)


def test_complement():
    graph = construct("random_edge", 9, 7, degree=3.0, seed=0)
    assert (complement(graph).to_mask() == ~graph.to_mask()).all()


def test_a_density_finds_the_degree_it_means():
    for degree in (1, 3, 6, 7, 21, 42):
        assert construct("block_diagonal", 60, 42, density=degree / 42) == construct(
            "block_diagonal", 60, 42, degree=degree
        )
    assert construct("ramanujan", 307, 307, density=18 / 307).n_edges == 307 * 18
