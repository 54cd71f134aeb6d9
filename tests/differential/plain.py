"""CPython's leg: a program's own source, executed as the Python it is, over thin stand-ins for what pybpf declares.

Nothing of the project is imported here; what the stand-ins do is docs/semantics.md. Integers are ints that know their
type, maps are dicts, structs are objects with attributes, a header is a view of the packet's bytes. What CPython lacks
is written into the syntax tree by `_Typed` below, and it is this: a value is converted where it is stored in a place
whose type is written down (an annotated variable or parameter, a result, a global); a literal in a variable is an i64.
"""

from __future__ import annotations

import ast
import builtins
import copy
import inspect
import operator
from typing import Any

__all__ = ["World", "canonical"]

_globals: dict[str, Any] = {}  # those of the stand-ins: names that `from pybpf import *` gives


def _shared(thing: Any) -> Any:
    _globals[thing.__name__] = thing
    return thing


# --- integers


class Number(int):
    """An int with a type. Arithmetic is in 64 bits, at the type that the table in docs/semantics.md says."""

    bits = 64
    signed = True

    def __new__(cls, value: int = 0) -> Number:
        number = int(value) & (1 << cls.bits) - 1
        return int.__new__(cls, number - (1 << cls.bits) if cls.signed and number >> cls.bits - 1 else number)

    def __add__(self, other: Any) -> Any:
        return _result("+", self, other, int(self) + int(other))

    def __radd__(self, other: Any) -> Any:
        return _result("+", other, self, int(other) + int(self))

    def __sub__(self, other: Any) -> Any:
        return _result("-", self, other, int(self) - int(other))

    def __rsub__(self, other: Any) -> Any:
        return _result("-", other, self, int(other) - int(self))

    def __mul__(self, other: Any) -> Any:
        return _result("*", self, other, int(self) * int(other))

    __rmul__ = __mul__

    def __and__(self, other: Any) -> Any:
        return _result("&", self, other, int(self) & int(other))

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return _result("|", self, other, int(self) | int(other))

    __ror__ = __or__

    def __xor__(self, other: Any) -> Any:
        return _result("^", self, other, int(self) ^ int(other))

    __rxor__ = __xor__

    def __floordiv__(self, other: Any) -> Any:
        return _result("//", self, other, int(self) // int(other) if other else 0)

    def __rfloordiv__(self, other: Any) -> Any:
        return _result("//", other, self, int(other) // int(self) if self else 0)

    def __mod__(self, other: Any) -> Any:
        return _result("%", self, other, int(self) % int(other) if other else int(self))

    def __rmod__(self, other: Any) -> Any:
        return _result("%", other, self, int(other) % int(self) if self else int(other))

    def __lshift__(self, other: Any) -> Any:
        return (i64 if self.signed else u64)(int(self) << (int(other) & 63))

    def __rlshift__(self, other: Any) -> Any:
        return (i64 if other < 0 else u64)(int(other) << (int(self) & 63))

    def __rshift__(self, other: Any) -> Any:
        return (i64 if self.signed else u64)(int(self) >> (int(other) & 63))

    def __rrshift__(self, other: Any) -> Any:
        return (i64 if other < 0 else u64)(int(other) >> (int(self) & 63))

    def __neg__(self) -> Any:
        return (u64 if type(self) is u64 else i64)(-int(self))

    def __invert__(self) -> Any:
        return (u64 if type(self) is u64 else i64)(~int(self))

    def __pos__(self) -> Any:
        return (u64 if type(self) is u64 else i64)(int(self))

    def __abs__(self) -> Any:
        return i64(abs(int(self))) if self.signed else self


def _result(op: str, a: int, b: int, exact: int) -> Number:
    if type(a) is u64 or type(b) is u64:
        return u64(exact)
    signed = [value.signed if isinstance(value, Number) else value < 0 for value in (a, b)]
    return i64(exact) if any(signed) or op == "-" else u64(exact)


def _kind(name: str) -> type[Number]:
    """The class of an int type. Those in network byte order have the value that the other end meant."""
    digits = name.lstrip("uibe")
    return type(name, (Number,), {"bits": int(digits), "signed": name[0] == "i", "big": name[0] == "b"})


KINDS = {name: _kind(name) for name in ("u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "be16", "be32", "be64")}
_HOST = {"be16": "u16", "be32": "u32", "be64": "u64"}
_globals.update(KINDS)
u32, u64, i64 = KINDS["u32"], KINDS["u64"], KINDS["i64"]


@_shared
class Bits:
    """`Bits[u32, L[3]]`: a type that wraps at its width, and gives what it holds as the type it is of."""

    def __class_getitem__(cls, given: tuple[type[Number], int]) -> type[Number]:
        base, bits = given
        return type("Bits", (Number,), {"bits": bits, "signed": base.signed, "base": base})


def _joined(values: tuple[int, ...]) -> Any:
    """The type of the least or the greatest of some numbers."""
    kinds = [type(value) for value in values if isinstance(value, Number)]
    if not kinds:
        return int
    if u64 in kinds:
        return u64
    return i64 if any(kind.signed for kind in kinds) or any(v < 0 for v in values) else u64


@_shared
def min(*values: int) -> int:
    values = tuple(values[0]) if len(values) == 1 else values  # type: ignore[arg-type]
    return _joined(values)(builtins.min([int(value) for value in values]))  # type: ignore[no-any-return]


@_shared
def max(*values: int) -> int:
    values = tuple(values[0]) if len(values) == 1 else values  # type: ignore[arg-type]
    return _joined(values)(builtins.max([int(value) for value in values]))  # type: ignore[no-any-return]


@_shared
class range:
    """Counts in i64."""

    def __init__(self, *bounds: int) -> None:
        self.numbers = builtins.range(*bounds)

    def __iter__(self) -> Any:
        return map(i64, self.numbers)

    def __contains__(self, value: int) -> bool:
        return int(value) in self.numbers


@_shared
class L:
    def __class_getitem__(cls, size: int) -> int:
        return size


# --- memory


class Sized:
    """`Array[i16, L[8]]`, `Text[L[8]]`, `Bytes[L[8]]`: a type; called, an array of its items."""

    def __init__(self, name: str, element: Any, length: int) -> None:
        self.name, self.element, self.length = name, element, length

    def __call__(self, items: Any = None) -> Any:
        given = [zero(self.element)] * self.length if items is None else list(items)
        return Cells(self.element, [coerced(self.element, item) for item in given])


def _sized(name: str) -> Any:
    def of(cls: Any, given: Any) -> Sized:
        element, length = given if isinstance(given, tuple) else (None, given)
        return Sized(name, element, length)

    return type(name, (), {"__class_getitem__": classmethod(of)})


_globals.update({name: _sized(name) for name in ("Array", "Text", "Bytes")})


def zero(kind: Any) -> Any:
    """What a place of a type holds before anything is stored."""
    if isinstance(kind, Sized):
        return kind() if kind.name == "Array" else "" if kind.name == "Text" else bytes(kind.length)
    return kind() if not hasattr(kind, "__members__") else kind(0)


def coerced(kind: Any, value: Any) -> Any:
    """A value as a place of a type holds it: numbers wrap, objects are copied."""
    if hasattr(kind, "base"):
        return kind.base(kind(value))
    if isinstance(kind, type) and issubclass(kind, Number):
        return KINDS[_HOST.get(kind.__name__, kind.__name__)](value)
    if isinstance(kind, Sized) and kind.name == "Array" and not isinstance(value, Cells):
        return kind(value)
    return bool(value) if kind is bool else copy.deepcopy(value)


class Cells:
    """An array."""

    def __init__(self, kind: Any, items: list[Any]) -> None:
        self.kind, self.items = kind, items

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Cells(self.kind, [coerced(self.kind, item) for item in self.items[index]])
        assert index >= 0
        return self.items[index]

    def __setitem__(self, index: int, value: Any) -> None:
        assert index >= 0
        self.items[index] = coerced(self.kind, value)

    def __len__(self) -> int:
        return len(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cells) and self.items == other.items


@_shared
class Struct:
    """A struct. Fields not given are those of the class, or zero."""

    _fields: dict[str, Any] = {}

    def __init_subclass__(cls) -> None:
        cls._fields = {**cls._fields, **inspect.get_annotations(cls)}

    def __init__(self, **given: Any) -> None:
        for name, kind in self._fields.items():
            value = given[name] if name in given else getattr(type(self), name, None)
            self.__dict__[name] = zero(kind) if value is None else coerced(kind, value)

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self._fields[name]
        if isinstance(kind, type) and issubclass(kind, Struct):
            # the object lies inside this one, and whoever refers to it sees it change
            self.__dict__[name].__dict__.update(copy.deepcopy(value).__dict__)
        else:
            self.__dict__[name] = coerced(kind, value)


def packed(kind: Any) -> int:
    """Bytes of a header's field; headers have no padding."""
    if isinstance(kind, Sized):
        return packed(kind.element) * kind.length
    return int(kind.bits) // 8


class View:
    """A struct in the packet."""

    def __init__(self, data: bytearray, at: int, struct: Any) -> None:
        for name, kind in struct._fields.items():
            object.__setattr__(self, "_" + name, Part(data, at, kind))
            at += packed(kind)

    def __getattr__(self, name: str) -> Any:
        part = self.__dict__["_" + name]
        return part if isinstance(part.kind, Sized) else part.read(0)

    def __setattr__(self, name: str, value: int) -> None:
        self.__dict__["_" + name].write(0, value)


class Part:
    """One field in the packet: a number, or an array of them."""

    def __init__(self, data: bytearray, at: int, kind: Any) -> None:
        self.data, self.at, self.kind = data, at, kind
        self.cell: Any = kind.element if isinstance(kind, Sized) else kind
        self.order: Any = "big" if self.cell.big else "little"
        self.size = packed(self.cell)

    def read(self, index: int) -> Any:
        assert index >= 0
        at = self.at + index * self.size
        return coerced(self.cell, int.from_bytes(self.data[at : at + self.size], self.order))

    def write(self, index: int, value: int) -> None:
        assert index >= 0
        at = self.at + index * self.size
        self.data[at : at + self.size] = (int(value) & (1 << 8 * self.size) - 1).to_bytes(self.size, self.order)

    __getitem__, __setitem__ = read, write

    def __len__(self) -> int:
        return int(self.kind.length)

    def __iter__(self) -> Any:
        return iter([self.read(index) for index in builtins.range(len(self))])


class Packet:
    def __init__(self, data: bytes) -> None:
        self.data, self.cursor = bytearray(data), 0

    def parse(self, struct: Any) -> View | None:
        size = sum([packed(kind) for kind in struct._fields.values()])
        if self.cursor + size > len(self.data):
            return None
        self.cursor += size
        return View(self.data, self.cursor - size, struct)

    def skip(self, count: int) -> bool:
        if not 0 <= count <= 0xFFFF or self.cursor + count > len(self.data):
            return False
        self.cursor += count
        return True


# --- maps


class Declared:
    """A map class: `HashMap[u32, i64](max_entries=64)`."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def __getitem__(self, types: Any) -> Any:
        return lambda size=0, max_entries=0: self.make(types, size or max_entries)


class Hash:
    """A hash map: full is full, deleting what is not there is nothing, `m[k] += n` begins with zero."""

    def __init__(self, types: Any, most: int) -> None:
        (self.key, self.value), self.most = types, most
        self.entries: dict[Any, Any] = {}

    def at(self, key: Any) -> Any:
        return canonical(coerced(self.key, key))

    def get(self, key: Any, default: Any = None) -> Any:
        return self.entries.get(self.at(key), default)

    def __contains__(self, key: Any) -> bool:
        return self.at(key) in self.entries

    def __getitem__(self, key: Any) -> Any:
        return self.get(key, self.value())

    def __setitem__(self, key: Any, value: Any) -> None:
        if key in self or len(self.entries) < self.most:
            self.entries[self.at(key)] = coerced(self.value, value)

    def __delitem__(self, key: Any) -> None:
        self.entries.pop(self.at(key), None)

    def pop(self, key: Any, default: Any) -> Any:
        return self.entries.pop(self.at(key), default)

    def setdefault(self, key: Any, value: Any) -> Any:
        if key not in self:
            self[key] = value
        return self.get(key)

    def items(self) -> Any:
        return [(coerced(self.key, key), value) for key, value in self.entries.items()]

    def values(self) -> Any:
        return list(self.entries.values())

    def result(self) -> Any:
        return {key: canonical(value) for key, value in self.entries.items()}


class Slots:
    """An array map."""

    def __init__(self, value: Any, count: int) -> None:
        self.value, self.slots = value, [zero(value) for _ in builtins.range(count)]

    def get(self, key: int) -> Any:
        return self.slots[key] if 0 <= key < len(self.slots) else None

    def __getitem__(self, key: int) -> Any:
        assert key >= 0
        return self.slots[key]

    def __setitem__(self, key: int, value: Any) -> None:
        assert key >= 0
        self.slots[key] = coerced(self.value, value)

    def items(self) -> Any:
        return ((u32(key), value) for key, value in enumerate(self.slots))  # as they are when they are met

    def result(self) -> Any:
        return {key: canonical(value) for key, value in enumerate(self.slots)}


class Ring:
    """A ring buffer that nobody reads, with room enough."""

    def __init__(self, struct: Any, size: int) -> None:
        self.struct = struct
        self.events: list[Any] = []

    def emit(self, event: Any) -> bool:
        self.events.append(copy.deepcopy(event))
        return True

    def reserve(self) -> Any:
        return Reservation(self)

    def result(self) -> Any:
        return [canonical(event) for event in self.events if event is not None]


class Reservation:
    """Its place among the events is that of its beginning. Discarded, it is none."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring

    def __enter__(self) -> Any:
        self.made = self.ring.struct()
        self.made.__dict__["discard"] = self.discard
        self.place = len(self.ring.events)
        self.ring.events.append(None)
        self.kept = True
        return self.made

    def discard(self) -> None:
        self.kept = False

    def __exit__(self, *_: object) -> None:
        if self.kept:
            self.ring.events[self.place] = self.made


_globals.update(
    {
        **{name: Declared(Hash) for name in ("HashMap", "PerCpuHash", "LruHash")},
        **{name: Declared(Slots) for name in ("ArrayMap", "PerCpuArray")},
        "RingBuffer": Declared(Ring),
        "XDP": type("XDP", (), {"ABORTED": 0, "DROP": 1, "PASS": 2, "TX": 3, "REDIRECT": 4}),
        "XdpContext": Packet,
        "xdp": lambda function: function,
        "subprog": lambda function=None, global_=False: function or (lambda inner: inner),
        "const": lambda kind, value=0: kind(value),
        "var": lambda kind, value=0: kind(value),
    }
)


def canonical(value: Any) -> Any:
    """A value without classes: of the stand-ins, of the runtime, of the simulator."""
    fields = getattr(type(value), "_fields", None) or getattr(type(value), "__bpf_fields__", None)
    if fields is not None:
        return tuple([canonical(getattr(value, name)) for name in fields])
    if isinstance(value, Cells):
        return tuple([canonical(item) for item in value.items])
    if isinstance(value, (list, tuple)):
        return tuple([canonical(item) for item in value])
    return value if isinstance(value, (str, bytes)) else int(value)


# --- the program


def _conversion(kind: str, value: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("_as", ast.Load()), [ast.Name(kind, ast.Load()), value], [])


def _names(target: Any) -> list[str]:
    """The variables that an assignment's target has."""
    if isinstance(target, ast.Name):
        return [target.id]
    return [name for item in getattr(target, "elts", ()) for name in _names(item)]


class _Typed(ast.NodeTransformer):
    """What is stored under a name with a written type is converted to it, by a statement behind the store."""

    def __init__(self, globals: dict[str, str]) -> None:
        self.globals = globals  # type of each `var()`
        self.types: dict[str, str] = {}
        self.result: str | None = None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        return None  # the stand-ins are there

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        outer = self.types, self.result
        self.types, self.result = {}, self.written(node.returns)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Global):
                self.types.update({name: self.globals[name] for name in inner.names})
            elif isinstance(inner, ast.Nonlocal):
                self.types.update({name: outer[0][name] for name in inner.names if name in outer[0]})
            elif isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
                self.note(inner.target.id, inner.annotation)
        for parameter in [*node.args.args, *node.args.kwonlyargs]:
            self.note(parameter.arg, parameter.annotation)
        self.generic_visit(node)
        given = [p.arg for p in [*node.args.args, *node.args.kwonlyargs] if p.arg in self.types]
        node.body[:0] = [self.converted(name) for name in given]
        self.types, self.result = outer
        return node

    def written(self, annotation: Any) -> str | None:
        """The int type, or bool, that an annotation says, also beside None."""
        if isinstance(annotation, ast.BinOp):
            annotation = annotation.left
        name = annotation.id if isinstance(annotation, ast.Name) else ""
        return name if name in KINDS or name == "bool" else None

    def note(self, name: str, annotation: Any) -> None:
        kind = self.written(annotation)
        if kind is not None:
            self.types[name] = kind

    def converted(self, name: str) -> ast.stmt:
        value = _conversion(self.types.get(name, "_literal"), ast.Name(name, ast.Load()))
        return ast.Assign([ast.Name(name, ast.Store())], value)

    def behind(self, targets: list[Any]) -> list[ast.stmt]:
        return [self.converted(name) for target in targets for name in _names(target)]

    def visit_Assign(self, node: ast.Assign) -> Any:
        self.generic_visit(node)
        return [node, *self.behind(node.targets)]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        self.generic_visit(node)
        return [node, *self.behind([node.target])] if node.value is not None else node

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        self.generic_visit(node)
        return [node, *self.behind([node.target])]

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        """A bool on the left would count as int does, and give what has no type."""
        self.generic_visit(node)
        if isinstance(node.left, ast.Constant) or type(node.op) not in _REFLECTED:
            return node
        name = ast.Constant(_REFLECTED[type(node.op)])
        return ast.Call(ast.Name("_binary", ast.Load()), [name, node.left, node.right], [])

    def visit_For(self, node: ast.For) -> Any:
        self.generic_visit(node)
        node.body[:0] = self.behind([node.target])
        return node

    def visit_Return(self, node: ast.Return) -> Any:
        self.generic_visit(node)
        if node.value is not None and self.result is not None:
            node.value = _conversion(self.result, node.value)
        return node


def _as(kind: Any, value: Any) -> Any:
    return None if value is None else kind(value)


_REFLECTED: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor",
    ast.FloorDiv: "floordiv", ast.Mod: "mod", ast.LShift: "lshift", ast.RShift: "rshift",
}  # fmt: skip


def _binary(op: str, left: Any, right: Any) -> Any:
    """`left op right`; what stands on the right of a bool says what they make."""
    if type(left) is bool and isinstance(right, Number):
        return getattr(right, f"__r{op.rstrip('_')}__")(left)
    return getattr(operator, op)(left, right)


def _literal(value: Any) -> Any:
    """A value in a variable without a written type: a literal is an i64 there."""
    return i64(value) if type(value) is int else value


class World:
    """What the programs of one module run in: its maps, its globals."""

    def __init__(self, text: str) -> None:
        tree = ast.parse(text)
        globals = {}
        for stmt in tree.body:
            if isinstance(stmt, ast.Assign) and isinstance(stmt.value, ast.Call):
                call = stmt.value
                if isinstance(call.func, ast.Name) and call.func.id == "var" and isinstance(call.args[0], ast.Name):
                    globals[stmt.targets[0].id] = call.args[0].id  # type: ignore[attr-defined]
        tree = ast.fix_missing_locations(_Typed(globals).visit(tree))
        ours = {"_as": _as, "_binary": _binary, "_literal": _literal, "__name__": "plain_python"}
        self.names: dict[str, Any] = {**_globals, **ours}
        exec(compile(tree, "<plain Python>", "exec", dont_inherit=True), self.names)

    def run(self, name: str, data: bytes) -> tuple[int, bytes]:
        """The return value of a program, and the packet as it was left."""
        packet = Packet(data)
        return int(self.names[name](packet)), bytes(packet.data)

    def result(self) -> dict[str, Any]:
        """All maps, and all globals and constants."""
        return {
            name: value.result() if hasattr(value, "result") else int(value)
            for name, value in self.names.items()
            if name not in _globals and (isinstance(value, Number) or hasattr(value, "result"))
        }
