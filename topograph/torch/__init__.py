"""Sparse layers for PyTorch: `SparseLinear`.

Importing this package imports PyTorch, so `topograph` imports it on first use only.

>>> import topograph as tg
>>> tg.torch.SparseLinear(tg.construct("random_regular", 64, 32, degree=4, seed=0))
SparseLinear(in_features=64, out_features=32, edges=256, density=12.50%, bias=True)
"""

from topograph.torch.layer import SparseLinear

__all__ = ["SparseLinear"]
