from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError, InvalidParameterError, TopologyMismatchError, UnknownNameError


def test_a_topology_is_a_sequence_of_layer_pairs():
    first, second = tg.construct("regular_rotating", 6, 4, degree=2), tg.construct("dense", 4, 2)
    topology = tg.Topology([first, second])
    assert len(topology) == 2
    assert topology[0] == first
    assert topology[-1] == second
    assert list(topology) == [first, second]
    assert topology[1:] == tg.Topology([second])
    assert topology.sizes == (6, 4, 2)
    assert topology.n_edges == 12 + 8
    assert topology.density == pytest.approx(20 / 32)
    assert "6-4-2" in repr(topology)
    assert "layer 2" in topology._repr_html_()


def test_masks_are_welcome_as_layers():
    assert tg.Topology([np.ones((2, 3)), np.eye(3)]).architecture == "2-3-3"


def test_build_draws_each_layer_from_its_own_seed():
    one = tg.Topology.build("random_regular", [8, 8, 8], 3, seed=1)
    again = tg.Topology.build("random_regular", [8, 8, 8], 3, seed=1)
    other = tg.Topology.build("random_regular", [8, 8, 8], 3, seed=2)
    assert one == again
    assert one.content_hash == again.content_hash
    assert one != other
    assert one[0] != one[1]


def test_build_takes_a_construction_a_layer_and_densities():
    topology = tg.Topology.build(["dense", "regular_rotating"], [4, 6, 8], densities=[1.0, 0.25])
    assert [graph.density for graph in topology] == [1.0, 0.25]
    with pytest.raises(InvalidParameterError, match="has 3"):
        tg.Topology.build("dense", [4, 6, 8], [1, 2, 3])
    with pytest.raises(InvalidParameterError, match="at least two layers"):
        tg.Topology.build("dense", [4])
    with pytest.raises(InvalidParameterError, match="sequence"):
        tg.Topology.build("dense", 4)
    with pytest.raises(InvalidParameterError, match="construction must be a sequence"):
        tg.Topology.build(5, [4, 4], 2)
    with pytest.raises(UnknownNameError, match="Available"):
        tg.Topology.build("desne", [4, 4])
    for given in ({"degrees": 2, "densities": 0.5}, {"degrees": 2, "edges": 8}, {"edges": 8, "density": 0.5}):
        with pytest.raises(InvalidParameterError, match=f"but got {', '.join(f'{k}={v}' for k, v in given.items())}"):
            tg.Topology.build("random_regular", [4, 4], **given)


def test_layers_that_do_not_chain_are_named():
    with pytest.raises(TopologyMismatchError, match="layer 1 has 5 outputs and layer 2 has 3 inputs"):
        tg.Topology([np.ones((4, 5)), np.ones((3, 2))])
    with pytest.raises(TopologyMismatchError, match="at least one"):
        tg.Topology([])


@pytest.mark.parametrize("sizes", [[3, 2], [3, 4, 2], [2, 3, 4, 5], [2, 3, 2, 3, 2]])
def test_the_whole_network_as_one_graph(sizes):
    topology = tg.Topology.build("random_edge", sizes, densities=0.6, seed=3)
    whole = topology.as_graph()
    starts = np.cumsum([0, *sizes])
    adjacency = np.zeros((sum(sizes),) * 2)
    for layer, graph in enumerate(topology):
        adjacency[starts[layer] : starts[layer + 1], starts[layer + 1] : starts[layer + 2]] = graph.to_mask()
    adjacency += adjacency.T
    expected = np.linalg.eigvalsh(np.diag(adjacency.sum(axis=0)) - adjacency)
    mask = whole.to_mask().astype(float)
    found = np.block([[np.zeros((len(mask),) * 2), mask], [mask.T, np.zeros((mask.shape[1],) * 2)]])
    assert np.allclose(np.linalg.eigvalsh(np.diag(found.sum(axis=0)) - found), expected)


def test_files_round_trip_and_appear_whole(tmp_path):
    topology = tg.Topology.build("random_edge", [20, 30, 10], densities=0.1, seed=5)
    path = topology.save(tmp_path / "t.npz")
    assert tg.Topology.load(path) == topology
    assert tg.load(path).to_topology() == topology
    assert [file.name for file in tmp_path.iterdir()] == ["t.npz"]


def test_broken_files_are_named_with_their_fault(tmp_path):
    with pytest.raises(InvalidMaskError, match=r"missing\.npz"):
        tg.Topology.load(tmp_path / "missing.npz")
    junk = tmp_path / "junk.npz"
    junk.write_bytes(b"junk")
    with pytest.raises(InvalidMaskError, match=r"junk\.npz"):
        tg.Topology.load(junk)
    other = tmp_path / "other.npz"
    np.savez(other, mask=np.eye(3))
    with pytest.raises(InvalidMaskError, match=r"other\.npz"):
        tg.Topology.load(other)
    whole = tg.Topology.build("dense", [3, 3]).save(tmp_path / "whole.npz")
    cut = tmp_path / "cut.npz"
    cut.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(InvalidMaskError, match=r"cut\.npz"):
        tg.Topology.load(cut)
    future = tmp_path / "future.npz"
    np.savez(future, format=np.array("topograph topology 99"), sizes=np.array([1, 1]))
    with pytest.raises(InvalidMaskError, match="topology 99"):
        tg.Topology.load(future)
    content, random = whole.read_bytes(), np.random.default_rng(0)
    for _ in range(200):  # zipfile and zlib have errors of their own for each kind of damage
        damaged = bytearray(content)
        damaged[random.integers(len(content))] ^= 1 << random.integers(8)
        cut.write_bytes(damaged)
        with suppress(InvalidMaskError):
            tg.Topology.load(cut)
    evil = tmp_path / "evil.npz"
    np.savez(evil, format=np.array([print], dtype=object), sizes=np.array([1, 1]), allow_pickle=True)
    with pytest.raises(InvalidMaskError, match=r"evil\.npz"):
        tg.Topology.load(evil)
