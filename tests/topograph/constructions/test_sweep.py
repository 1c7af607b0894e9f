"""Laws that every registered construction obeys, and the promises that each makes."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from topograph import BipartiteGraph, available_constructions, construct
from topograph.constructions import describe_constructions, get_construction
from topograph.errors import InvalidParameterError, UnknownNameError

SIZES = [(12, 8), (8, 12), (16, 16), (9, 7), (40, 6), (1, 5), (5, 1)]
FIXED = {
    "dense": [(7, 5, {}), (3, 9, {})],
    "ramanujan": [
        (7, 7, {}),
        (13, 13, {"degree": 4}),
        (25, 20, {"degree": 4}),
        (20, 25, {}),
        (40, 40, {"degree": 4}),
        (15, 15, {"degree": 3}),
        (11, 11, {"degree": 6}),
        (31, 31, {"degree": 6}),
    ],
    "xnet_cayley": [(24, 24, {"degree": 3}), (120, 120, {"degree": 5}), (24, 24, {"degree": 1})],
    "radix_net": [(12, 8, {"degree": 4}), (8, 8, {"degree": 2, "stride": 4}), (6, 18, {"degree": 9, "base": 2})],
    "butterfly": [(8, 8, {}), (9, 9, {"degree": 3, "stage": 1}), (24, 24, {"degree": 2, "stage": 2})],
    "block_diagonal": [(12, 8, {"degree": 4}), (10, 7, {"blocks": 3}), (8, 12, {"degree": 12})],
    "n_m_structured": [(12, 7, {}), (12, 8, {"degree": 2}), (9, 4, {"group": 3, "keep": 2})],
    "local_windows": [
        (36, 10, {"window": 3}),
        (36, 9, {"degree": 1}),
        (20, 7, {"grid": (4, 5), "window": (2, 3)}),
        (30, 8, {"grid": (1, 30), "window": (1, 7)}),
    ],
}


def cases():
    for name in available_constructions():
        rule = get_construction(name)
        if rule.control == "fixed":
            yield from ((name, n, m, options) for n, m, options in FIXED[name])
            continue
        for n, m in SIZES:
            for degree in sorted({1, 2, 3, m // 2 + 1, m}):
                if degree <= m and not (name == "stochastic_block" and min(n, m) < 4):
                    yield name, n, m, {"degree": degree}
    yield "erdos_renyi", 12, 8, {"epsilon": 1.7}
    yield "watts_strogatz", 20, 12, {"degree": 4, "beta": 1.0}
    yield "stochastic_block", 20, 12, {"degree": 4, "blocks": 3, "inside": 0.75}
    yield "sobol", 16, 8, {"degree": 4, "scramble": True}


CASES = list(cases())


def differ_by_at_most_one(degrees):
    return degrees.max() - degrees.min() <= 1


def ramanujan(graph):
    sigma = np.linalg.svd(graph.to_mask(float), compute_uv=False)
    return sigma[1] <= np.sqrt(graph.left_degrees[0] - 1) + np.sqrt(graph.right_degrees[0] - 1) + 1e-9


def power_of_two(*numbers):
    return all(number & (number - 1) == 0 for number in numbers)


def inside_blocks(graph, blocks=4, inside=None, **_):
    if inside is None:
        return True
    i, j = graph.edges().T
    left = np.searchsorted(np.arange(1, blocks + 1) * graph.n_left // blocks, i, side="right")
    right = np.searchsorted(np.arange(1, blocks + 1) * graph.n_right // blocks, j, side="right")
    return np.count_nonzero(left == right) == round(inside * graph.n_edges)


def structured(graph, group=4, **_):
    groups = graph.to_mask(int).reshape(-1, group, graph.n_right).sum(axis=1)
    return groups.min() == groups.max()


# every guarantee that a construction states, as a check: (graph, degree or None, options) -> bool
GUARANTEES = {
    "left-regular": lambda g, k, o: set(g.left_degrees) == {k or g.left_degrees[0]},
    "right-regular": lambda g, k, o: len(set(g.right_degrees)) == 1,
    "left-regular when k is whole": lambda g, k, o: k != int(k) or set(g.left_degrees) == {k},
    "right-regular when m | n": lambda g, k, o: g.n_left % g.n_right or len(set(g.right_degrees)) == 1,
    "right-regular when m | n·k": lambda g, k, o: g.n_edges % g.n_right or len(set(g.right_degrees)) == 1,
    "left degrees differ by at most one": lambda g, k, o: differ_by_at_most_one(g.left_degrees),
    "right degrees differ by at most one": lambda g, k, o: differ_by_at_most_one(g.right_degrees),
    "exact edges n·k": lambda g, k, o: g.n_edges == g.n_left * (k or g.left_degrees[0]),
    "exact edges n·m": lambda g, k, o: g.n_edges == g.n_left * g.n_right,
    "exact edges": lambda g, k, o: k is None or g.n_edges == round(g.n_left * k),
    "exact edges inside the blocks": lambda g, k, o: inside_blocks(g, **o),
    "expected edges n·k": lambda g, k, o: abs(g.n_edges - g.n_left * k) <= 6 * np.sqrt(g.n_left * k) + 1,
    "Ramanujan": lambda g, k, o: ramanujan(g),
    "one component a block": lambda g, k, o: g.n_components == o.get("blocks", g.n_right // k if k else None),
    "n / k components": lambda g, k, o: g.n_components == g.n_left // (k or 2),
    "N of every M consecutive inputs": lambda g, k, o: structured(g, **o),
    "biregular when n, m are powers of two and m | n·k": lambda g, k, o: (
        not power_of_two(*g.shape)
        or g.n_edges % g.n_right
        or g.n_edges % g.n_left
        or (len(set(g.left_degrees)) == 1 and len(set(g.right_degrees)) == 1)
    ),
}


@pytest.mark.parametrize(("name", "n", "m", "options"), CASES)
def test_promises(name, n, m, options):
    rule = get_construction(name)
    for seed in (0, 1):
        graph = construct(name, n, m, seed=seed, **options)
        assert isinstance(graph, BipartiteGraph)
        assert graph.shape == (n, m)
        pairs = graph.edges()
        assert len(np.unique(pairs, axis=0)) == graph.n_edges
        assert graph == construct(name, n, m, seed=seed, **options)
        others = {key: value for key, value in options.items() if key != "degree"}
        for guarantee in rule.guarantees:
            assert GUARANTEES[guarantee](graph, options.get("degree"), others), guarantee
        if rule.connected is not None and rule.connected.holds(n, m, graph.n_edges / n):
            assert graph.is_connected, rule.connected.when
    if not rule.random and "scramble" not in options:
        assert graph == construct(name, n, m, seed=0, **options)


@pytest.mark.parametrize("name", [n for n in available_constructions() if get_construction(n).random])
def test_seeds_differ(name):
    n, m, options = FIXED.get(name, [(40, 24, {"degree": 5})])[0]
    assert len({construct(name, n, m, seed=seed, **options).content_hash for seed in range(4)}) > 1


@pytest.mark.parametrize("name", available_constructions())
@pytest.mark.parametrize(("n", "m"), [(12, 8), (7, 11)])
def test_exact_edges(name, n, m):
    rule = get_construction(name)
    if rule.control == "expected":
        with pytest.raises(InvalidParameterError, match="erdos_renyi"):
            construct(name, n, m, edges=20)
    elif rule.control != "fixed":
        for edges in (1, 5, n - 1, n, n + 1, 3 * n + 2, n * m - 1, n * m):
            graph = construct(name, n, m, edges=edges, seed=3)
            assert graph.n_edges == edges
            if rule.control == "rows":
                assert differ_by_at_most_one(graph.left_degrees)


def test_same_seed_same_graph_in_another_process():
    program = (
        "import json, sys\nfrom topograph import construct\n"
        "print(json.dumps([construct(n, a, b, seed=11, **o).content_hash for n, a, b, o in json.load(sys.stdin)]))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    found = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert json.loads(found.stdout) == [construct(n, a, b, seed=11, **o).content_hash for n, a, b, o in CASES]


def test_the_table_describes_them_all():
    table = describe_constructions()
    assert tuple(table.index) == available_constructions()
    assert (table["reference"].str.len() > 10).all()
    assert table.loc["watts_strogatz", "parameters"] == "beta=0.1"
    assert not table["row"].str.endswith(".").any()


def test_a_construction_of_another_package_is_one_of_them(monkeypatch):
    from importlib.metadata import EntryPoint

    from topograph import Topology
    from topograph.constructions import construction, registry

    @construction("diagonal", row="i mod m", guarantees=("left-regular",), reference="another package, 2026")
    def diagonal(n_left, n_right, degree, generator, step=1):
        shifts = np.arange(degree) * step
        return BipartiteGraph.from_edges([(i, j) for i in range(n_left) for j in set((i + shifts) % n_right)])

    found = {**registry.registered(registry.GROUP), "diagonal": EntryPoint("diagonal", "elsewhere:diagonal", "group")}
    load = registry.load_plugin
    monkeypatch.setattr(registry, "registered", lambda group: found)
    monkeypatch.setattr(registry, "load_plugin", lambda entry: diagonal if entry.name == "diagonal" else load(entry))
    assert "diagonal" in available_constructions()
    assert describe_constructions().loc["diagonal", "parameters"] == "step=1"
    assert construct("diagonal", 6, 6, edges=8).n_edges == 8
    assert Topology.build("diagonal", [6, 6, 6], edges=20, allocation="er").n_edges == 20


@pytest.mark.parametrize("name", available_constructions())
def test_unknown_option(name):
    with pytest.raises(UnknownNameError, match="option of"):
        construct(name, 8, 8, degree=2, nonsense=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"degree": 2, "edges": 3}, "give one of degree, density and edges, but got"),
        ({}, "needs degree="),
        ({"edges": 65}, "1 to 64"),
        ({"edges": 0}, "1 to 64"),
        ({"degree": 9}, "1 to 8"),
        ({"density": 0.0}, "density"),
    ],
)
def test_bad_amounts(given, says):
    with pytest.raises(InvalidParameterError, match=says):
        construct("random_regular", 8, 8, **given)
