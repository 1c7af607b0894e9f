"""Other ways to have fewer parameters than a dense layer: to compare with sparse topologies at equal budgets."""

from trainers.compression.compression import (
    Compression,
    Form,
    available_compressions,
    describe_compressions,
    get_compression,
    n_parameters,
)
from trainers.compression.trainer import CompressedTrainer

__all__ = [
    "CompressedTrainer",
    "Compression",
    "Form",
    "available_compressions",
    "describe_compressions",
    "get_compression",
    "n_parameters",
]
