"""Edge lists as pandas, R, networkx, KONECT and people write them: the right graph, or a word on the two readings."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError

MASK = np.random.default_rng(3).random((9, 6)) < 0.5
MASK[0, :2] = [True, False]  # so that a header 0,1 is not an edge, and the list does not begin with it
GRAPH = tg.BipartiteGraph.from_mask(MASK)
EDGES = pd.DataFrame(GRAPH.edges(), columns=["source", "target"])
NUMBERED = list(enumerate(GRAPH.edges(), start=1))  # as R numbers rows
WEIGHTS = np.random.default_rng(4).normal(size=len(EDGES))


def read(path, text=None, **options):
    if text is not None:
        path.write_text(text)
    return next(iter(tg.load(path, **options).values()))


def note(path):
    return next(iter(tg.load(path).read_as.values()))


@pytest.mark.parametrize(
    "write",
    [
        lambda p: EDGES.to_csv(p, index=False),
        lambda p: EDGES.to_csv(p),
        lambda p: EDGES.to_csv(p, header=False, index=False),
        lambda p: EDGES.to_csv(p, index=False, sep=";"),
        lambda p: EDGES.to_csv(p, index=False, sep="\t"),
        lambda p: EDGES.to_csv(p, index=False, encoding="utf-8-sig"),
        lambda p: EDGES.to_csv(p, index=False, header=False, encoding="utf-8-sig"),
        lambda p: EDGES.to_csv(p, index=False, encoding="utf-16"),
        lambda p: EDGES.astype(float).to_csv(p, index=False),
        lambda p: EDGES[["target", "source"]].to_csv(p, index=False),
        lambda p: EDGES.rename(columns={"source": "From", "target": "To_Node"}).to_csv(p, index=False),
        lambda p: EDGES.rename(columns={"source": "row", "target": "col"}).to_csv(p, index=False),
        lambda p: EDGES.assign(layer=0).to_csv(p, index=False),
        lambda p: EDGES.assign(weight=WEIGHTS).to_csv(p, index=False),
        lambda p: EDGES.assign(weight=WEIGHTS)[["weight", "target", "source"]].to_csv(p, index=False),
        lambda p: EDGES.assign(pruned=0).to_csv(p, index=False),
        lambda p: EDGES.assign(mask=True).to_csv(p, index=False),
        lambda p: EDGES.assign(note="as measured").to_csv(p, index=False),
        lambda p: pd.DataFrame(GRAPH.edges()).to_csv(p),
        lambda p: EDGES.sample(frac=1, random_state=0).to_csv(p),
        lambda p: p.write_text('"","source","target"\n' + "".join(f'"{i}",{a},{b}\n' for i, (a, b) in NUMBERED)),
        lambda p: p.write_text("source target\n" + "".join(f"{i} {a} {b}\n" for i, (a, b) in NUMBERED)),
        lambda p: np.savetxt(p, GRAPH.edges(), fmt="%d"),
        lambda p: np.savetxt(p, GRAPH.edges() + 1, fmt="%d", delimiter=","),
        lambda p: nx.write_edgelist(GRAPH.to_networkx(), p, delimiter=",", data=False),
        lambda p: nx.write_edgelist(GRAPH.to_networkx(), p),
        lambda p: nx.write_edgelist(GRAPH.to_networkx(), p, delimiter="\t", data=False),
        lambda p: p.write_text(
            "% bip weighted\n% 30 9 6\n" + "".join(f"{a + 1}\t{b + 1}\t0.5\t99\n" for a, b in GRAPH.edges())
        ),
        lambda p: p.write_text("# 9 x 6, numbered from 1\n" + "".join(f"{a + 1},{b + 1}\n" for a, b in GRAPH.edges())),
    ],
)  # fmt: skip
def test_the_same_graph_however_it_is_written(tmp_path, write):
    path = tmp_path / "edges.csv"
    write(path)
    assert read(path) == GRAPH


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0,1\n0,2\n3,1\n", "may be an edge, or the header that pandas writes"),
        ("gene,pathway\nTP53,apoptosis\nEGFR,growth\n", "'gene,pathway' may be an edge or a header"),
        ("0,0,1\n1,2,0\n2,1,1\n", "counts the lines: they may be an index, input and output, or"),
        ("5,0,0\n4,1,0\n", "third of three columns is 0 in every line"),
        ("source,target,chosen\n0,0,1\n0,1,0\n", "'chosen' holds flags"),
        ("source,input\n0,0\n", "both name the input"),
        ("source,a,b\n0,0,5\n", "no column is called output"),
        ("1,1\n1,3\n4,3\n", "may be numbered from 1, or the first of each has no edge"),
        ("0,40\n3,41\n", "may be numbered after the inputs, or 40 of them have no edge"),
        ("source,target\na,b\nb,c\n", "'b': the edges may be of one layer or of a whole network"),
        ("source,target\na,x\nb,\n", "edge 2 names no output"),
        ("source,target\n0,1,2,3\n", "header of 2 names, but lines of 4"),
        ("source,target,weight\n0,0,much\n", "the weights must be numbers, but one is 'much'"),
        ("% sym unweighted\n1 2\n", "not bipartite"),
        ("source,target\n", "holds no edge"),
        ("# 2 x 2, numbered from 1\n0,1\n", "says there are 2|numbered from 1"),
    ],
)
def test_what_has_two_readings_is_refused_with_both(tmp_path, text, says):
    path = tmp_path / "edges.csv"
    path.write_text(text)
    with pytest.raises(InvalidMaskError, match=says):
        tg.load(path)


def test_a_second_line_that_repeats_the_first_shows_that_it_is_a_header(tmp_path):
    assert read(tmp_path / "e.csv", "0,1\n0,0\n0,1\n1,0\n").n_edges == 3


def test_names_are_kept(tmp_path):
    graph = read(tmp_path / "e.csv", "source,target\nTP53,apoptosis\nEGFR,growth\nEGFR,apoptosis\n")
    assert (graph.left_labels, graph.right_labels) == (("TP53", "EGFR"), ("apoptosis", "growth"))
    assert "inputs by name" in note(tmp_path / "e.csv")
    turned = read(tmp_path / "e.csv", orientation="out_in")
    assert turned.left_labels == ("apoptosis", "growth")
    assert read(tmp_path / "w.csv", "a,x,2\na,y,0\nb,x,1\n").left_labels == ("a", "b")


def test_one_side_may_be_names_and_the_other_numbers(tmp_path):
    graph = read(tmp_path / "e.csv", "input,output\npixel a,0\npixel b,2\npixel b,0\n")
    assert graph.to_mask().astype(int).tolist() == [[1, 0, 0], [1, 0, 1]]
    assert (graph.left_labels, graph.right_labels) == (("pixel a", "pixel b"), None)


def test_a_layers_own_names_may_stand_on_both_sides(tmp_path):
    graph = read(tmp_path / "e.csv", "input,output\na,b\nb,a\n")
    assert graph.to_mask().astype(int).tolist() == [[1, 0], [0, 1]]


def test_what_was_written_is_read_again(tmp_path):
    graph = tg.BipartiteGraph.from_edges([("TP53", "growth"), ("EGFR", "growth"), ("EGFR", "death")])
    graph.edge_table().to_csv(tmp_path / "e.csv", index=False)
    again = read(tmp_path / "e.csv")
    assert again == graph
    assert again.left_labels == graph.left_labels
    GRAPH.edge_table().to_csv(tmp_path / "e.csv", index=False)
    assert read(tmp_path / "e.csv") == GRAPH


def test_flags_say_which_edges_are_gone(tmp_path):
    pruned = np.arange(len(EDGES)) % 3 == 0
    EDGES.assign(pruned=pruned).to_csv(tmp_path / "e.csv", index=False)
    assert read(tmp_path / "e.csv").edges().tolist() == GRAPH.edges()[~pruned].tolist()
    EDGES.assign(kept=~pruned).to_csv(tmp_path / "e.csv", index=False)
    assert read(tmp_path / "e.csv").edges().tolist() == GRAPH.edges()[~pruned].tolist()
    EDGES.assign(weight=WEIGHTS, pruned=pruned).to_csv(tmp_path / "e.csv", index=False)
    assert read(tmp_path / "e.csv").edges().tolist() == GRAPH.edges()[~pruned].tolist()


def test_a_column_of_layers_makes_layers(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("layer,source,target\nfc1,0,0\nfc1,1,1\nfc2,0,0\nfc2,1,0\n")
    masks = tg.load(path)
    assert {name: graph.shape for name, graph in masks.items()} == {"fc1": (2, 2), "fc2": (2, 1)}
    assert masks.to_topology().sizes == (2, 2, 1)


def test_ghosts_are_noticed(tmp_path):
    (tmp_path / "e.csv").write_text("0,0\n4,2\n")
    assert note(tmp_path / "e.csv") == (
        "edge list, input → output; numbered from 0; no edge at 3 of 5 inputs and 1 of 3 outputs"
    )


def test_columns_that_are_not_read_are_said(tmp_path):
    EDGES.assign(time=np.arange(len(EDGES)) * 7.5).to_csv(tmp_path / "e.csv", index=False)
    assert "column 'time' was not read" in note(tmp_path / "e.csv")


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("after", ["outputs", "inputs"])
def test_one_numbering_for_both_sides_is_seen(tmp_path, first, after):
    edges = GRAPH.edges() + first
    edges[:, 1 if after == "outputs" else 0] += 9 if after == "outputs" else 6
    np.savetxt(tmp_path / "e.csv", edges, fmt="%d", delimiter=",")
    assert read(tmp_path / "e.csv") == GRAPH
    assert f"numbered from {first}, {after} after" in note(tmp_path / "e.csv")
    (tmp_path / "s.csv").write_text("# 9 x 6\n" + (tmp_path / "e.csv").read_text())
    assert read(tmp_path / "s.csv") == GRAPH


def test_weights_of_european_spreadsheets(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("source;target;weight\n0;0;0,5\n1;1;-2,25\n")
    assert tg.measure(path, "weighted").shape[0] == 1
    assert read(path, threshold=1.0).edges().tolist() == [[1, 1]]


def test_remarks_behind_an_edge_are_no_part_of_it(tmp_path):
    assert read(tmp_path / "e.csv", "0,0 # the first\n1,1\n# a remark\n1,2\n").edges().tolist() == [
        [0, 0],
        [1, 1],
        [1, 2],
    ]


def test_attributes_of_networkx_edges(tmp_path):
    graph = GRAPH.to_networkx()
    nx.set_edge_attributes(graph, 2.5, "weight")
    nx.write_edgelist(graph, tmp_path / "e.edgelist")
    assert read(tmp_path / "e.edgelist") == GRAPH
    assert read(tmp_path / "e.edgelist", threshold=3).n_edges == 0
    (tmp_path / "bad.edgelist").write_text("0 1 {'weight': __import__('os')}\n")
    with pytest.raises(InvalidMaskError, match="cannot read the attributes"):
        tg.load(tmp_path / "bad.edgelist")
