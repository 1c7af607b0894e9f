"""An independent reference: networks written out edge by edge in networkx, and their metrics by brute force."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np


class Written:
    """A network written out by hand: nodes are any names, edges may carry the name of a weight."""

    def __init__(self, inputs):
        self.graph = nx.MultiDiGraph()
        self.inputs = list(inputs)
        self.graph.add_nodes_from(self.inputs)
        self.outputs = []
        self.weights = set()
        self.neurons = {}
        self.hidden = set()

    def node(self, name, neuron=None):
        self.graph.add_node(name)
        if neuron is not None:
            self.neurons.setdefault(neuron, set()).add(name)
        return name

    def edge(self, source, target, weight=None):
        self.graph.add_edge(source, target, weight=weight)
        if weight is not None:
            self.weights.add(weight)

    def layer(self, name, sources, targets, mask, *, neuron=None):
        """A dense layer, outputs × inputs; a source or target of None is a constant."""
        for i, target in enumerate(targets):
            self.node(target, (neuron or name, i))
            for j, source in enumerate(sources):
                if source is not None and mask[i][j]:
                    self.edge(source, target, (name, i, j))
        return targets

    def convolution(self, name, image, mask, target, *, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
        """``image[c][y][x]`` under a kernel ``outputs × inputs of a group × height × width``."""
        height, width = len(image[0]), len(image[0][0])
        outputs, inputs, kernel_height, kernel_width = mask.shape
        high = (height + 2 * padding[0] - dilation[0] * (kernel_height - 1) - 1) // stride[0] + 1
        wide = (width + 2 * padding[1] - dilation[1] * (kernel_width - 1) - 1) // stride[1] + 1
        result = [[[target(o, y, x) for x in range(wide)] for y in range(high)] for o in range(outputs)]
        for o, y, x in itertools.product(range(outputs), range(high), range(wide)):
            self.node(result[o][y][x], (name, o))
            first = (o // (outputs // groups)) * inputs
            for i, a, b in itertools.product(range(inputs), range(kernel_height), range(kernel_width)):
                row, column = y * stride[0] - padding[0] + a * dilation[0], x * stride[1] - padding[1] + b * dilation[1]
                if mask[o, i, a, b] and 0 <= row < height and 0 <= column < width:
                    self.edge(image[first + i][row][column], result[o][y][x], (name, o, i, a, b))
        return result

    # ------------------------------------------------------------------ metrics by brute force

    def _ahead(self):
        return set(self.inputs).union(*(nx.descendants(self.graph, node) for node in self.inputs))

    def _behind(self):
        return set(self.outputs).union(*(nx.ancestors(self.graph, node) for node in self.outputs))

    def effective(self):
        ahead, behind = self._ahead(), self._behind()
        return {
            weight
            for source, target, weight in self.graph.edges(data="weight")
            if weight is not None and source in ahead and target in behind
        }

    def pair_counts(self):
        counts, order = [], list(nx.topological_sort(self.graph))
        for start in self.inputs:
            number = dict.fromkeys(self.graph, 0)
            number[start] = 1
            for node in order:
                for _, target in self.graph.out_edges(node):
                    number[target] += number[node]
            counts.append([number[end] for end in self.outputs])
        return np.array(counts, dtype=float)

    def _local(self):
        """Nodes that a weight or an input reaches through free edges, and those that so reach one or an output."""
        up = set(self.inputs) | {v for _, v, w in self.graph.edges(data="weight") if w is not None}
        down = set(self.outputs) | {u for u, _, w in self.graph.edges(data="weight") if w is not None}
        free = nx.DiGraph((u, v) for u, v, w in self.graph.edges(data="weight") if w is None)
        up |= set().union(*(nx.descendants(free, node) for node in up & set(free)), set())
        down |= set().union(*(nx.ancestors(free, node) for node in down & set(free)), set())
        return up, down

    def metrics(self, room, n_layers_empty=0):
        effective, counts = self.effective(), self.pair_counts()
        total = counts.sum()
        nodes = list(self.graph)
        adjacency = nx.to_numpy_array(self.graph, nodelist=nodes, weight=None, multigraph_weight=sum)
        adjacency = adjacency + adjacency.T
        degrees = adjacency.sum(axis=0)
        pieces = nx.number_connected_components(self.graph.to_undirected())
        up, down = self._local()
        alive = self._ahead() & self._behind()
        neurons = [self.neurons[name] for name in self.hidden]
        incoming = [bool(units & up) for units in neurons]
        outgoing = [bool(units & down) for units in neurons]
        there = counts[counts > 0]
        values = {
            "n_edges": len(self.weights),
            "density": len(self.weights) / room,
            "effective_density": len(effective) / room,
            "removable_connections": len(self.weights) - len(effective),
            "reachability": np.count_nonzero(counts) / counts.size,
            "log_path_count": math.log(total) if total else math.nan,
            "path_count_cv": counts.std() / counts.mean() if total else math.nan,
            "log_path_spread": np.log(there).std() if total else math.nan,
            "n_components": pieces,
            "collapsed_layers": n_layers_empty,
            "dead_neurons": sum(not a and not b for a, b in zip(incoming, outgoing, strict=True)),
            "source_neurons": sum(not a and b for a, b in zip(incoming, outgoing, strict=True)),
            "sink_neurons": sum(a and not b for a, b in zip(incoming, outgoing, strict=True)),
            "inactive_neurons": sum(not units & alive for units in neurons),
            "algebraic_connectivity": np.linalg.eigvalsh(np.diag(degrees) - adjacency)[1] if pieces == 1 else 0.0,
        }
        chosen = degrees > 0
        inner = adjacency[np.ix_(chosen, chosen)]
        with_edges = [node for node, chosen_one in zip(nodes, chosen, strict=True) if chosen_one]
        if nx.is_connected(nx.Graph(self.graph.to_undirected()).subgraph(with_edges)):
            roots = np.sqrt(degrees[chosen])
            values["normalized_gap"] = min(1 - np.linalg.eigvalsh(inner / np.outer(roots, roots))[-2], 1.0)
            values["adjacency_gap"] = float(np.diff(np.linalg.eigvalsh(inner)[-2:])[0])
        return values


def image(name, channels, height, width):
    """Names of the elements of an image."""
    return [[[(name, c, y, x) for x in range(width)] for y in range(height)] for c in range(channels)]


def flat(names):
    """All names of a nested list, in order."""
    return [inner for outer in names for inner in flat(outer)] if isinstance(names, list) else [names]
