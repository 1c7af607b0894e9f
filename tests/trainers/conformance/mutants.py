"""Trainers that are wrong in one subtle thing each, and the check that catches each of them.

Most are right on toys and wrong elsewhere: beyond a size, in one precision, in one part of the history.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.trainers.conformance.honest import HonestTrainer, ManyTrainer
from trainers.conformance.reference import DenseMasked
from trainers.initialization import validation_split

# ---------------------------------------------------------------------- histories


class LossOfTheEpochBefore(HonestTrainer):
    def finish(self, result):
        loss = result.history["loss"]
        return dataclasses.replace(result, history={**result.history, "loss": (loss[0], *loss[:-1])})


class LossTooLarge(HonestTrainer):
    def record(self, values, network, arrays, learning, watched):
        return {**values, "loss": values["loss"] * 1.001}


class RoundedLoss(HonestTrainer):
    def record(self, values, network, arrays, learning, watched):
        return {**values, "loss": round(values["loss"], 3)}


class TestAccuracyBeforeTheEpoch(HonestTrainer):
    def begin(self, network):
        self.last = 0.0

    def record(self, values, network, arrays, learning, watched):
        self.last, before = values["test_accuracy"], self.last
        return {**values, "test_accuracy": before}

    def finish(self, result):  # right at the end, where it can be compared with the result
        accuracies = (*result.history["test_accuracy"][:-1], result.test_accuracy)
        return dataclasses.replace(result, history={**result.history, "test_accuracy": accuracies})


class TrainAccuracyAfterTheEpoch(HonestTrainer):
    def record(self, values, network, arrays, learning, watched):
        x, y, *_ = arrays
        return {**values, "train_accuracy": self.measure(network, x[learning], y[learning])[1]}


class TrainReportedAsTest(HonestTrainer):
    def record(self, values, network, arrays, learning, watched):
        return {**values, "test_accuracy": values["train_accuracy"]}

    def finish(self, result):
        accuracies = (*result.history["test_accuracy"][:-1], result.test_accuracy)
        return dataclasses.replace(result, history={**result.history, "test_accuracy": accuracies})


class TestReportedAsTrain(HonestTrainer):
    def record(self, values, network, arrays, learning, watched):
        return {**values, "train_accuracy": values["test_accuracy"]}


class ValidationLossOfTraining(HonestTrainer):
    def record(self, values, network, arrays, learning, watched):
        x, y, *_ = arrays
        return (
            {**values, "validation_loss": self.measure(network, x[learning], y[learning])[0]}
            if len(watched)
            else values
        )


class ValidationAccuracyOfTests(HonestTrainer):
    def record(self, values, network, arrays, learning, watched):
        return {**values, "validation_accuracy": values["test_accuracy"]} if len(watched) else values


class LossOfTheLastBatch(HonestTrainer):
    class network(DenseMasked):
        def walk(self, x, labels, order, rate, generator):
            _, *rest = super().walk(x, labels, order, rate, generator)
            last = order[-(len(order) % self.config.batch_size or self.config.batch_size) :]
            return self.loss(x[last], labels[last])[0], *rest


class MeanOfBatchMeans(HonestTrainer):
    """The last batch is smaller, and counts as much as any other."""

    class network(DenseMasked):
        def walk(self, x, labels, order, rate, generator):
            parts = [
                super(type(self), self).walk(x, labels, order[i : i + self.config.batch_size], rate, generator)
                for i in range(0, len(order), self.config.batch_size)
            ]
            return tuple(np.mean(parts, axis=0))


# ---------------------------------------------------------------------- arithmetic


def halved(array):
    """Rounded to 11 bits, as float16 and TF32 do."""
    return array if array.dtype == np.float64 else array.astype(np.float16).astype(np.float32)


class HalfPrecisionInputs(HonestTrainer):
    class network(DenseMasked):
        def loss(self, x, labels, generator=None):
            return super().loss(
                x if self.config.dtype == "float64" else halved(x.astype(np.float32) * 0.999), labels, generator
            )


class HalfPrecisionWeights(HonestTrainer):
    class network(DenseMasked):
        def loss(self, x, labels, generator=None):
            exact, self.weights = self.weights, [halved(w) for w in self.weights]
            try:
                return super().loss(x, labels, generator)
            finally:
                self.weights = exact


class HalfPrecisionGradients(HonestTrainer):
    class network(DenseMasked):
        def step(self, weight_gradients, bias_gradients, rate):
            super().step([halved(g) for g in weight_gradients], bias_gradients, rate)


class SinglePrecisionInside(HonestTrainer):
    """As Keras computes in float64."""

    class network(DenseMasked):
        def step(self, weight_gradients, bias_gradients, rate):
            kind = self.config.dtype
            super().step([g.astype(np.float32).astype(kind) for g in weight_gradients], bias_gradients, rate)


# ---------------------------------------------------------------------- sizes


class First256Tests(HonestTrainer):
    def arrays(self, dataset):
        return dataset.x_train, dataset.y_train, dataset.x_test[:256], dataset.y_test[:256]


class WrongBeyond32Neurons(HonestTrainer):
    class network(DenseMasked):
        def loss(self, x, labels, generator=None):
            loss, weights, biases = super().loss(x, labels, generator)
            for gradient in weights:
                gradient[:, 32:] *= 0.99
            return loss, weights, biases


class WrongBeyondThreeLayers(HonestTrainer):
    class network(DenseMasked):
        def loss(self, x, labels, generator=None):
            loss, weights, biases = super().loss(x, labels, generator)
            return loss, [g * (0.99 if i >= 3 else 1) for i, g in enumerate(weights)], biases


class BatchesOfAtMost64(HonestTrainer):
    def drawn(self, config):
        return config.replace(batch_size=min(config.batch_size, 64))


class AtMost60Epochs(HonestTrainer):
    def drawn(self, config):
        return config.replace(epochs=min(config.epochs, 60))


class TrainsOnTestsAbove1000(HonestTrainer):
    def arrays(self, dataset):
        x, y, x_test, y_test = super().arrays(dataset)
        if len(x) > 1000:
            x, y = x.copy(), y.copy()
            x[: len(x_test)], y[: len(y_test)] = x_test, y_test
        return x, y, x_test, y_test


class SeedsOf16Bits(HonestTrainer):
    def drawn(self, config):
        return config.replace(seed=config.seed % 2**16)


class SeedsOf32Bits(HonestTrainer):
    def drawn(self, config):
        return config.replace(seed=config.seed % 2**32)


class TenClasses(HonestTrainer):
    def arrays(self, dataset):
        x, y, x_test, y_test = super().arrays(dataset)
        return x, np.minimum(y, 9), x_test, y_test


class DropsTheLastBatch(HonestTrainer):
    """Where it is smaller than the others and there are more than ten."""

    def order(self, samples, epoch, config):
        order = super().order(samples, epoch, config)
        return order[: -(samples % config.batch_size) or None] if samples > 10 * config.batch_size else order


class OneMaskForEqualShapes(HonestTrainer):
    class network(DenseMasked):
        def __init__(self, topology, config):
            super().__init__(topology, config)
            first = {mask.shape: mask for mask in reversed(self.masks)}
            self.masks = [first[mask.shape] for mask in self.masks]


class SquareLayersTurned(HonestTrainer):
    def finish(self, result):
        turned = tuple(w.T.tocsr() if w.shape[0] == w.shape[1] > 10 else w for w in result.weights)
        return dataclasses.replace(result, weights=turned)


# ---------------------------------------------------------------------- inputs


class WritesAndRestores(HonestTrainer):
    def arrays(self, dataset):
        x = dataset.x_train
        x.flags.writeable = True
        x[0] += 1
        x[0] -= 1
        x.flags.writeable = False
        return super().arrays(dataset)


class ClipsInputs(HonestTrainer):
    def arrays(self, dataset):
        x, y, x_test, y_test = super().arrays(dataset)
        return np.clip(x, 0, None), y, np.clip(x_test, 0, None), y_test


class SkipsLargeInputs(HonestTrainer):
    def arrays(self, dataset):
        x, y, x_test, y_test = super().arrays(dataset)
        return np.clip(x, None, 1), y, np.clip(x_test, None, 1), y_test


# ---------------------------------------------------------------------- settings and steps


class SplitOfAnotherSeed(HonestTrainer):
    def split(self, samples, config):
        return validation_split(samples, config.replace(seed=config.seed + 1))


class ReturnsTheLastEpoch(HonestTrainer):
    def best(self, best):
        return None


class CountsValidationSamples(HonestTrainer):
    """Its training accuracy at the end is that of all samples."""

    def train(self, topology, dataset, config):
        result = super().train(topology, dataset, config)
        network = DenseMasked(topology, config)
        network.weights, network.biases = [w.toarray() for w in result.weights], list(result.biases)
        accuracy = self.measure(network, dataset.x_train, dataset.y_train)[1]
        return dataclasses.replace(result, train_accuracy=accuracy)


class DecaysBiases(HonestTrainer):
    class network(DenseMasked):
        def step(self, weight_gradients, bias_gradients, rate):
            decay = self.config.weight_decay
            biases = [g + decay * b for g, b in zip(bias_gradients, self.biases, strict=True)]
            super().step(weight_gradients, biases, rate)


class AdamWithoutCorrection(HonestTrainer):
    class network(DenseMasked):
        def step(self, *given):
            if self.config.optimizer == "adam":
                self.steps += 1000
            super().step(*given)


class WarmsUp(HonestTrainer):
    """In the first ten steps, where an epoch has more."""

    class network(DenseMasked):
        long = False

        def walk(self, x, labels, order, rate, generator):
            self.long = len(order) > 10 * self.config.batch_size
            return super().walk(x, labels, order, rate, generator)

        def step(self, weight_gradients, bias_gradients, rate):
            super().step(weight_gradients, bias_gradients, rate * (0.5 if self.long and self.steps < 10 else 1))


class ClipsGradients(HonestTrainer):
    class network(DenseMasked):
        def step(self, weight_gradients, bias_gradients, rate):
            super().step([np.clip(g, -0.02, 0.02) for g in weight_gradients], bias_gradients, rate)


class ClipsWeights(HonestTrainer):
    class network(DenseMasked):
        def step(self, *given):
            super().step(*given)
            for weights in self.weights:
                np.clip(weights, -0.4, 0.4, out=weights)


class SameOrderFromTheFourthEpoch(HonestTrainer):
    def order(self, samples, epoch, config):
        return super().order(samples, min(epoch, 3), config)


class ForgetsVelocity(HonestTrainer):
    """Every twenty epochs."""

    def begin_epoch(self, network, epoch):
        if epoch % 20 == 19:
            for memory in network.memory:
                memory[0][...] = 0


class KeepsVelocity(HonestTrainer):
    """From one training to the next."""

    kept = None

    def begin(self, network):
        if self.kept and [m[0].shape for m in self.kept] == [m[0].shape for m in network.memory]:
            network.memory = self.kept
        self.kept = network.memory


class AnotherLeak(HonestTrainer):
    class network(DenseMasked):
        def loss(self, x, labels, generator=None):
            loss, weights, biases = super().loss(x, labels, generator)
            return (
                (loss, [g * 1.001 for g in weights], biases)
                if self.config.activation == "leaky_relu"
                else (loss, weights, biases)
            )


class WithholdsBalancedAccuracy(HonestTrainer):
    def finish(self, result):
        return dataclasses.replace(result, balanced_accuracy=np.nan)


class ReturnsLiveArrays(HonestTrainer):
    """Of weights that the next training of the same shapes overwrites."""

    live = None

    def finish(self, result):
        if self.live and [w.shape for w in self.live.weights] == [w.shape for w in result.weights]:
            for old, new in zip(self.live.weights, result.weights, strict=True):
                if old.data.shape == new.data.shape:
                    old.data[...] = new.data
        self.live = result
        return result


class RemembersTopologies(HonestTrainer):
    """A result for a topology that it knows."""

    def __init__(self):
        self.known = {}

    def train(self, topology, dataset, config):
        self.refuse(topology, dataset, config)
        key = topology.content_hash, config.replace(seed=0)
        if key not in self.known:
            self.known[key] = super().train(topology, dataset, config)
        return dataclasses.replace(self.known[key], config=config)


# ---------------------------------------------------------------------- many at once


class ManyWrongBeyondFour(ManyTrainer):
    def train_many(self, topologies, dataset, configs):
        seeds = [config.seed if number < 4 else configs[0].seed for number, config in enumerate(configs)]
        results = super().train_many(
            topologies, dataset, [config.replace(seed=seed) for config, seed in zip(configs, seeds, strict=True)]
        )
        return [
            dataclasses.replace(result, config=config) if hasattr(result, "config") else result
            for result, config in zip(results, configs, strict=True)
        ]


def many_without(**settings):
    class ManyWithout(ManyTrainer):
        def train_many(self, topologies, dataset, configs):
            results = super().train_many(topologies, dataset, [config.replace(**settings) for config in configs])
            return [
                dataclasses.replace(result, config=config) if hasattr(result, "config") else result
                for result, config in zip(results, configs, strict=True)
            ]

    ManyWithout.__name__ = f"ManyWithout_{'_'.join(settings)}"
    return ManyWithout


class ManyWithOneHistory(ManyTrainer):
    def train_many(self, topologies, dataset, configs):
        results = super().train_many(topologies, dataset, configs)
        return [
            dataclasses.replace(result, history=results[0].history)
            if hasattr(result, "history") and hasattr(results[0], "history")
            else result
            for result in results
        ]


MUTANTS = [
    (LossOfTheEpochBefore, "first_100_steps"),
    (LossTooLarge, "first_100_steps"),
    (RoundedLoss, "first_100_steps"),
    (TestAccuracyBeforeTheEpoch, "larger_network"),
    (TrainAccuracyAfterTheEpoch, "larger_network"),
    (TrainReportedAsTest, "larger_network"),
    (TestReportedAsTrain, "larger_network"),
    (ValidationLossOfTraining, "settings"),
    (ValidationAccuracyOfTests, "larger_network"),
    (LossOfTheLastBatch, "batch_order"),
    (MeanOfBatchMeans, "batch_order"),
    (HalfPrecisionInputs, "larger_network"),
    (HalfPrecisionWeights, "larger_network"),
    (HalfPrecisionGradients, "larger_network"),
    (SinglePrecisionInside, "first_100_steps"),
    (First256Tests, "larger_network"),
    (WrongBeyond32Neurons, "larger_network"),
    (WrongBeyondThreeLayers, "larger_network"),
    (BatchesOfAtMost64, "larger_network"),
    (AtMost60Epochs, "first_100_steps"),
    (TrainsOnTestsAbove1000, "larger_network"),
    (SeedsOf16Bits, "larger_network"),
    (SeedsOf32Bits, "larger_network"),
    (TenClasses, "drawn_sizes"),
    (DropsTheLastBatch, "larger_network"),
    (OneMaskForEqualShapes, "larger_network"),
    (SquareLayersTurned, "larger_network"),
    (WritesAndRestores, "inputs_untouched"),
    (ClipsInputs, "drawn_sizes"),
    (SkipsLargeInputs, "drawn_sizes"),
    (SplitOfAnotherSeed, "settings"),
    (ReturnsTheLastEpoch, "settings"),
    (CountsValidationSamples, "result_of_weights"),
    (DecaysBiases, "settings"),
    (AdamWithoutCorrection, "settings"),
    (WarmsUp, "larger_network"),
    (ClipsGradients, "gradients"),
    (ClipsWeights, "larger_network"),
    (SameOrderFromTheFourthEpoch, "batch_order"),
    (ForgetsVelocity, "first_100_steps"),
    (KeepsVelocity, "same_seed"),
    (AnotherLeak, "settings"),
    (WithholdsBalancedAccuracy, "result_of_weights"),
    (ReturnsLiveArrays, "same_seed"),
    (RemembersTopologies, "same_seed"),
    (ManyWrongBeyondFour, "train_many"),
    (many_without(weight_decay=0.0), "train_many"),
    (many_without(schedule="constant"), "train_many"),
    (many_without(dropout_hidden=0.0), "train_many"),
    (ManyWithOneHistory, "train_many"),
]
"""Trainer → name of the check that catches it."""
