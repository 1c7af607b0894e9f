"""`Source` and `Entry`: what a file or a model holds, seen but not yet read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from topograph.errors import InvalidMaskError, TopographError
from topograph.graph import BipartiteGraph
from topograph.labels import Labels
from topograph.masks.layout import Layout, keras_layout


@dataclass(frozen=True)
class Entry:
    """One layer of a source, or something else that it holds.

    Parameters
    ----------
    name
        The layer's name, unique within the source.
    read
        Gives the values, only now touching the disk: an array in the stored orientation, a SciPy sparse matrix, or a
        finished graph. None when the entry cannot be a mask.
    layout
        How the values become edges; not needed for a graph.
    reason
        Why it is left out, unless it is asked for by name; always left out where ``read`` is None.
    weights
        Where the edges are a mask's ones: gives the masked weights, for rules that go by magnitude.
    note
        Further words on how it was read, for the table.
    doubt
        Why it may not be a layer, or not in this orientation: it is read, and left out of budgets over all layers.
    needs_orientation
        Whether it can be read only when the caller says in which orientation.
    labels
        Names of the rows and of the columns of a matrix, or None for a side without names.
    shape
        Of the whole stored tensor, where it is known without reading it.
    same_as
        The name of a weight that is the same tensor and comes before; empty when there is none.
    """

    name: str
    read: Callable[[], Any] | None = None
    layout: Layout | None = None
    reason: str = ""
    weights: Callable[[], Any] | None = None
    note: str = ""
    needs_orientation: bool = False
    labels: tuple[Labels | None, Labels | None] = (None, None)
    doubt: str = ""
    shape: tuple[int, ...] | None = None
    same_as: str = ""

    @classmethod
    def left_out(cls, name: str, reason: str) -> Entry:
        """An entry that cannot be read as a mask."""
        return cls(name, reason=reason)


@dataclass(frozen=True)
class Source:
    """Everything in a file or a model, in its order.

    Parameters
    ----------
    label
        The path, or what kind of object it is; errors begin with it.
    entries
        Layers and the rest.
    is_chain
        Whether the source says that its layers follow each other.
    """

    label: str
    entries: tuple[Entry, ...]
    is_chain: bool = False


@contextmanager
def faults_of(label: str) -> Iterator[None]:
    """Turn whatever a library says about a broken or hostile source into an `InvalidMaskError` that names it.

    The net is wide on purpose: a parser fed with arbitrary bytes raises whatever its internals stumble over. The cause
    stays attached.
    """
    try:
        yield
    except InvalidMaskError as error:
        detail = str(error)
        if detail.startswith(label):
            raise
        raise InvalidMaskError(f"{label}: {detail}") from error
    except TopographError:
        raise  # a wrong argument or a missing package is not the file's fault
    except Exception as error:
        text = " ".join(str(error).split()).removeprefix(f"{label}: ")
        short = text if len(text) <= 300 else text[:300] + " …"
        raise InvalidMaskError(f"{label}: {type(error).__name__}: {short or 'no detail'}") from error


def graph_entry(name: str, graph: BipartiteGraph, note: str = "") -> Entry:
    """An entry whose graph is finished."""
    return Entry(name, read=lambda: graph, note=note)


def array_entry(name: str, shape: Sequence[int], read: Callable[[], Any], words: str = "inputs × outputs") -> Entry:
    """An entry for an array of a format that knows no layers: two dimensions are inputs × outputs."""
    if len(shape) < 2:
        return Entry.left_out(name, f"has {len(shape)} dimension{'s' * (len(shape) != 1)}, a mask has two or more")
    if len(shape) == 2:
        return Entry(name, read, keras_layout(2, words=words), shape=tuple(shape))
    reason = (
        f"has {len(shape)} dimensions, a mask has two; to read a convolution, pass orientation='out_in' (outputs × "
        "inputs × taps) or 'in_out' (taps × inputs × outputs)"
    )
    return Entry(name, read, reason=reason, needs_orientation=True, shape=tuple(shape))
