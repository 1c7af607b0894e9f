"""Broken rewirings and pruners, each wrong in one thing, and the check that names it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from topograph.errors import ConformanceError
from topograph.topology import Topology
from trainers.conformance import check_pruner, check_rewiring, check_trainer
from trainers.conformance.reference import DenseMasked, DenseRewired
from trainers.course import run_course
from trainers.initialization import dropout_generator, validation_split
from trainers.protocol import REWIRED, check_offered, check_topology
from trainers.pruning import available_pruners, get_pruner
from trainers.rewiring import Change, available_rewirings, get_rewiring
from trainers.rewiring.growing import draw_empty
from trainers.rewiring.rewirer import Rewirer, make_rewirer

# ---------------------------------------------------------------------- trainers


class Learner(DenseRewired):
    """The reference as a learner of its own, with places to break it."""

    def __init__(self, network, topology, dataset, rewirer):
        super().__init__(network, topology, dataset.x_train, dataset.y_train, rewirer)
        self._data = dataset

    def train_epoch(self, epoch, order, rate):
        if self.rewirer is None:
            return self.train_part(order, rate, dropout_generator(epoch, self.network.config))
        return self.rewirer.train_epoch(self, epoch, order, rate)

    def evaluate(self, samples):
        x, y = self._x[samples], self._labels[samples]
        return self.network.loss(x, y)[0], float(np.mean(self.network.predict(x).argmax(1) == y))

    def predict(self):
        return self.network.predict(self._data.x_test).argmax(1)

    def parameters(self):
        return [p.copy() for p in (*self.network.weights, *self.network.biases)]

    def set_parameters(self, parameters):
        raise NotImplementedError


class HonestRewiring:
    name = "honest_rewiring"
    learner, rewirer = Learner, Rewirer

    def final(self, topology, learner):
        return learner.topology

    def finish(self, result):
        return result

    def train(self, topology, dataset, config):
        check_offered(self.name, config, {**REWIRED, "patience": (0,)})
        check_topology(topology, dataset)
        samples = len(validation_split(len(dataset.y_train), config)[0])
        arguments = (config, topology, dataset.x_train, dataset.y_train, samples)
        rewirer = None if make_rewirer(*arguments) is None else self.rewirer(*arguments)
        learner = self.learner(DenseMasked(topology, config), topology, dataset, rewirer)
        trained = run_course(learner, config, len(dataset.y_train), dataset.y_test, rewirer)
        final = self.final(topology, learner)
        return self.finish(
            trained.to_result(
                self.name, topology, dataset, config, biases=learner.biases(), seconds=0.1, device="cpu",
                weights=[w[tuple(g.edges().T)] for w, g in zip(learner.network.weights, final, strict=True)],
                packages=("numpy",), final=final,
            )
        )  # fmt: skip


class VelocitySurvivesADrop(HonestRewiring):
    class learner(Learner):
        def rewire(self, carried):
            memory = [[array.copy() for array in layer] for layer in self.network.memory]
            super().rewire(carried)
            for now, before in zip(self.network.memory, memory, strict=True):
                for array, old in zip(now, before, strict=True):
                    array[...] = old


class VelocityOfWhatStaysIsLost(HonestRewiring):
    class learner(Learner):
        def rewire(self, carried):
            super().rewire(carried)
            for layer in self.network.memory[: len(carried)]:
                for array in layer:
                    array[...] = 0


class NewWeightsAreZeroWhateverTheRule(HonestRewiring):
    class learner(Learner):
        def rewire(self, carried):
            super().rewire([dataclasses.replace(layer, fresh=layer.fresh * 0) for layer in carried])


class WeightsThatStayAreRounded(HonestRewiring):
    class learner(Learner):
        def rewire(self, carried):
            super().rewire(carried)
            self.network.weights[0][...] = np.round(self.network.weights[0], 3)


class RewiresBeforeTheEvaluation(HonestRewiring):
    """Evaluation on an untrained mask: the change of an epoch's end comes before its evaluation."""

    class rewirer(Rewirer):
        def train_epoch(self, learner, epoch, order, rate):
            result = super().train_epoch(learner, epoch, order, rate)
            first = (epoch + 1) * self._steps
            if self.schedule.is_due(first):
                learner.rewire(self.change(first, learner.weights(), learner.biases(), order[:8]))
            return result


