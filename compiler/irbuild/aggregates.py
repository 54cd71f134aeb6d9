"""Structs, arrays, text and bytes: building new ones where they are wanted, and the address of those there are.

A new aggregate is built in place: in the ring-buffer record, the map's value, or the stack slot that it is made for.
Its padding and the fields that are not given are cleared, with the widest stores, so that every byte is written.

Building in place may write memory that an operand still has to read (`e.pos = Pos(x=e.pos.y, y=e.pos.x)`). Where the
destination is not fresh and operands follow references, numbers are computed before the first store; if there are
aggregates among the operands, the new one is built aside and copied.

Text that a helper fills ends at its NUL. On the stack and in maps the rest is zero, since keys are compared and values
read byte by byte. In a ring-buffer record the rest is left as it is, as it would cost more than the helper: it may show
an older event of the same ring buffer, never other memory.
"""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.memory import (
    Address,
    clear,
    copy,
    field_at,
    is_direct,
    pieces,
    pointer,
    probe_text,
    slot_at,
    store,
    store_bits,
    widest,
    write_bytes,
)
from pybpf.compiler.later import later
from pybpf.compiler.schema.types import ArrayType, PtrType, Space, StructType, TextType, Type, is_aggregate, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.irbuild.builder import Builder
    from pybpf.compiler.irbuild.tails import clear_tails, is_tidy
    from pybpf.compiler.irbuild.walk import has_effect, refers
    from pybpf.compiler.schema import types
else:
    clear_tails = later("irbuild.tails", "clear_tails")
    is_tidy = later("irbuild.tails", "is_tidy")
    has_effect = later("irbuild.walk", "has_effect")
    refers = later("irbuild.walk", "refers")

__all__ = ["MAKERS", "construct", "in_memory", "make", "pointee"]

BY_MEMBER = (Space.OWNED, Space.BORROWED, Space.RCU)
MAKERS = (tree.New, tree.Copy, tree.Fill, tree.Zero, tree.TextConst)


def pointee(node: tree.Expr) -> Type:
    """The aggregate that a reference expression refers to."""
    assert isinstance(node.type, PtrType) and node.type.pointee is not None, node
    return node.type.pointee


def make(b: Builder, node: tree.Expr) -> Value:
    """A new aggregate on the stack, for as long as a variable may refer to it."""
    kind = pointee(node)
    at = slot_at(b, _label(kind), size_of(kind))
    construct(b, at, kind, node, fresh=not b.in_loop)
    return at.base


def in_memory(b: Builder, node: tree.Expr, kind: Type, name: str) -> Value:
    """A pointer to the operand for a helper that reads `kind` there: a key, a value."""
    if is_aggregate(kind) and type(node) not in MAKERS:
        from pybpf.compiler.irbuild.places import address_of

        at = address_of(b, node)
        if is_tidy(at.space) and size_of(pointee(node)) == size_of(kind):
            return pointer(b, at)
        to = slot_at(b, name, size_of(kind), temporary=True)
        _copy(b, to, at, kind, pointee(node))
        return to.base
    if is_aggregate(kind):
        to = slot_at(b, name, size_of(kind), temporary=True)
        construct(b, to, kind, node, fresh=True)
        return to.base
    value = b.value(node)
    to = slot_at(b, name, size_of(kind), temporary=True)
    store(b, to, kind, value)
    return to.base


def _label(kind: Type) -> str:
    return kind.name if isinstance(kind, StructType) else str(kind).partition("[")[0].lower()


def construct(b: Builder, to: Address, kind: Type, node: tree.Expr, *, fresh: bool) -> None:
    """Put the aggregate that `node` makes, or a copy of the one it refers to, at `to`, where a `kind` belongs.

    A shorter text is followed by zeroes. `fresh`: no reference leads to the memory at `to` yet.
    """
    before, b.span = b.span, node.span
    if to.space in BY_MEMBER:
        aside = slot_at(b, _label(kind), size_of(kind), temporary=True)
        construct(b, aside, kind, node, fresh=True)
        for offset, size in members(kind):
            copy(b, field_at(to, offset), field_at(aside, offset), size)
    elif isinstance(node, tree.Zero):
        clear(b, to, size_of(pointee(node)))
    elif isinstance(node, tree.TextConst):
        write_bytes(b, to, node.value)
    elif isinstance(node, tree.Fill):
        _fill(b, to, node)
    elif isinstance(node, tree.New):
        _new(b, to, node, fresh)
    elif isinstance(node, tree.Copy):
        construct(b, to, pointee(node), node.value, fresh=fresh)
    elif isinstance(node, tree.Let):
        b.write(b.cells(node.var), b.lower(node.value))
        construct(b, to, kind, node.body, fresh=fresh)
    elif isinstance(node, tree.IfExp):
        then, other, done = b.new_block("then"), b.new_block("else"), b.new_block("ifexp")
        b.branch(node.test, then, other)
        for block, side in ((then, node.then), (other, node.other)):
            b.start(block)
            construct(b, to, kind, side, fresh=fresh)
            b.jump(done)
        b.start(done)
    else:
        from pybpf.compiler.irbuild.places import address_of

        _copy(b, to, address_of(b, node), kind, pointee(node))
    made, wanted = size_of(pointee(node)), size_of(kind)
    if type(node) in MAKERS and made < wanted and to.space not in BY_MEMBER:
        clear(b, field_at(to, made), wanted - made)
    b.span = before


