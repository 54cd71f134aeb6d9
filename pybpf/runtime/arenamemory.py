"""The memory of arenas in this process, and typed views of the objects in it.

    node = memory.view(NODE, address)       # a Node: the class that declares the struct, with live fields
    node.value += 1                         # changes the arena's memory
    node.next                               # what the pointer leads to: a view, or None

A view is no copy: every use of a field reads or writes the memory. When the arena is closed, every use of its views
raises `ObjectClosed`; the memory itself is never touched then. There is one view of an object at a time, so that `is`
means what it means in the program.

Addresses are this process's own, and no two arenas share one: `find(address)` gives the arena that holds it. So
pointers in records of other maps lead here, too.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from pybpf.compiler.schema.types import ArrayType, Field, OptionalType, StructType, Type, size_of
from pybpf.runtime.errors import ObjectClosed
from pybpf.runtime.structs import class_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal

__all__ = ["ArenaMemory", "ArrayView", "address_of", "find", "pointed_to"]

_WORDS: dict[int, Literal["H", "I", "Q"]] = {2: "H", 4: "I", 8: "Q"}


class ArenaMemory:
    """`size` bytes at the addresses from `start` on. `buffer` is what they are in this process, writable."""

    def __init__(self, name: str, start: int, buffer: Any, close: Callable[[], None] | None = None) -> None:
        """`close` gives the memory back; it is called once."""
        self.name = name
        self.start = start
        self.size = len(memoryview(buffer).cast("B"))
        self._bytes: memoryview | None = memoryview(buffer).cast("B")
        self._words = {size: self._bytes.cast(code) for size, code in _WORDS.items()}
        self._close = close
        self._views: WeakValueDictionary[tuple[Type, int], Any] = WeakValueDictionary()
        _open.append(self)

    def close(self) -> None:
        """From here on every use raises ObjectClosed."""
        whole, self._bytes = self._bytes, None
        if whole is None:
            return
        _open.remove(self)
        for view in (*self._words.values(), whole):
            _release(view)
        if self._close is not None:
            self._close()

    def read(self, address: int, size: int) -> bytes:
        """The bytes there; what fits a word, and is aligned, by one access."""
        whole, at = self._place(address, size)
        words = self._words.get(size)
        if words is not None and not at % size:
            number: int = words[at // size]
            return number.to_bytes(size, "little")
        return bytes(whole[at : at + size])

    def write(self, address: int, data: bytes) -> None:
        """Change the bytes there, likewise."""
        size = len(data)
        whole, at = self._place(address, size)
        words = self._words.get(size)
        if words is not None and not at % size:
            words[at // size] = int.from_bytes(data, "little")
        else:
            whole[at : at + size] = data

    def _place(self, address: int, size: int) -> tuple[memoryview, int]:
        if self._bytes is None:
            raise ObjectClosed(f"arena {self.name!r}")
        at = address - self.start
        if at < 0 or at + size > self.size:
            raise ValueError(f"arena {self.name!r}: {size} bytes at {address:#x} are not inside of it")
        return self._bytes, at

    def view(self, kind: Type, address: int) -> Any:
        """The object of an aggregate type at an address: a view for a struct or an array, a copy of a text or bytes."""
        self._place(address, size_of(kind))
        if not isinstance(kind, (StructType, ArrayType)):
            return _access(kind)[0](self, address)
        found = self._views.get((kind, address))
        if found is None:
            if isinstance(kind, StructType):
                made = object.__new__(_view_class(kind))
                object.__setattr__(made, "__bpf_memory__", self)
                object.__setattr__(made, "__bpf_address__", address)
            else:
                made = ArrayView(self, address, kind)
            found = self._views.setdefault((kind, address), made)
        return found

    def get(self, kind: Type, address: int) -> Any:
        """The value of any type at an address."""
        return _access(kind)[0](self, address)

    def set(self, kind: Type, address: int, value: Any) -> None:
        """Change it. Raises TypeError, ValueError or OverflowError for a value that does not fit."""
        _access(kind)[1](self, address, value)


_open: list[ArenaMemory] = []


def _release(view: memoryview) -> None:
    """Once no other thread is in the middle of reading a piece of it."""
    while True:
        try:
            return view.release()
        except BufferError:
            time.sleep(0)


def _forked() -> None:
    """In the child of a fork: it does not have the mappings."""
    for memory in _open[:]:
        memory._close = None
        memory.close()


os.register_at_fork(after_in_child=_forked)


def find(address: int) -> ArenaMemory | None:
    """The open arena that an address lies in."""
    for memory in _open:
        if memory.start <= address < memory.start + memory.size:
            return memory
    return None


# --- pointers


def pointed_to(address: int, kind: Type) -> Any:
    """What a pointer to a `kind` leads to; None for 0. Raises ValueError where that is in no open arena."""
    if not address:
        return None
    memory = find(address)
    if memory is None:
        raise ValueError(f"a pointer to a {kind} leads to {address:#x}, and no open arena has that")
    return memory.view(kind, address)


def address_of(value: Any, kind: Type | None = None) -> int:
    """The address of a view, 0 for None. Raises TypeError for what is in no arena, or is no `kind`."""
    if value is None:
        return 0
    memory = getattr(value, "__bpf_memory__", None)
    if not isinstance(memory, ArenaMemory):
        raise TypeError(f"a pointer leads to an object in an arena, or is None; not {value!r}")
    own = _kind_of(value)
    if kind is not None and own != kind:
        raise TypeError(f"a pointer to a {kind} can't lead to a {own}")
    address: int = value.__bpf_address__
    return address


def _kind_of(view: Any) -> Type:
    kind: Type = view.__bpf_kind__
    return kind


# --- views


_classes: dict[StructType, Any] = {}
_accesses: dict[Type, tuple[Callable[..., Any], Callable[..., None]]] = {}


def _view_class(kind: StructType) -> Any:
    """A class of the views of a struct: it is the declaring class, with fields that are the memory's."""
    made = _classes.get(kind)
    if made is None:
        cls = class_for(kind)
        members: dict[str, Any] = {
            "__slots__": ("__bpf_memory__", "__bpf_address__", "__weakref__"), "__module__": cls.__module__,
            "__qualname__": cls.__qualname__, "__doc__": cls.__doc__, "__bpf_kind__": kind, "__bpf_layout__": kind,
            "__bpf_fields__": {field.name: field.type for field in kind.fields},
            "__eq__": _equal, "__hash__": lambda view: hash(_copy(view)), "__bytes__": _bytes, "__copy__": _copy,
            "__deepcopy__": lambda view, memo: _copy(view), "__reduce__": _no_pickle, "__repr__": _shown,
        }  # fmt: skip
        if kind.union:  # as a Union that holds bytes
            members |= {"_name": "", "_value": None, "_raw": property(_bytes)}
        members |= {field.name: _property(kind, field) for field in kind.fields}
        made = _classes[kind] = type.__new__(type(cls), cls.__name__, (cls,), members)
    return made


