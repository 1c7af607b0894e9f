"""`Checkout`: a script of this folder, running with the code of another checkout and answering what it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Checkout:
    """A process that runs ``script --serve`` with the code of one checkout: a line of JSON in, a line of JSON out."""

    def __init__(self, script: str, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(script).resolve()), "--serve"], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(path)}, cwd=path,
        )  # fmt: skip

    def ask(self, *request: Any) -> Any:
        """What the process answers."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("the other process ended without an answer; its error stands above")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
