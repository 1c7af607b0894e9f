"""Laws that every registered construction obeys, and the promises that each makes."""

import dataclasses
import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from topograph import BipartiteGraph, Topology, available_constructions, construct
from topograph.constructions import (
    Guarantee,
    construction,
    describe_constructions,
    get_construction,
    guarantees,
)
from topograph.constructions.guarantees import LEFT_REGULAR
from topograph.constructions.registry import GROUP
from topograph.errors import InvalidParameterError, PluginError, UnknownNameError

SIZES = [(12, 8), (8, 12), (16, 16), (9, 7), (40, 6), (1, 5), (5, 1)]


def is_possible(name, n, m, degree):
    try:
        construct(name, n, m, degree=degree)
    except InvalidParameterError:
        return False
    return True


def cases():
    """Every construction on the examples that it states and, where it takes any size, on all of ours it takes."""
    for name in available_constructions():
        rule = get_construction(name)
        yield from ((name, n, m, dict(options)) for n, m, options in rule.examples)
        if rule.sized_by == "fixed":
            continue
        for n, m in SIZES:
            degrees = sorted({1, 2, 3, m // 2 + 1, m})
            yield from ((name, n, m, {"degree": k}) for k in degrees if k <= m and is_possible(name, n, m, k))


CASES = list(cases())


@pytest.mark.parametrize("name", available_constructions())
def test_most_sizes_are_possible(name):
    sizes = {(n, m) for case, n, m, _ in CASES if case == name}
    assert len(sizes) > (0 if get_construction(name).sized_by == "fixed" else len(SIZES) / 2)


def differ_by_at_most_one(degrees):
    return degrees.max() - degrees.min() <= 1


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
            assert guarantee.holds(graph, options.get("degree"), others), guarantee.text
        if rule.connected is not None and rule.connected.holds(n, m, graph.n_edges / n):
            assert graph.is_connected, rule.connected.when
    if not rule.random and "scramble" not in options:
        assert graph == construct(name, n, m, seed=0, **options)


def get_example(name):
    rule = get_construction(name)
    return rule.examples[0] if rule.sized_by == "fixed" else (40, 24, {"degree": 5})


@pytest.mark.parametrize("name", [n for n in available_constructions() if get_construction(n).random])
def test_seeds_differ(name):
    n, m, options = get_example(name)
    assert len({construct(name, n, m, seed=seed, **options).content_hash for seed in range(4)}) > 1


@pytest.mark.parametrize("name", available_constructions())
@pytest.mark.parametrize(("n", "m"), [(12, 8), (7, 11)])
def test_exact_edges(name, n, m):
    rule = get_construction(name)
    if rule.sized_by == "expected":
        with pytest.raises(InvalidParameterError, match="erdos_renyi"):
            construct(name, n, m, edges=20)
    elif rule.sized_by != "fixed":
        for edges in (1, 5, n - 1, n, n + 1, 3 * n + 2, n * m - 1, n * m):
            graph = construct(name, n, m, edges=edges, seed=3)
            assert graph.n_edges == edges
            if rule.sized_by == "rows":
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
    assert not table["summary"].str.endswith(".").any()


@pytest.fixture
def plugged(monkeypatch):
    """Register an object under an entry point of the group, beside ours."""
    from topograph import plugins

    def plug(value, name="elsewhere"):
        entry = EntryPoint(name, "elsewhere:thing", GROUP)
        ours, load = plugins.registered(GROUP), plugins.load_plugin
        monkeypatch.setattr(plugins, "registered", lambda group: {**ours, name: entry})
        monkeypatch.setattr(plugins, "load_plugin", lambda found: value if found == entry else load(found))
        plugins.named_plugins.cache_clear()

    yield plug
    monkeypatch.undo()
    plugins.named_plugins.cache_clear()


@construction("diagonal", summary="i mod m", guarantees=(LEFT_REGULAR,), reference="another package, 2026")
def diagonal(n_left, n_right, degree, generator, step=1):
    shifts = np.arange(degree) * step
    return BipartiteGraph.from_edges([(i, j) for i in range(n_left) for j in set((i + shifts) % n_right)])


@pytest.mark.parametrize("value", [diagonal, [diagonal], sys.modules[__name__]], ids=["object", "list", "module"])
def test_a_construction_of_another_package_is_one_of_them(plugged, value):
    plugged(value)
    assert "diagonal" in available_constructions()
    assert describe_constructions().loc["diagonal", "parameters"] == "step=1"
    assert construct("diagonal", 6, 6, edges=8).n_edges == 8
    assert Topology.build("diagonal", [6, 6, 6], edges=20, allocation="er").n_edges == 20


def test_what_is_not_a_construction_is_refused_and_named(plugged):
    plugged("a string", "broken")
    with pytest.raises(PluginError, match=r"'broken' .* holds 'a string', which is not a Construction"):
        available_constructions()


def test_a_second_construction_of_a_name_is_refused(plugged):
    plugged(dataclasses.replace(diagonal, name="dense"), "second")
    with pytest.raises(PluginError, match=r"'second' .* names a construction 'dense', which exists already"):
        available_constructions()


def test_a_construction_of_fixed_sizes_needs_examples():
    with pytest.raises(InvalidParameterError, match="needs examples="):
        dataclasses.replace(diagonal, sized_by="fixed")


@pytest.mark.parametrize(
    ("guarantee", "mask"),
    [
        (guarantees.LEFT_REGULAR, [[1, 1], [1, 0]]),
        (guarantees.RIGHT_REGULAR, [[1, 1], [1, 0]]),
        (guarantees.LEFT_REGULAR_IF_WHOLE, [[1, 1], [1, 0]]),
        (guarantees.RIGHT_REGULAR_IF_SIZES_DIVIDE, [[1, 0], [1, 0]]),
        (guarantees.RIGHT_REGULAR_IF_EDGES_DIVIDE, [[1, 0], [1, 0]]),
        (guarantees.LEFT_WITHIN_ONE, [[1, 1], [0, 0]]),
        (guarantees.RIGHT_WITHIN_ONE, [[1, 0], [1, 0]]),
        (guarantees.EXACT_EDGES, [[1, 1], [1, 0]]),
        (guarantees.EXACT_DEGREE_EDGES, [[1, 1], [1, 0]]),
        (guarantees.EXPECTED_EDGES, np.ones((20, 20))),
    ],
    ids=lambda value: value.text if isinstance(value, Guarantee) else "",
)
def test_a_broken_promise_is_seen(guarantee, mask):
    assert not guarantee.holds(BipartiteGraph.from_mask(mask), 1, {})


@pytest.mark.parametrize("name", available_constructions())
def test_unknown_option(name):
    with pytest.raises(UnknownNameError, match="option of"):
        construct(name, 8, 8, degree=2, nonsense=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"degree": 2, "edges": 3}, "give one of degree, density, sparsity and edges, but got"),
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