class RewiresAfterTheLastEpoch(HonestRewiring):
    class rewirer(Rewirer):
        def train_epoch(self, learner, epoch, order, rate):
            result = super().train_epoch(learner, epoch, order, rate)
            if epoch == self._config.epochs - 1:
                step = epoch * self._steps + 1
                learner.rewire(self.change(step, learner.weights(), learner.biases(), order[:8]))
            return result


class NeverRewires(HonestRewiring):
    class rewirer(Rewirer):
        def train_epoch(self, learner, epoch, order, rate):
            return learner.train_part(order, rate, dropout_generator(epoch, self._config))


class RewiresAtEveryOtherChance(HonestRewiring):
    class learner(Learner):
        changes = 0

        def rewire(self, carried):
            self.changes += 1
            if self.changes % 2:
                super().rewire(carried)
            else:
                self.rewirer.topology = self.topology


class SpendsNoBatch(HonestRewiring):
    class rewirer(Rewirer):
        def spends(self, step_of_epoch):
            return False


class FirstTopologyReportedAsLast(HonestRewiring):
    def final(self, topology, learner):
        return topology


class TurnoverOfTheEpochBefore(HonestRewiring):
    def finish(self, result):
        if "turnover" not in result.history:
            return result
        values = result.history["turnover"]
        return dataclasses.replace(result, history={**result.history, "turnover": (values[-1], *values[:-1])})


class DensityDrifts(HonestRewiring):
    class learner(Learner):
        def rewire(self, carried):
            super().rewire(carried)
            edge = tuple(self.topology[0].edges()[0])
            self.network.masks[0][edge] = self.network.weights[0][edge] = 0
            self.topology = Topology(
                type(graph).from_mask(mask != 0) for graph, mask in zip(self.topology, self.network.masks, strict=True)
            )
            self.rewirer.topology = self.topology


BROKEN_TRAINERS = list(HonestRewiring.__subclasses__())


def test_the_honest_one_passes():
    assert check_trainer(HonestRewiring(), only=["rewiring", "exact_mask", "history"], seed=0).findings


@pytest.mark.parametrize("trainer", ["numpy", "pytorch"])
def test_our_backends_pass(trainer):
    if trainer == "pytorch":
        pytest.importorskip("torch").set_num_threads(1)
    report = check_trainer(trainer, only=["rewiring"], seed=0)
    assert not report.refused


@pytest.mark.parametrize("broken", BROKEN_TRAINERS, ids=lambda one: one.__name__)
def test_a_broken_trainer_is_caught_by_the_check_of_rewiring(broken):
    with pytest.raises(ConformanceError, match=r"rewiring\n"):
        check_trainer(broken(), only=["rewiring"], seed=0)


# ---------------------------------------------------------------------- rules


def broken_rule(change, of="set"):
    return dataclasses.replace(get_rewiring(of), name="broken", change=change)


def grows_one_too_many(layer):
    good = get_rewiring("set").change(layer)
    more = draw_empty(layer, good.dropped)[:1]
    return Change(good.dropped, np.append(good.grown, more), np.append(good.weights, 0.0))


def grows_what_is_there(layer):
    good = get_rewiring("set").change(layer)
    left = np.delete(layer.pairs, good.dropped)
    return dataclasses.replace(good, grown=left[: len(good.grown)])


def drops_more_than_asked(layer):
    dropped = np.arange(min(layer.count + 1, layer.graph.n_edges))
    return Change(dropped, layer.pairs[dropped], np.zeros(len(dropped)))


def grows_by_numpys_own_generator(layer):
    good = get_rewiring("set").change(layer)
    return dataclasses.replace(good, weights=np.random.normal(size=len(good.grown)))  # noqa: NPY002


