"""A pickle read as data: no class is imported, nothing is called; unknown objects become `Inert` stand-ins."""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from topograph.errors import InvalidMaskError

MOST_OPERATIONS = 12_000_000
"""Operations that one pickle may take: four times those of a checkpoint with 92,000 tensors."""
MOST_CONTAINERS = 4_000_000
"""Lists, tuples, dictionaries and objects that one pickle may make."""


@dataclass(frozen=True)
class Global:
    """A class or function that a pickle names; it is never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Inert:
    """An object of which only the data are known: what made it, its state and its items."""

    maker: Any
    arguments: Any = ()
    state: Any = None
    items: dict[Hashable, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return str(self.maker) if isinstance(self.maker, Global) else "an object without a name"


Call = Callable[[Any, Any], Any]
"""Makes the value of ``function(*arguments)`` from a `Global` and its arguments; usually an `Inert`."""
Persistent = Callable[[Any], Any]
"""Makes the value that a pickle names by an identifier, such as a storage."""


@dataclass(frozen=True)
class _Mark:
    """Where a group of values begins on the stack."""


_MARK = _Mark()


def read_pickle(
    data: bytes | memoryview, start: int = 0, *, call: Call = Inert, persistent: Persistent | None = None
) -> tuple[Any, int]:
    """Read one pickle; give its value and the position behind it.

    Parameters
    ----------
    data
        Bytes that hold the pickle.
    start
        Position of its first byte.
    call
        Gives the value of a call that the pickle asks for. Nothing is called but this.
    persistent
        Gives the value of a persistent identifier; without it, one is refused.

    Returns
    -------
    tuple
        The value and the position of the first byte behind the pickle.

    Raises
    ------
    InvalidMaskError
        When the pickle is damaged, of an unknown kind, or larger than `MOST_OPERATIONS` or `MOST_CONTAINERS`.

    Examples
    --------
    >>> import pickle
    >>> read_pickle(pickle.dumps({"a": [1, 2.5, None]}))[0]
    {'a': [1, 2.5, None]}
    >>> value, _ = read_pickle(pickle.dumps(print))
    >>> str(value)
    'builtins.print'
    """
    machine = _Machine(memoryview(data), start, call, persistent)
    try:
        return machine.run(), machine.position
    except (IndexError, KeyError, ValueError, TypeError, OverflowError, struct.error, RecursionError) as error:
        if isinstance(error, InvalidMaskError):
            raise
        raise InvalidMaskError(
            f"the pickle is damaged at byte {machine.position}: {type(error).__name__}: {str(error)[:100]}"
        ) from error


class _Machine:
    """The stack, the memo and the position of a pickle that is being read."""

    def __init__(self, data: memoryview, start: int, call: Call, persistent: Persistent | None) -> None:
        self.data, self.position = data, start
        self.call, self.persistent = call, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.containers = 0

    def run(self) -> Any:
        data, size, operations = self.data, len(self.data), 0
        while self.position < size:
            operations += 1
            if operations > MOST_OPERATIONS or self.containers > MOST_CONTAINERS:
                raise InvalidMaskError(
                    f"the pickle makes more than {MOST_CONTAINERS} objects or takes more than {MOST_OPERATIONS} steps"
                )
            code = data[self.position]
            self.position += 1
            if code == 0x2E:  # STOP
                return self.pop()
            operation = _OPERATIONS.get(code)
            if operation is None:
                raise InvalidMaskError(f"the pickle has an unknown operation {code:#x} at byte {self.position - 1}")
            operation(self)
        raise InvalidMaskError("the pickle ends before it is complete; the file is truncated")

    def take(self, count: int) -> memoryview:
        """The next bytes."""
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise InvalidMaskError(f"the pickle claims {count} bytes at byte {self.position}; the file is truncated")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def number(self, count: int) -> int:
        """The next bytes as an unsigned number, low byte first."""
        if count == 1:
            self.position += 1
            return self.data[self.position - 1]
        return int.from_bytes(self.take(count), "little")

    def line(self, coding: str = "utf-8") -> str:
        """The text up to the end of the line, as in the oldest protocol."""
        for end in range(self.position, min(len(self.data), self.position + 65536)):
            if self.data[end] == 0x0A:
                text = str(self.data[self.position : end], coding, "replace")
                self.position = end + 1
                return text
        raise InvalidMaskError(f"the pickle has a line without an end at byte {self.position}")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise InvalidMaskError("the pickle takes a value that is not there")
        return value

    def marked(self) -> list[Any]:
        """The values since the last mark."""
        stack = self.stack
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise InvalidMaskError("the pickle closes a group that was not opened")
        values = stack[at + 1 :]
        del stack[at:]
        return values

    def made(self, value: Any) -> None:
        """Push a new container."""
        self.containers += 1
        self.stack.append(value)

    def called(self, maker: Any, arguments: Any) -> None:
        """Push the value of a call; the callback decides what it is."""
        if not isinstance(arguments, tuple):
            raise InvalidMaskError("the pickle calls something without a tuple of arguments")
        self.made(self.call(maker, arguments))

    def set_items(self, values: list[Any]) -> None:
        if len(values) % 2:
            raise InvalidMaskError("the pickle gives a key without a value")
        target = self.stack[-1]
        items = target.items if isinstance(target, Inert) else target
        if not isinstance(items, dict):
            raise InvalidMaskError(f"the pickle sets items of a {type(target).__name__}")
        for key, value in zip(values[::2], values[1::2], strict=True):
            items[_key(key, len(items))] = value

    def append_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Inert):
            for value in values:
                target.items[len(target.items)] = value
        elif isinstance(target, list):
            target.extend(values)
        else:
            raise InvalidMaskError(f"the pickle appends to a {type(target).__name__}")

    def set_state(self) -> None:
        state = self.pop()
        target = self.stack[-1]
        if isinstance(target, Inert):
            target.state = state

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise InvalidMaskError("the pickle names a class by something other than text")
        self.push(Global(module, name))

    def persist(self, identifier: Any) -> None:
        if self.persistent is None:
            raise InvalidMaskError("the pickle refers to something outside itself")
        self.made(self.persistent(identifier))


def _key(key: Any, position: int) -> Hashable:
    """A key that is safe to hash: nested tuples may take for ever, and lists cannot be."""
    if key is None or isinstance(key, (str, bytes, bool, int, float, Global)):
        return key
    if isinstance(key, tuple) and len(key) <= 8 and all(isinstance(part, (str, int, float)) for part in key):
        return key
    return f"<key {position}: {type(key).__name__}>"


def _text(width: int) -> Callable[[_Machine], None]:
    def operation(machine: _Machine) -> None:
        machine.push(str(machine.take(machine.number(width)), "utf-8", "surrogatepass"))

    return operation


def _bytes(width: int) -> Callable[[_Machine], None]:
    def operation(machine: _Machine) -> None:
        machine.push(bytes(machine.take(machine.number(width))))

    return operation


def _old_text(width: int) -> Callable[[_Machine], None]:
    """Text of Python 2, or its bytes: both come back from it without loss."""

    def operation(machine: _Machine) -> None:
        machine.push(str(machine.take(machine.number(width)), "latin-1"))

    return operation


def _integer(count: int, signed: bool = False) -> Callable[[_Machine], None]:
    def operation(machine: _Machine) -> None:
        machine.push(int.from_bytes(machine.take(count), "little", signed=signed))

    return operation


def _long(width: int) -> Callable[[_Machine], None]:
    def operation(machine: _Machine) -> None:
        machine.push(int.from_bytes(machine.take(machine.number(width)), "little", signed=True))

    return operation


def _constant(value: Any) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(value)


def _tuple(count: int) -> Callable[[_Machine], None]:
    def operation(machine: _Machine) -> None:
        values = [machine.pop() for _ in range(count)]
        machine.made(tuple(values[::-1]))

    return operation


def _get(width: int) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(machine.memo[machine.number(width)])


def _put(width: int) -> Callable[[_Machine], None]:
    def operation(machine: _Machine) -> None:
        machine.memo[machine.number(width)] = machine.stack[-1]

    return operation


def _quoted(machine: _Machine) -> None:
    machine.push(machine.line().strip("'\""))


def _decimal(machine: _Machine) -> None:
    text = machine.line()
    machine.push({"01": True, "00": False}.get(text) if text in ("00", "01") else int(text.rstrip("L")))


def _reduce(machine: _Machine) -> None:
    arguments = machine.pop()
    machine.called(machine.pop(), arguments)


def _new_object(machine: _Machine) -> None:
    arguments = machine.pop()
    machine.made(Inert(machine.pop(), arguments))


def _new_object_with_names(machine: _Machine) -> None:
    names, arguments = machine.pop(), machine.pop()
    machine.made(Inert(machine.pop(), arguments, names))


def _instance(machine: _Machine) -> None:
    maker = Global(machine.line(), machine.line())
    machine.made(Inert(maker, tuple(machine.marked())))


def _old_object(machine: _Machine) -> None:
    maker, *arguments = machine.marked()
    machine.made(Inert(maker, tuple(arguments)))


def _set_one(machine: _Machine) -> None:
    value = machine.pop()
    machine.set_items([machine.pop(), value])


def _stack_global(machine: _Machine) -> None:
    name = machine.pop()
    machine.name(machine.pop(), name)


def _skip(count: int) -> Callable[[_Machine], None]:
    def operation(machine: _Machine) -> None:
        machine.take(count)

    return operation


def _pop_marked(machine: _Machine) -> None:
    machine.marked()


def _pop_anything(machine: _Machine) -> None:
    machine.stack.pop()


def _dictionary(machine: _Machine) -> None:
    values = machine.marked()
    machine.made({})
    machine.set_items(values)


_OPERATIONS: dict[int, Callable[[_Machine], None]] = {
    0x80: _skip(1),  # PROTO
    0x95: _skip(8),  # FRAME
    ord("("): _constant(_MARK),
    ord("0"): _pop_anything,
    ord("1"): _pop_marked,
    ord("2"): lambda machine: machine.push(machine.stack[-1]),
    ord("N"): _constant(None),
    0x88: _constant(True),
    0x89: _constant(False),
    ord("I"): _decimal,
    ord("L"): _decimal,
    ord("J"): _integer(4, signed=True),
    ord("K"): _integer(1),
    ord("M"): _integer(2),
    0x8A: _long(1),
    0x8B: _long(4),
    ord("F"): lambda machine: machine.push(float(machine.line())),
    ord("G"): lambda machine: machine.push(struct.unpack(">d", machine.take(8))[0]),
    ord("S"): _quoted,
    ord("V"): lambda machine: machine.push(machine.line("raw-unicode-escape")),
    ord("X"): _text(4),
    0x8C: _text(1),
    0x8D: _text(8),
    ord("T"): _old_text(4),
    ord("U"): _old_text(1),
    ord("B"): _bytes(4),
    ord("C"): _bytes(1),
    0x8E: _bytes(8),
    0x96: _bytes(8),  # BYTEARRAY8
    ord(")"): lambda machine: machine.push(()),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("t"): lambda machine: machine.made(tuple(machine.marked())),
    ord("]"): lambda machine: machine.made([]),
    ord("l"): lambda machine: machine.made(machine.marked()),
    ord("a"): lambda machine: machine.append_items([machine.pop()]),
    ord("e"): lambda machine: machine.append_items(machine.marked()),
    ord("}"): lambda machine: machine.made({}),
    ord("d"): _dictionary,
    ord("s"): _set_one,
    ord("u"): lambda machine: machine.set_items(machine.marked()),
    0x8F: lambda machine: machine.made([]),  # EMPTY_SET, kept as a list
    0x90: lambda machine: machine.append_items(machine.marked()),
    0x91: lambda machine: machine.made(machine.marked()),  # FROZENSET
    ord("g"): lambda machine: machine.push(machine.memo[int(machine.line())]),
    ord("h"): _get(1),
    ord("j"): _get(4),
    ord("p"): lambda machine: machine.memo.__setitem__(int(machine.line()), machine.stack[-1]),
    ord("q"): _put(1),
    ord("r"): _put(4),
    0x94: lambda machine: machine.memo.__setitem__(len(machine.memo), machine.stack[-1]),
    ord("c"): lambda machine: machine.name(machine.line(), machine.line()),
    0x93: _stack_global,
    ord("R"): _reduce,
    ord("b"): lambda machine: machine.set_state(),
    ord("i"): _instance,
    ord("o"): _old_object,
    0x81: _new_object,
    0x92: _new_object_with_names,
    ord("P"): lambda machine: machine.persist(machine.line()),
    ord("Q"): lambda machine: machine.persist(machine.pop()),
}
