"""Which kind of machine this is, as far as it decides the last bits of a training."""

from __future__ import annotations

import platform
import re
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def processor_kind() -> str:
    """The architecture and model of this machine's processor, without anything that names the machine.

    Examples
    --------
    >>> processor_kind() == processor_kind(), bool(processor_kind())
    (True, True)
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return describe_processor(platform.machine() or "unknown", text, platform.processor())


def describe_processor(architecture: str, cpuinfo: str, fallback: str) -> str:
    r"""As `processor_kind`, from the text of ``/proc/cpuinfo``; from ``fallback`` where there is none.

    Examples
    --------
    >>> describe_processor("x86_64", "model name : Some CPU\ncpu family : 25\nmodel : 1\n", "")
    'x86_64, Some CPU, family 25, model 1'
    >>> describe_processor("arm64", "", "arm")
    'arm64, arm'
    """
    parts = [architecture]
    for key, label in (("model name", ""), ("cpu family", "family "), ("model", "model ")):
        if match := re.search(rf"^{key}\s*:\s*(.+?)\s*$", cpuinfo, flags=re.MULTILINE):
            parts.append(label + match[1])
    if len(parts) == 1 and fallback and fallback != architecture:
        parts.append(fallback)
    return ", ".join(parts)
