"""Other ways to have fewer parameters than a dense layer: to compare with sparse topologies at equal budgets."""

from trainers.compression.budget import compressed_parameters
from trainers.compression.compressing import compress
from trainers.compression.compression import (
    Compression,
    Form,
    available_compressions,
    describe_compressions,
    get_compression,
    n_parameters,
)

__all__ = [
    "Compression",
    "Form",
    "available_compressions",
    "compress",
    "compressed_parameters",
    "describe_compressions",
    "get_compression",
    "n_parameters",
]
