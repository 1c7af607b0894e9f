"""Recurrent cells unrolled over their steps, and attention, against graphs written out by hand."""

import itertools

import numpy as np
import pytest

from tests.topograph.model_graph.compared import check_against, randomly_masked, there
from tests.topograph.model_graph.written_out import Written

torch = pytest.importorskip("torch")
nn = torch.nn
STEPS, INPUTS, HIDDEN = 3, 3, 2


class Reader(nn.Module):
    """A recurrent layer whose last state a dense layer reads."""

    def __init__(self, kind):
        super().__init__()
        self.cell = kind(INPUTS, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, 2)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


def sequence():
    """A network whose inputs are a sequence."""
    names = [[("x", t, i) for i in range(INPUTS)] for t in range(STEPS)]
    return Written(itertools.chain(*names)), names


def gates(written, model, names, step, state):
    """The units of all gates at a step: edges from the input and, from the second step on, from the state."""
    of_input, of_state = there(model.cell, "weight_ih_l0"), there(model.cell, "weight_hh_l0")
    units = [("gate", step, row) for row in range(len(of_input))]
    written.layer("ih", names[step], units, of_input, neuron="gate")
    if state is not None:
        written.layer("hh", state, units, of_state, neuron="gate")
    return [units[start : start + HIDDEN] for start in range(0, len(units), HIDDEN)]


def finish(written, model, state):
    written.outputs = written.layer("head", state, ["a", "b"], there(model.head))
    written.hidden = {name for name in written.neurons if name[0] != "head"}
    return written


@pytest.mark.parametrize("seed", range(3))
def test_a_recurrent_layer_is_unrolled(seed):
    model = randomly_masked(Reader(nn.RNN), seed, density=0.5)
    written, names = sequence()
    state = None
    for step in range(STEPS):
        (state,) = gates(written, model, names, step, state)
    check_against(model, (STEPS, INPUTS), finish(written, model, state))


@pytest.mark.parametrize("seed", range(3))
def test_the_gates_of_an_lstm_act_by_products(seed):
    model = randomly_masked(Reader(nn.LSTM), seed, density=0.5)
    written, names = sequence()
    state = cell = None
    for step in range(STEPS):
        enter, forget, new, leave = gates(written, model, names, step, state)
        following = []
        for i in range(HIDDEN):  # cell = forget · cell + enter · new: what only the sum reads hands its edges over
            node = written.node(("cell", step, i))
            following.append(node)
            for term in (enter[i], new[i], *((forget[i], cell[i]) if cell else ())):
                written.edge(term, node)
        cell, state = following, []
        for i in range(HIDDEN):
            state.append(written.node(("state", step, i)))
            written.edge(leave[i], state[i])
            written.edge(cell[i], state[i])
    check_against(model, (STEPS, INPUTS), finish(written, model, state))


def test_a_gru_is_read_as_pytorch_computes_it():
    model = randomly_masked(Reader(nn.GRU), 1, density=0.6)
    of_input, of_state = there(model.cell, "weight_ih_l0"), there(model.cell, "weight_hh_l0")
    written, names = sequence()
    parts = [slice(part * HIDDEN, (part + 1) * HIDDEN) for part in range(3)]
    state = None
    for step in range(STEPS):
        units = {name: [(name, step, i) for i in range(HIDDEN)] for name in ("reset", "update", "new", "inner")}
        for gate, part in zip(("reset", "update", "new"), parts, strict=True):
            name = {"reset": "r", "update": "z", "new": "n"}[gate]
            written.layer(("ih", name), names[step], units[gate], of_input[part], neuron=name)
        following = []
        if state is not None:
            for gate, part in zip(("reset", "update"), parts, strict=False):
                name = {"reset": "r", "update": "z"}[gate]
                written.layer(("hh", name), state, units[gate], of_state[part], neuron=name)
            written.layer(("hh", "inner"), state, units["inner"], of_state[parts[2]], neuron="inner")
        for i in range(HIDDEN):
            node = written.node(("state", step, i))
            following.append(node)
            if state is None:  # new = W x + reset · bias, and state = −new · update + new
                written.edge(units["reset"][i], units["new"][i])
                written.edge(units["new"][i], node)
                written.edge(units["new"][i], node)
                written.edge(units["update"][i], node)
                continue
            written.edge(units["reset"][i], units["new"][i])  # new = W x + reset · inner
            written.edge(units["inner"][i], units["new"][i])
            difference = written.node(("difference", step, i))  # state = (state − new) · update + new
            written.edge(state[i], difference)
            written.edge(units["new"][i], difference)
            for term in (difference, units["update"][i], units["new"][i]):
                written.edge(term, node)
        state = following
    check_against(model, (STEPS, INPUTS), finish(written, model, state))