def _property(kind: StructType, field: Field) -> property:
    read, write = _bits(kind, field) if field.bits else _access(field.type, f"{kind.name}.{field.name}")
    offset = field.offset

    def get(view: Any) -> Any:
        return read(view.__bpf_memory__, view.__bpf_address__ + offset)

    def set(view: Any, value: Any) -> None:
        write(view.__bpf_memory__, view.__bpf_address__ + offset, value)

    return property(get, set)


def _access(kind: Type, what: str = "") -> tuple[Callable[..., Any], Callable[..., None]]:
    """(memory, address) -> the value there; (memory, address, value) puts it there."""
    found = _accesses.get(kind) if not what else None
    if found is not None:
        return found
    from pybpf.runtime.codec import codec

    size, held = size_of(kind), codec(kind, what or str(kind))

    def write(memory: ArenaMemory, address: int, value: Any) -> None:
        memory.write(address, held.encode(value))

    def copied(memory: ArenaMemory, address: int) -> Any:
        return held.decode(memory.read(address, size), 0)

    def viewed(memory: ArenaMemory, address: int) -> Any:
        return memory.view(kind, address)

    made = viewed if isinstance(kind, (StructType, ArrayType)) else copied, write
    if not what:
        _accesses[kind] = made
    return made


def _bits(kind: StructType, field: Field) -> tuple[Callable[..., Any], Callable[..., None]]:
    """The same of a bit field, at the byte that it starts in."""
    from pybpf.runtime.codec import codec

    size = (field.bit_offset + field.bits + 7) // 8
    alone = Field(field.name, field.type, 0, field.bits, field.bit_offset)
    held = codec(StructType(kind.name, (alone,), size, 1), kind.name)

    def read(memory: ArenaMemory, address: int) -> Any:
        return getattr(held.decode(memory.read(address, size), 0), field.name)

    def write(memory: ArenaMemory, address: int, value: Any) -> None:
        mask = ((1 << field.bits) - 1) << field.bit_offset
        given = int.from_bytes(held.encode({field.name: value}), "little")
        here = int.from_bytes(memory.read(address, size), "little")
        memory.write(address, (here & ~mask | given & mask).to_bytes(size, "little"))

    return read, write


