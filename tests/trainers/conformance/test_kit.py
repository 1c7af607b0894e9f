"""The kit passes what keeps the contract, and catches what does not, by the check that is named for it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import trainers
from tests.trainers.conformance.honest import ADAM_ONLY, PAPER_ONLY, HonestTrainer, ManyTrainer
from tests.trainers.conformance.mutants import MUTANTS
from tests.trainers.conformance.test_rewiring_and_pruning import VelocitySurvivesADrop
from topograph.errors import ConformanceError, UnknownNameError, UnsupportedSettingError
from trainers.conformance import CHECKS, check_trainer
from trainers.conformance.reference import DenseMasked


def test_what_keeps_the_contract_passes():
    report = check_trainer(ManyTrainer())
    assert not report.failures
    assert not report.refused
    assert [finding.check for finding in report.findings] == list(CHECKS)
    assert "keeps the contract" in str(report)


def test_what_refuses_by_name_passes_and_is_told():
    class Modest(HonestTrainer):
        offered = PAPER_ONLY

    report = check_trainer(Modest())
    assert {"optimizer", "dropout_hidden", "patience", "fans", "loss"} <= set(report.refused)
    assert "seed" not in report.refused
    assert "optimizer='adam'" in str(report)
    assert "one network at a time" in str(report)


class HashesWhateverIsAskedFor:
    """Offers every compression, and trains one."""

    name = "hashes"

    def train(self, topology, dataset, config):
        pytest.importorskip("torch", reason="PyTorch is not installed")
        hashed = config if config.compression == "none" else config.replace(compression="hashed")
        return dataclasses.replace(trainers.get_trainer("pytorch").train(topology, dataset, hashed), config=config)


class AdamOnly(HonestTrainer):
    offered = ADAM_ONLY


def test_a_trainer_of_other_settings_is_checked_with_them():
    config = trainers.TrainingConfig(
        optimizer="adam", activation="relu", output_activation="softmax", loss="cross_entropy"
    )
    report = check_trainer(AdamOnly(), config=config)
    assert not report.failures
    assert not report.left_out
    assert {"activation", "loss", "weight_decay"} <= set(report.refused)


def test_settings_that_are_not_offered_are_one_failure():
    with pytest.raises(ConformanceError) as caught:
        check_trainer(AdamOnly())
    message = str(caught.value)
    assert message.count("UnsupportedSettingError") == 1
    assert "check_trainer(trainer, config=TrainingConfig(...))" in message
    assert "left out     protocol, exact_mask" in message


@pytest.mark.parametrize("wrong", [True, False])
def test_adam_only_is_seen_step_by_step(wrong):
    class Other(AdamOnly):
        class network(DenseMasked):
            def step(self, weight_gradients, bias_gradients, rate):
                super().step([-g if wrong else g for g in weight_gradients], bias_gradients, rate)

    config = trainers.TrainingConfig(
        optimizer="adam", activation="relu", output_activation="softmax", loss="cross_entropy"
    )
    if wrong:
        with pytest.raises(ConformanceError, match="FAILED       gradients"):
            check_trainer(Other(), only=["gradients"], config=config)
    else:
        check_trainer(Other(), only=["gradients"], config=config)


def test_the_drawn_sizes_can_be_repeated():
    assert check_trainer(HonestTrainer(), only=["drawn_sizes"], seed=5).seed == 5
    seeds = {check_trainer(HonestTrainer(), only=["drawn_sizes"]).seed for _ in range(3)}
    assert len(seeds) == 3


@pytest.mark.parametrize("seed", range(6))
def test_what_is_right_passes_at_any_size(seed):
    check_trainer(ManyTrainer(), only=["drawn_sizes", "first_100_steps", "train_many"], seed=seed)


def test_every_quotation_stands_in_the_contract():
    places = {
        "Trainer": trainers.Trainer, "MultiTrainer": trainers.MultiTrainer, "ModelTrainer": trainers.ModelTrainer,
        "TrainingResult": trainers.TrainingResult, "TrainingConfig": trainers.TrainingConfig,
    }  # fmt: skip
    for name, check in CHECKS.items():
        assert check.words in " ".join(places[check.of].__doc__.split()), name


# ---------------------------------------------------------------------- broken ones


class RevivingNetwork(DenseMasked):
    """The mask lies on gradients only, and the velocity is fed with what it hides."""

    def loss(self, x, labels, generator=None):
        masks, self.masks = self.masks, [np.ones_like(mask) for mask in self.masks]
        try:
            return super().loss(x, labels, generator)
        finally:
            self.masks = masks

    def step(self, weight_gradients, bias_gradients, rate):
        masks, self.masks = self.masks, [np.ones_like(mask) for mask in self.masks]
        super().step(weight_gradients, bias_gradients, rate)
        self.masks = masks


class MaskedOnceAnEpoch(RevivingNetwork):
    def walk(self, *given):
        loss = super().walk(*given)
        for weights, mask in zip(self.weights, self.masks, strict=True):
            weights *= mask
        return loss


class WrongGradient(DenseMasked):
    def loss(self, x, labels, generator=None):
        loss, weights, biases = super().loss(x, labels, generator)
        return loss, [weights[0] * 1.01, *weights[1:]], biases


class PlainMomentum(DenseMasked):
    def step(self, *given):
        kept, self.config = self.config, self.config.replace(nesterov=False)
        super().step(*given)
        self.config = kept


class WrongBias(DenseMasked):
    def step(self, weight_gradients, bias_gradients, rate):
        super().step(weight_gradients, [g * 0.5 for g in bias_gradients], rate)


def network(kind):
    return type(kind.__name__, (HonestTrainer,), {"network": kind})


class IgnoresSeed(HonestTrainer):
    def drawn(self, config):
        return config.replace(seed=0)


class Forgetful(HonestTrainer):
    calls = 0

    def drawn(self, config):
        self.calls += 1
        return config.replace(seed=self.calls)


class OwnOrder(HonestTrainer):
    def order(self, samples, epoch, config):
        return np.random.default_rng(config.seed + epoch).permutation(samples)


class SameOrderAlways(HonestTrainer):
    def order(self, samples, epoch, config):
        return super().order(samples, 0, config)


class Mutates(HonestTrainer):
    def refuse(self, topology, dataset, config):
        super().refuse(topology, dataset, config)
        dataset.x_train.flags.writeable = True
        dataset.x_train[...] -= dataset.x_train.mean()


class SeedsGlobally(HonestTrainer):
    def refuse(self, topology, dataset, config):
        super().refuse(topology, dataset, config)
        np.random.seed(config.seed)  # noqa: NPY002


def changed(**fields):
    class Changed(HonestTrainer):
        def finish(self, result):
            return dataclasses.replace(
                result, **{name: change(getattr(result, name)) for name, change in fields.items()}
            )

    return Changed


class PassesOver(HonestTrainer):
    """Takes any setting, and leaves some aside."""

    def refuse(self, topology, dataset, config):
        pass

    def drawn(self, config):
        return config.replace(weight_decay=0.0)


class NamesNothing(HonestTrainer):
    def refuse(self, topology, dataset, config):
        if config.optimizer != "sgd":
            raise UnsupportedSettingError("this cannot be done")
        super().refuse(topology, dataset, config)


class ReadsFirst(HonestTrainer):
    def refuse(self, topology, dataset, config):
        dataset.x_train.mean()
        super().refuse(topology, dataset, config)


class WideNumbersOnly(HonestTrainer):
    def drawn(self, config):
        return config.replace(dtype="float64")


class NeverBreaks(HonestTrainer):
    def check_finite(self, loss, epoch):
        pass


class NoEmptyRows(HonestTrainer):
    def refuse(self, topology, dataset, config):
        super().refuse(topology, dataset, config)
        if topology.sizes[0] == 4 and (topology[0].left_degrees == 0).any():
            raise ValueError("empty row")


class DoesNotLearn(HonestTrainer):
    def drawn(self, config):
        return config if config.batch_size != 32 else config.replace(momentum=0.0, batch_size=1000)


class WrongOrderOfResults(ManyTrainer):
    def train_many(self, topologies, dataset, configs):
        return super().train_many(topologies, dataset, configs)[::-1]


class OneBreaksAll(ManyTrainer):
    def train_many(self, topologies, dataset, configs):
        return [self.train(topology, dataset, config) for topology, config in zip(topologies, configs, strict=True)]


class SharesSeeds(ManyTrainer):
    def train_many(self, topologies, dataset, configs):
        return super().train_many(topologies, dataset, [configs[0]] * len(configs))


class RefusesEverything(HonestTrainer):
    def refuse(self, topology, dataset, config):
        raise UnsupportedSettingError("not today")


def without(name):
    return lambda history: {key: values for key, values in history.items() if key != name}


BROKEN = [
    (VelocitySurvivesADrop, "rewiring"),
    (HashesWhateverIsAskedFor, "compression"),
    (network(RevivingNetwork), "unseen_inputs"),
    (network(MaskedOnceAnEpoch), "unseen_inputs"),
    (network(MaskedOnceAnEpoch), "batch_order"),
    (network(WrongGradient), "gradients"),
    (network(PlainMomentum), "first_100_steps"),
    (network(WrongBias), "first_100_steps"),
    (IgnoresSeed, "same_seed"),
    (Forgetful, "same_seed"),
    (OwnOrder, "batch_order"),
    (SameOrderAlways, "batch_order"),
    (Mutates, "inputs_untouched"),
    (SeedsGlobally, "inputs_untouched"),
    (changed(history=without("test_accuracy")), "history"),
    (changed(history=lambda h: {**h, "loss": h["loss"][:-1]}), "history"),
    (changed(weights=lambda ws: tuple(w.T.tocsr() for w in ws)), "result_of_weights"),
    (changed(correct=lambda n: n + 1), "result_of_weights"),
    (changed(weights=lambda ws: (ws[0] * 0 + 1, *ws[1:])), "result_of_weights"),
    (changed(weights=lambda ws: tuple(type(w)(w.toarray() + 1.0) for w in ws)), "exact_mask"),
    (changed(trainer=lambda name: "another"), "protocol"),
    (changed(biases=list), "protocol"),
    (changed(device=lambda device: object()), "record"),
    (PassesOver, "settings"),
    (PassesOver, "later_settings"),
    (NamesNothing, "settings"),
    (WideNumbersOnly, "settings"),
    (PassesOver, "early_refusal"),
    (ReadsFirst, "early_refusal"),
    (NeverBreaks, "divergence"),
    (NoEmptyRows, "odd_shapes"),
    (DoesNotLearn, "learns_digits"),
    (WrongOrderOfResults, "train_many"),
    (OneBreaksAll, "train_many"),
    (SharesSeeds, "train_many"),
    (RefusesEverything, "base_settings"),
    *MUTANTS,
]


@pytest.mark.parametrize(("kind", "check"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_what_breaks_it_is_caught_by_name(kind, check):
    with pytest.raises(ConformanceError) as caught:
        check_trainer(kind(), only=[check], seed=0)
    message = str(caught.value)
    assert f"FAILED       {check}" in message
    for word in ("expected  ", "came      ", f"contract  trainers.{CHECKS[check].of}"):
        assert word in message


def test_every_check_can_fail():
    chains = {name for name in CHECKS if not name.startswith("model_")}  # test_models.py breaks those of models
    assert {check for _, check in BROKEN} == chains


def test_all_failures_are_told_at_once():
    with pytest.raises(ConformanceError) as caught:
        check_trainer(network(PlainMomentum)(), only=["first_100_steps", "batch_order", "same_seed"])
    message = str(caught.value)
    assert "FAILED       first_100_steps" in message
    assert "FAILED       batch_order" in message
    assert "passed       same_seed" in message


def test_a_check_that_does_not_exist():
    with pytest.raises(UnknownNameError, match="did you mean 'gradients'"):
        check_trainer("numpy", only=["gradient"])
