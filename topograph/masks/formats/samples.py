"""What the sample files of every format hold: small, and the same everywhere."""

from __future__ import annotations

import numpy as np

SAMPLE = np.array(
    [[0, 1, 1, 0], [0, 0, 0, 1], [1, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]], dtype=np.float32
)
"""A mask, 6 inputs × 4 outputs."""
SAMPLE.flags.writeable = False
