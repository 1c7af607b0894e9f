"""Train networks of drawn sizes and settings with a trainer, against the reference.

``python -m tests.trainers.conformance.sweep keras --count 100`` takes a hundred seeds, prints what differs, with the
seed that repeats it, and exits with an error when anything did.
"""

from __future__ import annotations

import argparse
import sys

from topograph.errors import ConformanceError
from trainers.conformance import check_trainer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trainer")
    parser.add_argument("--count", type=int, default=100, help="seeds (default: 100)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    chosen = parser.parse_args()
    wrong = 0
    for seed in range(chosen.first, chosen.first + chosen.count):
        try:
            check_trainer(chosen.trainer, only=["drawn_sizes"], seed=seed)
        except ConformanceError as error:
            wrong += 1
            print(error, flush=True)
    print(f"{wrong} of {chosen.count} seeds differ")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
