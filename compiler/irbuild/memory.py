"""Memory: where a reference or a place is, loads and stores of scalars there, clearing and copying of bytes.

An `Address` keeps constant offsets apart from the base value, so that they end up in the loads and stores. How memory
is read depends on its space: directly, or (kernel and user addresses, dynamic strings of a tracepoint) through a probe
read into the stack.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.arithmetic import extend, int_type, swap
from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import U64, PtrType, Space, TextType, Type, align_of, is_arena_pointer, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.irbuild.builder import Builder
    from pybpf.compiler.schema import types

__all__ = [
    "UNALIGNED", "Address", "as_int", "clear", "copy", "each", "field_at", "further", "is_direct", "is_made_up", "load",
    "load_bits", "pieces", "pointer", "probe", "probe_text", "readable", "reference_at", "slot_at", "store",
    "store_bits", "widest", "write_bytes",
]  # fmt: skip

# Above this many bytes clearing or copying outside the stack is a loop instead of one store after the other.
_STRAIGHT = 256
# Unaligned access is cheap here, and the verifier allows it but on the stack (CONFIG_HAVE_EFFICIENTUNALIGNED_ACCESS).
UNALIGNED = ("x86_64", "aarch64", "arm64", "s390x", "ppc64le")


class Address(Record, eq=False):
    """base + offset, in `space`; `align` is what the base is known to be aligned to, in bytes."""

    base: Value
    offset: int
    space: str
    align: int = 8


def slot_at(b: Builder, name: str, size: int, *, temporary: bool = False) -> Address:
    """A fresh stack slot: for the statement in hand only, or for as long as references to it may live."""
    slot = b.temporary(name, size) if temporary else b.slot(name, size)
    return Address(b.slot_address(slot), 0, Space.STACK)


def pointer(b: Builder, at: Address) -> Value:
    return further(b, at.base, Const(at.offset)) if at.offset else at.base


def further(b: Builder, base: Value, offset: Value) -> Value:
    """The address `offset` bytes after `base`, which is a number where the verifier knows no object there."""
    if base.kind == "int":
        return b.emit(ops.Binary("add", base, offset, 64, "", b.span))
    return b.emit(ops.PtrAdd(base, offset, "", b.span))


def as_int(b: Builder, value: Value) -> Value:
    """A pointer as the number that its address is."""
    return b.emit(ops.ToInt(value, "", b.span)) if value.kind == "ptr" else value


def field_at(at: Address, offset: int) -> Address:
    return Address(at.base, at.offset + offset, at.space, at.align)


def is_direct(b: Builder, at: Address) -> bool:
    """Whether the program may load from there: from fixed offsets of its context, never from kernel and user memory."""
    if at.space == Space.CTX:
        return at.base is b.context or is_made_up(b)
    return at.space not in (Space.KERNEL, Space.USER)


def is_made_up(b: Builder) -> bool:
    """Whether the verifier makes each access to the context another one, so that its width and offset matter."""
    context = b.program.context
    return context is not None and not context.in_memory


def widest(b: Builder, at: Address, offset: int = 0) -> int:
    """The widest access, in bytes, that is allowed at `at` + offset."""
    offset += at.offset
    if b.shared.target.arch in UNALIGNED and at.space in (Space.PACKET, Space.RINGBUF, Space.SLICE):
        return 8
    return min(at.align, offset & -offset if offset else 8)


def pieces(b: Builder, size: int, *places: Address) -> list[tuple[int, int]]:
    """(offset, bytes) of the widest accesses that together cover `size` bytes at all of the places."""
    found = []
    offset = 0
    while offset < size:
        width = min([widest(b, at, offset) for at in places])
        while offset + width > size:
            width //= 2
        found.append((offset, width))
        offset += width
    return found


# --- scalars


def load(b: Builder, at: Address, kind: Type, *, constant: bool = False) -> Value:
    """The scalar of `kind` at an address, in host byte order, extended to 64 bits."""
    size = size_of(kind)
    if not is_direct(b, at):
        at = probe(b, at, size, "scalar")
    if is_arena_pointer(kind):
        return b.load(at.base, at.offset, 64, constant=constant)
    if isinstance(kind, PtrType):
        is_object = at.space == Space.TRUSTED and kind.space not in (Space.KERNEL, Space.USER)
        return b.emit(ops.Load(at.base, at.offset, 64, False, "ptr" if is_object else "int", constant, "", b.span))
    number = int_type(kind)
    if number.big and size > 1:
        value = swap(b, _raw(b, at, size, False, constant), number.bits)
        return extend(b, value, number.bits, True) if number.signed else value
    return _raw(b, at, size, number.signed, constant)


def _raw(b: Builder, at: Address, size: int, signed: bool, constant: bool) -> Value:
    parts = pieces(b, size, at)
    if len(parts) == 1:
        return b.load(at.base, at.offset, 8 * size, signed, constant)
    result: Value = Const(0)
    for offset, width in parts:
        part = b.load(at.base, at.offset + offset, 8 * width, signed and offset + width == size, constant)
        if offset:
            part = b.emit(ops.Binary("shl", part, Const(8 * offset), 64, "", b.span))
            part = b.emit(ops.Binary("or", result, part, 64, "", b.span))
        result = part
    return result


def store(b: Builder, at: Address, kind: Type, value: Value) -> None:
    """Store a scalar at the width and in the byte order of `kind`."""
    size = size_of(kind)
    if not isinstance(kind, PtrType) and not is_arena_pointer(kind):
        number = int_type(kind)
        if number.big and size > 1:
            # what was just read from network order goes back as it was
            if type(value) is ops.Swap and value.bits == number.bits:
                value = value.value
            else:
                value = swap(b, value, number.bits)
    for offset, width in pieces(b, size, at):
        part = value
        if offset:
            part = b.emit(ops.Binary("lshr", value, Const(8 * offset), 64, "", b.span))
        b.store(at.base, at.offset + offset, 8 * width, part)


# --- bit fields


def _unit(field: types.Field) -> tuple[int, int, int]:
    """(offset, bytes, shift): the bytes that hold the field's bits, and where in them they start."""
    return field.offset, (field.bit_offset + field.bits + 7) // 8, field.bit_offset


