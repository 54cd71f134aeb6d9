"""Kernel structs: members, elements, casts. In: a pointer into the kernel (or user space) and what is asked of it. Out:
KernelPlace nodes.

A pointer is a value that may be NULL; what is read by way of NULL is zero, as is whatever can't be read. It is never an
Optional, so `task.real_parent.tgid` needs no checks, and `task.mm is None` may be asked.

How memory is read depends on where the pointer comes from. In a program whose arguments the kernel describes by BTF (a
BTF tracepoint, fentry) they may be loaded from (Space.TRUSTED), and so may what their pointers lead to (trust.py): as
far as the verifier of Linux 6.1 follows a load (btf_struct_walk in kernel/bpf/btf.c, which `walks` repeats). Everything
else is an address (KERNEL, USER), read by one probe read a hop.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import convert, materialize, maybe_none, number
from pybpf.compiler.frontend.helpers import check_licence, is_kernel
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.frontend.operators import to_type
from pybpf.compiler.frontend.scope import closest
from pybpf.compiler.frontend.trust import of_member
from pybpf.compiler.schema.core import essential, offset_of, type_after
from pybpf.compiler.schema.kernel import KernelMember, KernelType
from pybpf.compiler.schema.types import (
    I64,
    U8,
    U64,
    ArrayType,
    BytesType,
    OptionalType,
    PtrType,
    Space,
    StructType,
    TextType,
    Type,
    is_aggregate,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import TypeAlias

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span

    Path: TypeAlias = "tuple[KernelMember | int | tree.Expr, ...]"

__all__ = [
    "at", "cast", "container", "element", "is_writable", "kernel_element", "member", "members_of", "path_of", "place",
    "struct_of", "walks",
]  # fmt: skip


def struct_of(kind: Type) -> KernelType | None:
    """The struct that a pointer points to."""
    inner = kind.pointee if isinstance(kind, PtrType) else None
    return inner if isinstance(inner, KernelType) else None


# --- members


def member(checker: Checker, base: tree.Expr, name: str, span: Span) -> tree.Expr:
    """`base.name` of a kernel struct."""
    struct = struct_of(base.type)
    assert struct is not None
    return place(checker, base, members_of(checker, struct, name, span), span)


def members_of(checker: Checker, struct: KernelType, name: str, span: Span) -> tuple[KernelMember, ...]:
    """The way to a member by its name; refuses a name that is none."""
    way = struct.find(name)
    if way is None:
        names = _names(struct)
        checker.fail(errors.NoKernelMember(span, name, str(struct), tuple(names), closest(name, names)))
    return way


def _names(struct: KernelType) -> list[str]:
    """All names that may follow the dot."""
    found: list[str] = []
    for each in struct.members:
        if each.name:
            found.append(each.name)
        elif isinstance(each.type, KernelType):
            found += _names(each.type)
    return found


def place(checker: Checker, base: tree.Expr, path: Path, span: Span, first: tree.Expr | int = 0) -> tree.Expr:
    """What lies at the end of a path from `base`. A path from what lies inside another object is a longer path."""
    if isinstance(base, tree.KernelPlace) and _in_place(base) and isinstance(first, int) and not first:
        path, first = (*base.path, *path), base.first
        base = base.base
    assert isinstance(base.type, PtrType) and base.type.pointee is not None
    root = base.type.pointee
    fixed = isinstance(first, int) and all(not isinstance(step, tree.Expr) for step in path)
    loads = base.type.space in Space.OBJECTS and fixed and not first
    direct = loads and isinstance(root, KernelType) and walks(root, path)
    kind = _end(root, path)
    if not direct and not isinstance(kind, KernelType):
        reader = "bpf_probe_read_user" if base.type.space == Space.USER else "bpf_probe_read_kernel"
        check_licence(checker, reader, span)
    last = path[-1] if path else None
    read = _read_type(kind, base.type.space, direct)
    if direct and isinstance(read, PtrType) and read.space == Space.UNTRUSTED and isinstance(last, KernelMember):
        assert isinstance(root, KernelType)
        read = PtrType(read.pointee, of_member(checker, base.type.space, essential(root.name), last.name))
    made = tree.KernelPlace(read, span, base, path, first, direct)
    if isinstance(last, KernelMember) and last.bits and kinds.is_int(made.type):
        lowest = -(1 << last.bits - 1) if kinds.is_signed(made.type) else 0
        checker.ranges[made] = lowest, lowest + (1 << last.bits) - 1
    else:
        range_of(checker, made)
    return made


def _end(root: Type, path: Path) -> Type:
    return type_after(root, [0 if isinstance(step, tree.Expr) else step for step in path])


def _in_place(node: tree.KernelPlace) -> bool:
    """Whether the node stands for what lies at the end of its path, and is no pointer that was read there."""
    assert isinstance(node.base.type, PtrType) and node.base.type.pointee is not None
    kind = _end(node.base.type.pointee, node.path)
    return isinstance(kind, KernelType) or is_aggregate(kind)


def _read_type(kind: Type, space: str, direct: bool) -> Type:
    """The type of an expression that reads a `kind` by way of a pointer into `space`."""
    far = Space.USER if space == Space.USER else Space.KERNEL
    if isinstance(kind, KernelType):
        return PtrType(kind, space if direct else far)
    if is_aggregate(kind):
        return PtrType(kind, far)
    if not isinstance(kind, PtrType):
        return kinds.host(kind)
    if direct and isinstance(kind.pointee, KernelType) and kind.space == Space.KERNEL:
        return PtrType(kind.pointee, Space.UNTRUSTED)
    return PtrType(kind.pointee, Space.USER if space == Space.USER else kind.space)


def is_writable(checker: Checker, place: tree.Expr) -> bool:
    """Whether the program may store to a member: of an argument, as the table of operations says that it is in."""
    return _named_writable(checker, place) and _of_argument(place)


def writable_in(checker: Checker, place: tree.Expr) -> str:
    """The struct of whose argument the member could be changed, where it is reached in another way; else ""."""
    struct = struct_of(place.base.type) if isinstance(place, tree.KernelPlace) else None
    return essential(struct.name) if struct is not None and _named_writable(checker, place) else ""


def _of_argument(place: tree.Expr) -> bool:
    """Whether the member is one of an object that the program was given, by a load and no call."""
    assert isinstance(place, tree.KernelPlace)
    base = place.base
    while isinstance(base, tree.Cast):
        base = base.value
    trusted = isinstance(base.type, PtrType) and base.type.space == Space.TRUSTED
    return place.direct and isinstance(base, tree.Local) and trusted


def _named_writable(checker: Checker, place: tree.Expr) -> bool:
    """Whether the program's table of operations says that the member may be changed."""
    table = checker.session.program.ops
    if table is None or not isinstance(place, tree.KernelPlace) or not kinds.is_int(place.type):
        return False
    struct, last = struct_of(place.base.type), place.path[-1]
    if struct is None or (isinstance(last, KernelMember) and last.bits):
        return False
    names = ".".join([step.name for step in place.path if isinstance(step, KernelMember) and step.name])
    return names in table.writable.get(essential(struct.name), ())