def _copy(b: Builder, to: Address, source: Address, kind: Type, source_kind: Type) -> None:
    """Copy an aggregate; a shorter text or bytes object is followed by zeroes."""
    size, given = size_of(kind), size_of(source_kind)
    if isinstance(source_kind, TextType) and not is_direct(b, source):
        if to.space != Space.RINGBUF:
            clear(b, to, size)
        probe_text(b, to, source, min(size, given))
        return
    if source.space in BY_MEMBER:
        for offset, part in members(source_kind):
            copy(b, field_at(to, offset), field_at(source, offset), min(part, size - offset))
        _clear_padding(b, to, source_kind)
    else:
        copy(b, to, source, min(size, given))
    if given < size:
        clear(b, field_at(to, given), size - given)
    if not is_tidy(source.space) and to.space != Space.RINGBUF:
        clear_tails(b, to, source_kind if given < size else kind)


def members(kind: Type) -> Iterator[tuple[int, int]]:
    """(offset, bytes) of what one access may reach in an object that the verifier knows by its BTF: a number, an array
    of numbers (btf_struct_walk() in kernel/bpf/btf.c).
    """
    if isinstance(kind, StructType):
        seen = set()
        for field in kind.fields:
            for offset, size in [(0, (field.bit_offset + field.bits + 7) // 8)] if field.bits else members(field.type):
                place = field.offset + offset, size
                if place not in seen:  # bit fields share theirs
                    seen.add(place)
                    yield place
    elif isinstance(kind, ArrayType) and isinstance(kind.element, (StructType, ArrayType)):
        step = size_of(kind.element)
        for index in range(kind.length):
            for offset, size in members(kind.element):
                yield index * step + offset, size
    else:
        yield 0, size_of(kind)


def _clear_padding(b: Builder, to: Address, kind: Type) -> None:
    """Clear what lies between members."""
    end = 0
    for offset, size in [*members(kind), (size_of(kind), 0)]:
        if offset > end:
            clear(b, field_at(to, end), offset - end)
        end = max(end, offset + size)


def _fill(b: Builder, to: Address, node: tree.Fill) -> None:
    size = size_of(pointee(node))
    values = [b.value(arg) for arg in node.args]
    helper = node.spec.helper
    if to.space != Space.RINGBUF and helper.id not in kernel.FILLS_ALL:
        clear(b, to, size)
    arguments: list[Value] = []
    for word in node.spec.call:
        if word == "dest":
            arguments.append(pointer(b, to))
        elif word == "size":
            arguments.append(Const(size))
        elif isinstance(word, str):
            arguments.append(Const(int(word[1:])))
        else:
            arguments.append(values[word])
    b.call((helper.name, helper.id), *arguments)


def _new(b: Builder, to: Address, node: tree.New, fresh: bool) -> None:
    operands = [value for _, value in node.values]
    if fresh or not any(refers(value) or has_effect(value) for value in operands):
        _build(b, to, node)
    elif any(_is_aggregate(value) for value in operands):
        aside = slot_at(b, _label(pointee(node)), size_of(pointee(node)), temporary=True)
        _build(b, aside, node)
        copy(b, to, aside, size_of(pointee(node)))
    else:
        values = [b.value(value) for value in operands]
        _clear_rest(b, to, node)
        for (field, _), value in zip(node.values, values):
            _store_field(b, to, field, value)


def _is_aggregate(node: tree.Expr) -> bool:
    return isinstance(node.type, PtrType) and node.type.pointee is not None and is_aggregate(node.type.pointee)


def _build(b: Builder, to: Address, node: tree.New) -> None:
    """Field after field, each stored as soon as it is there."""
    _clear_rest(b, to, node)
    for field, value in node.values:
        if _is_aggregate(value) and not isinstance(field.type, PtrType):
            place = field_at(to, field.offset)
            construct(b, place, field.type, value, fresh=True)
        else:
            _store_field(b, to, field, b.value(value))


def _store_field(b: Builder, to: Address, field: types.Field, value: Value) -> None:
    if field.bits:
        store_bits(b, to, field, value)
    else:
        store(b, field_at(to, field.offset), field.type, value)


def _clear_rest(b: Builder, to: Address, node: tree.New) -> None:
    """Clear what no field is going to be stored to. (Bit fields are merged into what is there, so they are cleared.)"""
    end = 0
    given = sorted((f.offset, f.offset + size_of(f.type)) for f, _ in node.values if not f.bits)
    for start, stop in [*given, (size_of(pointee(node)),) * 2]:
        if start > end:
            _clear_gap(b, to, end, start, size_of(pointee(node)))
        end = max(end, stop)


def _clear_gap(b: Builder, to: Address, start: int, stop: int, size: int) -> None:
    """Clear bytes `start` to `stop` of a struct whose fields are stored later, by one store if a word spans them."""
    if len(pieces(b, stop - start, field_at(to, start))) > 1:
        for width in (2, 4, 8):
            first = start // width * width
            if first + width >= stop and first + width <= size and width <= widest(b, field_at(to, first)):
                b.store(to.base, to.offset + first, 8 * width, Const(0))
                return
    clear(b, field_at(to, start), stop - start)