class Attention(nn.Module):
    """Self-attention with a residual sum; packed as PyTorch packs it."""

    def __init__(self, heads, causal):
        super().__init__()
        self.mix = nn.MultiheadAttention(4, heads, batch_first=True)
        self.norm = nn.LayerNorm(4)
        self.head = nn.Linear(4, 2)
        self.causal = causal

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1]) if self.causal else None
        y = self.mix(x, x, x, attn_mask=mask, need_weights=False, is_causal=self.causal)[0]
        return self.head(self.norm(x + y))


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_attention_mixes_what_its_weights_let_through(heads, causal, seed):
    model = randomly_masked(Attention(heads, causal), seed, density=0.35)
    width, size = 4, 4 // heads
    tokens = [[("x", t, i) for i in range(width)] for t in range(STEPS)]
    written = Written(itertools.chain(*tokens))
    packed = there(model.mix, "in_proj_weight")
    projected = {}
    for number, name in enumerate(("query", "key", "value")):
        for t in range(STEPS):
            projected[name, t] = written.layer(
                name, tokens[t], [(name, t, i) for i in range(width)], packed[number * width : (number + 1) * width]
            )
    mixed = [[written.node(("mixed", t, i)) for i in range(width)] for t in range(STEPS)]
    for head in range(heads):
        rows = range(head * size, (head + 1) * size)
        for t in range(STEPS):
            for s in range(t + 1 if causal else STEPS):
                score = written.node(("score", head, t, s))
                for i in rows:
                    written.edge(projected["query", t][i], score)
                    written.edge(projected["key", s][i], score)
                for i in rows:
                    written.edge(score, mixed[t][i])
                    written.edge(projected["value", s][i], mixed[t][i])
    if causal:  # scores that the mask cuts are computed, and read by nothing
        for head in range(heads):
            for t in range(STEPS):
                for s in range(t + 1, STEPS):
                    score = written.node(("score", head, t, s))
                    for i in range(head * size, (head + 1) * size):
                        written.edge(projected["query", t][i], score)
                        written.edge(projected["key", s][i], score)
    outputs = []
    for t in range(STEPS):
        sums = written.layer("out", mixed[t], [("sum", t, i) for i in range(width)], there(model.mix.out_proj))
        for i in range(width):
            written.edge(tokens[t][i], sums[i])
        outputs += written.layer("head", sums, [("y", t, i) for i in range(2)], there(model.head))
    written.outputs = outputs
    written.hidden = {name for name in written.neurons if name[0] != "head"}
    check_against(model, (STEPS, width), written)


def test_a_look_up_gives_the_inputs():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(10, 3)
            self.positions = nn.Parameter(torch.randn(4, 3))
            self.head = nn.Linear(12, 2)

        def forward(self, words):
            return self.head((self.table(words) + self.positions).flatten(1))

    model = randomly_masked(Words(), 1, density=0.5)
    written = Written([("x", i) for i in range(12)])
    written.outputs = written.layer("head", written.inputs, ["a", "b"], there(model.head))
    room = 24  # the row of a chain of one layer is its topology's
    network = check_against(model, torch.tensor([[1, 2, 3, 1]]), written, room, ["effective_density", "reachability"])
    assert network.as_topology is not None
    assert np.array_equal(network.inputs, np.arange(1, 13))
    shaped = check_against(model, (4,), written, room, ["effective_density", "log_path_count"])
    assert shaped.n_units == network.n_units