# --- what the verifier lets a program load


def walks(root: KernelType, path: Path) -> bool:
    """Whether a load at the end of the path is taken by the verifier for what it is by the struct's own layout.

    For what lies in place it is enough that there is no union on the way, in which the verifier takes the first member.
    """
    steps = [step for step in path if not isinstance(step, tree.Expr)]
    last = steps[-1] if steps else None
    if isinstance(last, KernelMember) and last.bits:
        return False
    wanted = type_after(root, steps)
    if isinstance(wanted, KernelType):
        inside: Type = root
        for step in steps:
            if isinstance(inside, KernelType) and inside.tag != "struct" and len(inside.members) > 1:
                return inside.tag == "typedef" and not _overlaps(inside)
            inside = type_after(inside, (step,))
        return True
    if is_aggregate(wanted):
        return False
    found = _walk(root, offset_of(root, steps), size_of(wanted))
    if isinstance(wanted, PtrType) and isinstance(wanted.pointee, KernelType):
        return isinstance(found, PtrType) and found.pointee is wanted.pointee
    return found is not None and not (isinstance(found, PtrType) and isinstance(found.pointee, KernelType))


def _overlaps(struct: KernelType) -> bool:
    return len({m.offset for m in struct.members if not m.bits}) < len([m for m in struct.members if not m.bits])


def _walk(struct: KernelType, offset: int, size: int) -> Type | None:
    """What btf_struct_walk of Linux 6.1 finds at an offset; None where it refuses."""
    while True:
        inner = None
        if offset + size > struct.size:
            return None
        for each in struct.members:
            start, kind = each.offset, each.type
            if offset + size <= start or (offset < start and not each.bits):
                return None
            end = start + size_of(kind)
            if each.bits or offset >= end:
                continue
            while isinstance(kind, ArrayType):
                kind = kind.element
            if kind is not each.type:
                start += (offset - start) // size_of(kind) * size_of(kind) if size_of(kind) else 0
            if isinstance(kind, KernelType):
                inner, offset = kind, offset - start
                break
            if isinstance(kind, PtrType):
                return kind if size == 8 and offset == start else None
            return kind if offset + size <= end else None
        if inner is None:
            return None
        struct = inner


# --- elements


