"""The PyTorch backend: dense products under a mask, or sparse ones; one network, or hundreds at once."""

from trainers.pytorch.trainer import PyTorchTrainer, sparse_trainer

__all__ = ["PyTorchTrainer", "sparse_trainer"]