def load_bits(b: Builder, at: Address, field: types.Field) -> Value:
    start, size, shift = _unit(field)
    place = field_at(at, start)
    if not is_direct(b, place):
        place = probe(b, place, size, "bits")
    value = _raw(b, place, size, False, False)
    if int_type(field.type).signed:
        value = b.emit(ops.Binary("shl", value, Const(64 - shift - field.bits), 64, "", b.span))
        return b.emit(ops.Binary("ashr", value, Const(64 - field.bits), 64, "", b.span))
    if shift:
        value = b.emit(ops.Binary("lshr", value, Const(shift), 64, "", b.span))
    if shift + field.bits < 8 * size:
        value = b.emit(ops.Binary("and", value, Const((1 << field.bits) - 1), 64, "", b.span))
    return value


def store_bits(b: Builder, at: Address, field: types.Field, value: Value) -> None:
    """Replace the field's bits; the others of its unit stay as they are."""
    start, size, shift = _unit(field)
    place = field_at(at, start)
    mask = (1 << field.bits) - 1
    kept = b.emit(ops.Binary("and", _raw(b, place, size, False, False), Const(~(mask << shift)), 64, "", b.span))
    if type(value) is Const:
        new: Value = Const((value.value & mask) << shift)
    else:
        new = b.emit(ops.Binary("and", value, Const(mask), 64, "", b.span))
        if shift:
            new = b.emit(ops.Binary("shl", new, Const(shift), 64, "", b.span))
    merged = b.emit(ops.Binary("or", kept, new, 64, "", b.span))
    for offset, width in pieces(b, size, place):
        part = merged if not offset else b.emit(ops.Binary("lshr", merged, Const(8 * offset), 64, "", b.span))
        b.store(place.base, place.offset + offset, 8 * width, part)


# --- bytes


def clear(b: Builder, at: Address, size: int) -> None:
    """Set `size` bytes to zero."""
    if size > _STRAIGHT and at.space != Space.STACK:
        whole = size // 8 * 8

        def step(offset: Value) -> None:
            b.store(further(b, at.base, offset), at.offset, 64, Const(0))

        each(b, whole, 8, step)
        clear(b, field_at(at, whole), size - whole)
        return
    for offset, width in pieces(b, size, at):
        b.store(at.base, at.offset + offset, 8 * width, Const(0))