def element(checker: Checker, base: tree.Expr, node: ast.Subscript, span: Span) -> tree.Expr:
    """`base[index]`: of an array, with an index that is shown to be inside; of what a pointer points to, any."""
    from pybpf.compiler.frontend.access import index

    assert isinstance(base.type, PtrType)
    kind = base.type.pointee
    text = checker.text(checker.span(node.value))
    if isinstance(kind, (ArrayType, BytesType)):
        length = kind.length if isinstance(kind, ArrayType) else kind.size
        given = checker.expr(node.slice)
        at = index(checker, given, length, text) if length else _offset(checker, given)
        step = at.value if isinstance(at, tree.Const) else at
        if length and isinstance(base, tree.KernelPlace) and _in_place(base):
            return place(checker, base, (step,), span)  # loaders count elements only where there is a number of them
        return kernel_element(checker, base, kind.element if isinstance(kind, ArrayType) else U8, at, span)
    if kind is None or (not isinstance(kind, TextType) and not size_of(kind)):
        checker.fail(errors.NoSubscript(span, kinds.spell(base.type)))
    if isinstance(kind, TextType):
        checker.fail(errors.TextIndex(span, text, kind.size))
    at = _offset(checker, checker.expr(node.slice))
    if isinstance(base, tree.KernelPlace) and _in_place(base):
        checker.fail(errors.NoSubscript(span, kinds.spell(base.type)))
    return place(checker, base, (), span, at.value if isinstance(at, tree.Const) else at)


def kernel_element(checker: Checker, array: tree.Expr, kind: Type, at: tree.Expr, span: Span) -> tree.Expr:
    """The element of type `kind` with number `at` of an array that a reference refers to."""
    assert isinstance(array.type, PtrType)
    pointer = tree.Cast(PtrType(kind, array.type.space), array.span, array)
    return place(checker, pointer, (), span, at.value if isinstance(at, tree.Const) else at)


def _offset(checker: Checker, value: Value) -> tree.Expr:
    """A number of elements, of which the type tells no bounds."""
    at = number(checker, value)
    return to_type(checker, at, I64 if isinstance(at, int) or kinds.is_signed(at.type) else U64, value.span)


# --- other types


def at(checker: Checker, to: Type, value: Value, span: Span, space: str = "") -> tree.Expr:
    """`task_struct(address)`: what lies at an address, which is a number or any pointer.

    A pointer of the same struct (or a flavour of it) stays what it is for the verifier; any other becomes an address.
    """
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    kind = expr.type
    if not isinstance(kind, PtrType):
        return tree.Cast(PtrType(to, space or Space.KERNEL), span, convert(checker, value, U64, f"{to}()"))
    if not is_kernel(kind):
        checker.fail(errors.WrongType(expr.span, kinds.spell(kind), "an address in the kernel", f"{to}()"))
    if kind.space in Space.OBJECTS and not space:
        known = struct_of(kind)
        same = known is not None and isinstance(to, KernelType) and essential(known.name) == essential(to.name)
        if known is not None and known.name and same:
            return tree.Cast(PtrType(to, kind.space), span, expr)
    return tree.Cast(PtrType(to, space or (Space.USER if kind.space == Space.USER else Space.KERNEL)), span, expr)


def cast(checker: Checker, to: KernelType | StructType, node: ast.Call, span: Span, space: str = "") -> tree.Expr:
    """The call `task_struct(address)`, `task_struct.at(address)`."""
    if len(node.args) != 1 or node.keywords:
        name = str(to)
        takes = "takes an address, or another pointer"
        checker.fail(errors.CallArguments(span, f"{name}()", takes, f"{name}(address)"))
    return at(checker, to, checker.expr(node.args[0]), span, space)


def container(checker: Checker, value: Value, to: KernelType, names: str, span: Span) -> tree.Expr:
    """`container_of(node, task_struct, "tasks")`: the struct whose member a pointer points to."""
    path = path_of(checker, to, names, span)
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    if kinds.is_int(expr.type):
        address = tree.Cast(PtrType(to, Space.KERNEL), span, convert(checker, value, U64, "container_of()"))
        return tree.KernelContainer(address.type, span, address, path)
    if not is_kernel(expr.type):
        checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), "a pointer of the kernel", "container_of()"))
    assert isinstance(expr.type, PtrType)
    space = Space.USER if expr.type.space == Space.USER else Space.KERNEL
    return tree.KernelContainer(PtrType(to, space), span, tree.Cast(PtrType(to, space), span, expr), path)


def path_of(checker: Checker, struct: KernelType, names: str, span: Span) -> tuple[KernelMember | int, ...]:
    """The path that is written "a.b[3].c"."""
    path: list[KernelMember | int] = []
    kind: Type = struct
    for word in names.replace("[", ".[").split("."):
        if word.startswith("[") and word.endswith("]") and word[1:-1].isdecimal() and isinstance(kind, ArrayType):
            path.append(int(word[1:-1]))
        elif isinstance(kind, KernelType):
            path += members_of(checker, kind, word, span)
        else:
            checker.fail(errors.NoKernelMember(span, word, str(kind), (), ""))
        kind = type_after(struct, path)
    return tuple(path)
