"""``topograph ...``: the command line, the only place that sees all three packages."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from analysis.cli.parser import make_parser
from analysis.cli.printing import printable
from topograph.errors import TopographError

EXIT_OK, EXIT_ERROR, EXIT_INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when it is done, 1 after an error, 2 for wrong usage, 130 after Ctrl-C."""
    options = make_parser().parse_args(arguments)
    try:
        options.run(options)
    except TopographError as error:
        lines = [printable(line) for line in str(error).splitlines()]
        print("topograph: " + "\n".join(lines), file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        said = "stopped. What was finished is kept; run the same command again to continue."
        print(f"\ntopograph: {said}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader, head say, has seen enough
        sys.stderr.close()
    return EXIT_OK