def changes_the_weights(layer):
    layer.weights[0] += 1
    return get_rewiring("set").change(layer)


def gives_no_weights(layer):
    return dataclasses.replace(get_rewiring("set").change(layer), weights=np.array([np.nan]))


def grows_outside(layer):
    good = get_rewiring("set").change(layer)
    grown = good.grown.copy()
    grown[0] = layer.graph.n_left * layer.graph.n_right
    return dataclasses.replace(good, grown=grown)


@pytest.mark.parametrize("rule", available_rewirings())
def test_our_rules_pass(rule):
    assert len(check_rewiring(rule)) == 5


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (grows_one_too_many, "count"),
        (grows_what_is_there, "edges"),
        (drops_more_than_asked, "count"),
        (grows_by_numpys_own_generator, "untouched"),
        (changes_the_weights, "untouched"),
        (gives_no_weights, "weights"),
        (grows_outside, "edges"),
    ],
)
def test_a_broken_rule_is_caught_by_name(change, name):
    with pytest.raises(ConformanceError, match=rf"'broken' breaks its contract.*\b{name}: "):
        check_rewiring(broken_rule(change))


# ---------------------------------------------------------------------- pruners


def pruner(name, **changes):
    return dataclasses.replace(get_pruner(name), **changes)


def with_options(name, **options):
    honest = get_pruner(name)
    return pruner(name, options={**honest.options, **options})


def snip_of_trained_weights(task):
    honest = get_pruner("snip")
    network = task.network.differentiable()
    x, y = network.batch(*task.samples(40))
    for _ in range(20):  # train first
        gradients = network.gradients(network.loss_of(x, y))
        for tensor, gradient in zip(network.tensors, gradients, strict=True):
            tensor.data -= 0.5 * gradient
    trained = [np.array(values) for values in network.at_edges(network.tensors)]
    task.network.__dict__["_drawn"] = trained
    return honest.choose(task)


def magnitude_without_sign(task):
    return task.select(task.network.weights())


def random_without_a_seed(task):
    return task.select([np.random.random(layer.possible) for layer in task.network.layers])  # noqa: NPY002


def phew_of_single_edges(task):
    return task.select([task.generator.random(layer.possible) for layer in task.network.layers])


def one_edge_short(task):
    keep = get_pruner("magnitude").choose(task)
    keep[0][np.flatnonzero(keep[0])[0]] = False
    return keep


BROKEN_PRUNERS = {
    "the wrong sign in GraSP": (lambda: with_options("grasp", keep="smallest"), "formula"),
    "magnitudes of GraSP's scores": (lambda: with_options("grasp", keep="absolute"), "formula"),
    "a single round of SynFlow": (lambda: with_options("synflow", rounds=1, divide=False), "formula"),
    "SNIP of trained weights": (lambda: pruner("snip", choose=snip_of_trained_weights), "formula"),
    "the largest weights, not magnitudes": (
        lambda: pruner("magnitude", choose=magnitude_without_sign),
        "formula",
    ),
    "no seed": (lambda: pruner("random", choose=random_without_a_seed), "seed"),
    "edges instead of walks": (lambda: pruner("phew", choose=phew_of_single_edges), "formula"),
    "one edge too few": (lambda: pruner("magnitude", choose=one_edge_short), "budget"),
}


@pytest.mark.parametrize("name", sorted(set(available_pruners()) - {"imp"}))
def test_our_pruners_pass(name):
    pytest.importorskip("torch").set_num_threads(1)
    assert "budget" in check_pruner(name)


@pytest.mark.parametrize("broken", BROKEN_PRUNERS)
def test_a_broken_pruner_is_caught_by_name(broken):
    pytest.importorskip("torch").set_num_threads(1)
    make, name = BROKEN_PRUNERS[broken]
    with pytest.raises(ConformanceError, match=rf"breaks its contract.*\b{name}: "):
        check_pruner(make())


def test_there_are_at_least_twenty_broken_ones():
    assert len(BROKEN_TRAINERS) + 7 + len(BROKEN_PRUNERS) >= 20
