"""Trainers of models that are wrong in one thing each, and the check that catches each of them."""

from __future__ import annotations

import dataclasses
import random

import numpy as np

from topograph.errors import InvalidModelError, TrainingDivergedError
from trainers import ModelSpec
from trainers.protocol import ANY, MODEL_SETTINGS, check_offered
from trainers.pytorch import PyTorchTrainer
from trainers.pytorch.masked_model import MaskedModel


class Changed(PyTorchTrainer):
    """The PyTorch trainer, with places where a test can break it."""

    def settings(self, config):
        return config

    def model(self, model):
        return model

    def finish(self, result):
        return result

    def train_model(self, model, masks, dataset, config):
        check_offered(self.name, config, {**MODEL_SETTINGS, "rewiring": ANY, "compression": ANY})
        result = super().train_model(self.model(model), masks, dataset, self.settings(config))
        return self.finish(dataclasses.replace(result, config=config))


class ForgetsTheMasks(Changed):
    """The masks lie on the initial weights only."""

    def train_model(self, *given):
        kept = MaskedModel.mask_gradients
        MaskedModel.mask_gradients = lambda self, optimizer: True
        try:
            return super().train_model(*given)
        finally:
            MaskedModel.mask_gradients = kept


class ForgetsTheMasksOnce(Changed):
    """One step of each training is not masked."""

    def train_model(self, *given):
        kept, steps = MaskedModel.mask_gradients, []

        def mask_gradients(model, optimizer):
            steps.append(1)
            return True if len(steps) == 3 else kept(model, optimizer)

        MaskedModel.mask_gradients = mask_gradients
        try:
            return super().train_model(*given)
        finally:
            MaskedModel.mask_gradients = kept


class TransposesWeights(Changed):
    def finish(self, result):
        return dataclasses.replace(result, weights=tuple(weights.T.tocsr() for weights in result.weights))


class OneSeedForAll(Changed):
    def settings(self, config):
        return config.replace(seed=0)


class AnotherSeedEachTime(Changed):
    def settings(self, config):
        return config.replace(seed=random.SystemRandom().randrange(2**31))


class IgnoresClipping(Changed):
    def settings(self, config):
        return config.replace(clip_norm=0.0)


class IgnoresTheModelsSettings(PyTorchTrainer):
    def train_model(self, model, masks, dataset, config):
        usual = config.replace(activation="sigmoid", bias=True, dropout_hidden=0.0, dropout_input=0.0, fans="dense")
        return super().train_model(model, masks, dataset, usual)


class RawErrors(Changed):
    def train_model(self, *given):
        try:
            return super().train_model(*given)
        except InvalidModelError as error:
            raise ValueError(str(error)) from None


class ReadsFirst(Changed):
    def train_model(self, model, masks, dataset, config):
        assert np.isfinite(dataset.x_train).all()
        return super().train_model(model, masks, dataset, config)


class TrainsTheLiveModel(Changed):
    def train_model(self, model, masks, dataset, config):
        result = super().train_model(model, masks, dataset, config)
        if not isinstance(model, (str, ModelSpec)):
            state = {name: value for name, value in result.model.state_dict().items() if "parametrizations" not in name}
            model.load_state_dict(state, strict=False)
        return result


class SeedsGlobally(Changed):
    def settings(self, config):
        random.seed(config.seed)
        np.random.seed(config.seed)  # noqa: NPY002
        return config


class NamesByNumber(Changed):
    def finish(self, result):
        stats = result.weight_stats.set_axis([f"l{n}" for n in range(1, len(result.weights) + 1)])
        return dataclasses.replace(result, weight_stats=stats)


class DoesNotLearn(Changed):
    def settings(self, config):
        return config.replace(learning_rate=1e-30)


class NeverBreaks(Changed):
    def train_model(self, model, masks, dataset, config):
        try:
            return super().train_model(model, masks, dataset, config)
        except TrainingDivergedError:
            return super().train_model(model, masks, dataset, config.replace(learning_rate=1e-3))


class HashesModels(Changed):
    """Whatever form is asked for."""

    def settings(self, config):
        return config if config.compression == "none" else config.replace(compression="hashed")


class CountsAllPairs(Changed):
    """A compressed layer learns as many parameters as its matrix has entries, it says."""

    def finish(self, result):
        if result.config.compression == "none":
            return result
        return dataclasses.replace(result, n_parameters=tuple(weights.nnz for weights in result.weights))


MODEL_MUTANTS = [
    (ForgetsTheMasks, "model_masks"),
    (ForgetsTheMasksOnce, "model_masks"),
    (TransposesWeights, "model_masks"),
    (OneSeedForAll, "model_seed"),
    (AnotherSeedEachTime, "model_seed"),
    (IgnoresClipping, "model_settings"),
    (IgnoresTheModelsSettings, "model_settings"),
    (RawErrors, "model_refusals"),
    (ReadsFirst, "model_refusals"),
    (TrainsTheLiveModel, "model_inputs"),
    (SeedsGlobally, "model_inputs"),
    (NamesByNumber, "model_result"),
    (DoesNotLearn, "model_result"),
    (HashesModels, "model_compression"),
    (CountsAllPairs, "model_compression"),
    (NeverBreaks, "model_divergence"),
]
