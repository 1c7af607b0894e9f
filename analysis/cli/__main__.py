"""``python -m analysis.cli`` is ``topograph``."""

import sys

from analysis.cli import main

sys.exit(main())