def _equal(view: Any, other: object) -> bool:
    """As Struct's `==`: the fields are equal, pointers lead to the same object."""
    cls = class_for(view.__bpf_kind__)
    if not isinstance(other, cls):
        return NotImplemented  # type: ignore[no-any-return]
    for field in view.__bpf_kind__.fields:
        mine, others = getattr(view, field.name), getattr(other, field.name)
        if (mine is not others) if isinstance(field.type, OptionalType) else (mine != others):
            return False
    return True


def _bytes(view: Any) -> bytes:
    raw: bytes = view.__bpf_memory__.read(view.__bpf_address__, size_of(view.__bpf_kind__))
    return raw


def _copy(view: Any) -> Any:
    """An object of this process, as it is now; its pointers still lead into the arena."""
    from pybpf.runtime.codec import codec

    kind = view.__bpf_kind__
    return codec(kind, str(kind)).decode(bytes(view) if isinstance(kind, StructType) else view._raw(), 0)


def _no_pickle(view: Any) -> Any:
    raise TypeError(f"{type(view).__name__} is a view of an arena: copy.copy() makes an object of it")


def _shown(view: Any) -> str:
    kind = view.__bpf_kind__
    parts = []
    try:
        for field in kind.fields:
            value: Any = getattr(view, field.name)
            if isinstance(field.type, OptionalType) and value is not None:  # it may lead back here
                parts.append(f"{field.name}=<{value.__bpf_kind__} at {value.__bpf_address__:#x}>")
            else:
                parts.append(f"{field.name}={value!r}")
    except ObjectClosed:
        return f"<{kind.name} in a closed arena>"
    return f"{kind.name}({', '.join(parts)})"


class ArrayView:
    """An array in an arena: a sequence of fixed length, whose elements are read and written in place."""

    __slots__ = ("__bpf_address__", "__bpf_kind__", "__bpf_memory__", "__weakref__", "_read", "_step", "_write")

    def __init__(self, memory: ArenaMemory, address: int, kind: ArrayType) -> None:
        self.__bpf_memory__ = memory
        self.__bpf_address__ = address
        self.__bpf_kind__ = kind
        self._step = size_of(kind.element)
        self._read, self._write = _access(kind.element)

    def __len__(self) -> int:
        return self.__bpf_kind__.length

    def _at(self, index: int) -> int:
        length = self.__bpf_kind__.length
        at = index.__index__()
        if not -length <= at < length:
            raise IndexError(f"index {index} of {self.__bpf_kind__}")
        return self.__bpf_address__ + at % length * self._step

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._read(self.__bpf_memory__, self._at(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            places, values = range(*index.indices(len(self))), list(value)
            if len(places) != len(values):
                raise ValueError(f"{len(values)} values for {len(places)} elements")
            for i, item in zip(places, values):
                self[i] = item
        else:
            self._write(self.__bpf_memory__, self._at(index), value)

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(len(self))])

    def __contains__(self, value: object) -> bool:
        return any(item == value for item in self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, ArrayView)):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _raw(self) -> bytes:
        return self.__bpf_memory__.read(self.__bpf_address__, size_of(self.__bpf_kind__))

    __bytes__ = _raw
    __copy__ = _copy

    def __deepcopy__(self, memo: Any) -> Any:
        return _copy(self)

    def __repr__(self) -> str:
        try:
            return repr([*self]) if len(self) <= 64 else f"[{', '.join(map(repr, self[:64]))}, ...]"
        except ObjectClosed:
            return f"<{self.__bpf_kind__} in a closed arena>"
