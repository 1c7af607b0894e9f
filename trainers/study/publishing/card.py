"""`Card`: what published results say about themselves, and the checks that the files are those it speaks of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from topograph.errors import StoreError
from topograph.files import whole

FORMAT = 1
"""Version of the files. To be raised when a reader of the former one would misread them."""
CARD = "study.json"
TABLES = ("runs", "topologies", "curves")


@dataclass(frozen=True)
class Part:
    """One spec of a published study, and how far it has been run.

    Parameters
    ----------
    name
        Name of the spec.
    question
        What the spec asks.
    planned, done, failed
        Number of runs that it plans, that are published, and that failed.
    """

    name: str
    question: str
    planned: int
    done: int
    failed: int = 0

    @property
    def complete(self) -> bool:
        """Whether every planned run is published.

        Examples
        --------
        >>> Part("a", "", planned=3, done=2).complete
        False
        """
        return self.done == self.planned


@dataclass(frozen=True)
class Card:
    """What published results say about themselves.

    Parameters
    ----------
    name
        Name of the study.
    licence
        Under which its tables may be used.
    parts
        Its specs, each with the number of its runs.
    data
        Data set → its sizes and the hash of its content.
    trainers
        Trainer → version of its numbers.
    reasons
        Column of metrics → why values of it are undefined.
    unmeasured
        Why whole topologies have no metrics → how many.
    tables
        Table → its rows, bytes and SHA-256.
    format
        Version of the files.
    """

    name: str
    licence: str
    parts: tuple[Part, ...] = ()
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    trainers: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    unmeasured: dict[str, int] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def planned(self) -> int:
        """Number of planned runs."""
        return sum(part.planned for part in self.parts)

    @property
    def done(self) -> int:
        """Number of published runs."""
        return sum(part.done for part in self.parts)

    def write(self, folder: Path) -> None:
        """Write the card into the folder."""
        with whole(folder / CARD) as file:
            file.write((json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Card:
        """Read the card of a folder.

        Raises
        ------
        StoreError
            When there is none, it is damaged, or it is of another version.
        """
        path = folder / CARD
        if folder.is_file():
            raise StoreError(
                f"{folder} is a file, but a published study is a folder: topograph study publish SPEC --stores FOLDER "
                "--out FOLDER makes one of a store"
            )
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            version = content["format"]
        except FileNotFoundError:
            raise StoreError(
                f"{folder} holds no published study: it has no {CARD}; topograph study publish makes one"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise damaged(path, f"it cannot be read ({type(error).__name__}: {error})") from error
        if version != FORMAT:
            raise StoreError(
                f"{path} is of format {version!r}, but this topograph reads format {FORMAT}: install the version of "
                "topograph that published it, or publish it again"
            )
        if set(content) != {item.name for item in fields(cls)}:
            raise damaged(path, "its keys are not those of a card")
        try:
            parts = tuple(Part(**part) for part in content.pop("parts"))
        except (TypeError, AttributeError) as error:
            raise damaged(path, f"its parts cannot be read ({error})") from error
        return cls(parts=parts, **content)


def table_facts(path: Path, rows: int) -> dict[str, Any]:
    """What a card says about a table's file: rows, bytes and SHA-256."""
    content = path.read_bytes()
    return {"rows": rows, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def damaged(path: Path, what: str) -> StoreError:
    """The refusal of a file that is not as it was published."""
    return StoreError(
        f"{path} is damaged: {what}. Fetch it again (install topograph anew, or take the file from its repository), or "
        "make it again with topograph study run and topograph study publish"
    )