def write_bytes(b: Builder, at: Address, data: bytes) -> None:
    """Store constant bytes. Words of 8 are used where the value fits an instruction."""
    for offset, width in pieces(b, len(data), at):
        word = int.from_bytes(data[offset : offset + width], "little")
        if width == 8 and not -(1 << 31) <= Const(word).value < 1 << 31:
            b.store(at.base, at.offset + offset, 32, Const(word & 0xFFFF_FFFF))
            b.store(at.base, at.offset + offset + 4, 32, Const(word >> 32))
        else:
            b.store(at.base, at.offset + offset, 8 * width, Const(word))


def copy(b: Builder, to: Address, source: Address, size: int) -> None:
    """Copy `size` bytes between places that do not overlap, or are the same."""
    if not is_direct(b, source):
        b.call(_reader(source), pointer(b, to), Const(size), pointer(b, source))
        return
    if size > _STRAIGHT and Space.STACK not in (to.space, source.space):
        whole = size // 8 * 8

        def step(offset: Value) -> None:
            word = b.load(further(b, source.base, offset), source.offset, 64)
            b.store(further(b, to.base, offset), to.offset, 64, word)

        each(b, whole, 8, step)
        copy(b, field_at(to, whole), field_at(source, whole), size - whole)
        return
    for offset, width in pieces(b, size, to, source):
        b.store(to.base, to.offset + offset, 8 * width, b.load(source.base, source.offset + offset, 8 * width))


def each(b: Builder, size: int, width: int, step: Callable[[Value], None]) -> None:
    """Run `step` with the offset of each `width` bytes below `size`, in a loop that the verifier can count."""
    counter = b.new_cells(U64)
    head, body, after = b.new_block("words"), b.new_block("word"), b.new_block("words.done")
    b.write(counter, Const(0))
    b.jump(head)
    b.start(head, sealed=False)
    offset = b.read_one(counter[0])
    b.test("ult", offset, Const(size), body, after)
    b.start(body)
    step(b.guard(offset, "int"))
    b.write(counter, b.emit(ops.Binary("add", offset, Const(width), 64, "", b.span)))
    b.jump(head)
    b.variables.seal(head)
    b.start(after)


# --- memory that can't be loaded from


def _reader(at: Address) -> tuple[str, int]:
    return kernel.PROBE_READ_USER if at.space == Space.USER else kernel.PROBE_READ_KERNEL


def probe(b: Builder, at: Address, size: int, name: str) -> Address:
    """A copy on the stack of what a probe read finds at `at`; zeroes where nothing can be read."""
    to = slot_at(b, name, size, temporary=True)
    b.call(_reader(at), to.base, Const(size), pointer(b, at))
    return to


def probe_text(b: Builder, to: Address, source: Address, size: int) -> None:
    """Read a string, up to `size` bytes with its NUL, to cleared memory."""
    reader = kernel.PROBE_READ_USER_STR if source.space == Space.USER else kernel.PROBE_READ_KERNEL_STR
    b.call(reader, pointer(b, to), Const(size), pointer(b, source))


def readable(b: Builder, at: Address, kind: Type) -> Address:
    """`at`, or a copy on the stack of the aggregate there if the program can't load from it."""
    if is_direct(b, at):
        return at
    size = size_of(kind)
    if not isinstance(kind, TextType):
        return probe(b, at, size, "copy")
    to = slot_at(b, "text", size, temporary=True)
    clear(b, to, size)
    probe_text(b, to, at, size)
    return to


def reference_at(b: Builder, value: Value, kind: PtrType) -> Address:
    """The address that a reference value stands for."""
    if kind.space == Space.CTX and kind.pointee is not None and is_made_up(b) and type(value) is ops.PtrAdd:
        assert value.base is b.context and type(value.offset) is Const, value
        return Address(b.context, value.offset.value, kind.space, align_of(kind.pointee))
    if kind.space == Space.LENT and kind.pointee is not None and type(value) is ops.PtrAdd:
        assert type(value.offset) is Const, value
        return Address(value.base, value.offset.value, kind.space, align_of(kind.pointee))
    if kind.pointee is None:
        align = 1
    elif type(value) is ops.SlotAddr:
        align = 8
    else:
        align = align_of(kind.pointee)
    return Address(value, 0, kind.space, align)
