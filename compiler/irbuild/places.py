"""Places: fields, elements, globals, context fields, slots of array maps. Reading, storing, updating them."""

from __future__ import annotations

from pybpf.compiler.frontend import tree
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.aggregates import MAKERS, construct, make
from pybpf.compiler.irbuild.arithmetic import compute, int_type, is_signed, negate, swap
from pybpf.compiler.irbuild.followed import is_counted, is_followed
from pybpf.compiler.irbuild.memory import (
    Address,
    as_int,
    copy,
    field_at,
    further,
    is_made_up,
    load,
    load_bits,
    pointer,
    reference_at,
    slot_at,
    store,
    store_bits,
)
from pybpf.compiler.irbuild.walk import binds, changes, has_effect
from pybpf.compiler.schema.types import (
    U8,
    ArrayType,
    OptionalType,
    PtrType,
    Space,
    Type,
    align_of,
    is_aggregate,
    is_arena_pointer,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Block
    from pybpf.compiler.irbuild.builder import Builder, Lowered
    from pybpf.compiler.schema.specs import CtxField

__all__ = [
    "address_of", "bounded", "cast", "ctx_load", "packet_start", "ptr_offset", "read_place", "slice_reference",
    "store_statement", "unwrap_reference", "update_memory", "update_statement",
    "within",
]  # fmt: skip

_ATOMIC = {"+": "add", "-": "add", "&": "and", "|": "or", "^": "xor"}


# --- where things are


def address_of(b: Builder, node: tree.Expr) -> Address:
    """The address of a place, or of the aggregate that a reference expression refers to."""
    before, b.span = b.span, node.span
    if isinstance(node, tree.Field):
        at = field_at(address_of(b, node.base), 0 if node.field.bits else node.field.offset)
    elif isinstance(node, tree.Index):
        at = _element(b, node)
    elif isinstance(node, tree.Slice):
        at = _slice(b, node)
    elif isinstance(node, tree.Global):
        if node.spec.arena is not None:
            at = Address(b.emit(ops.ExternAddr(node.spec.name, span=b.span)), 0, Space.ARENA)
        else:
            start: Value = b.emit(ops.GlobalAddr(node.spec.name, span=b.span))
            if node.spec.how == "percpu":
                start = b.call(kernel.THIS_CPU_PTR, start, kind="ptr")
            at = Address(start, 0, Space.GLOBAL)
    elif isinstance(node, tree.MapIndex):
        at = Address(slot_of(b, node), 0, Space.PERCPU if node.map.kind.percpu else Space.MAP)
    elif isinstance(node, tree.CtxLoad) and node.field.role in ("", "array") and not _is_object(node.field.type):
        at = Address(b.context, node.field.offset, Space.CTX, align_of(node.field.type) if is_made_up(b) else 8)
    elif isinstance(node, tree.Cast) and isinstance(node.value.type, PtrType):
        at = _cast(b, node)
    elif isinstance(node, MAKERS):
        at = Address(make(b, node), 0, Space.STACK)
    else:
        assert isinstance(node.type, PtrType), node
        at = reference_at(b, b.value(node), node.type)
    b.span = before
    return at


def _cast(b: Builder, node: tree.Cast) -> Address:
    """The check of the address has happened on the way here, so it is used behind a guard."""
    assert isinstance(node.type, PtrType)
    value = b.value(node.value)
    if node.type.space in (Space.KERNEL, Space.USER):
        value = as_int(b, value)
    if node.type.space == Space.PACKET and node.type.pointee is not None:
        value = b.guard(value)
    return reference_at(b, value, node.type)


def _element(b: Builder, node: tree.Index) -> Address:
    base = address_of(b, node.base)
    kind = node.base.type
    assert isinstance(kind, PtrType) and kind.pointee is not None
    step = size_of(kind.pointee.element) if isinstance(kind.pointee, ArrayType) else 1
    index = b.value(node.index)
    if type(index) is Const:
        return field_at(base, index.value * step)
    length = kind.pointee.length if isinstance(kind.pointee, ArrayType) else size_of(kind.pointee)
    counted = is_counted(b, index)
    if base.space != Space.ARENA:  # there the verifier takes any address
        index = b.guard(bounded(b, index, length), "int")
    if step > 1:
        by_shift = step & step - 1 == 0
        amount = step.bit_length() - 1 if by_shift else step
        offset = compute(b, "<<" if by_shift else "*", False, index, Const(amount))
    else:
        offset = index
    inside = further(b, base.base, offset)
    if base.space == Space.PACKET and not counted:
        inside = _inside_packet(b, inside, base.offset + step)
    return Address(inside, base.offset, base.space, min(base.align, step & -step))


def _slice(b: Builder, node: tree.Slice) -> Address:
    base = address_of(b, node.base)
    assert isinstance(node.type, PtrType) and isinstance(node.base.type, PtrType)
    assert node.type.pointee is not None and node.base.type.pointee is not None
    size = size_of(node.type.pointee)
    start = b.value(node.start)
    if type(start) is Const:
        return field_at(base, start.value)
    counted = is_counted(b, start)
    if base.space != Space.ARENA:
        start = b.guard(bounded(b, start, size_of(node.base.type.pointee) - size + 1), "int")
    inside = further(b, base.base, start)
    if base.space == Space.PACKET and not counted:
        inside = _inside_packet(b, inside, base.offset + size)
    return Address(inside, base.offset, base.space, 1)


def slice_reference(b: Builder, node: tree.Slice) -> Value:
    return pointer(b, address_of(b, node))


def _inside_packet(b: Builder, at: Value, size: int) -> Value:
    """`at` behind a check that `size` bytes there lie inside the packet.

    They do, since the header around them does; but the verifier forgets what was checked of a packet address when a
    variable is added to it whose value it does not know (is_counted). Where metadata ends the packet begins.
    """
    there, beyond = b.new_block("inside"), b.new_block("beyond")
    end = packet_start(b) if _is_metadata(b, at, set()) else _packet_end(b)
    b.test("ule", b.add_to(at, size), end, there, beyond)
    b.start(beyond)
    b.fail()
    b.start(there)
    return b.guard(at)


def _is_metadata(b: Builder, at: Value, seen: set[Value]) -> bool:
    """Whether an address was reckoned from the start of what lies in front of the packet."""
    while type(at) in (ops.PtrAdd, ops.Guard):
        at = at.base if type(at) is ops.PtrAdd else at.value  # type: ignore[attr-defined]
    if type(at) is ops.Phi and at not in seen:
        seen.add(at)
        return any([_is_metadata(b, value, seen) for _, value in at.incoming])
    if type(at) is not ops.Load or at.addr is not b.context or b.program.context is None:
        return False
    return any([field.offset == at.offset and field.role == "packet_meta" for field in b.program.context.fields])


def _packet_end(b: Builder) -> Value:
    return _packet_bound(b, "packet_end")


def packet_start(b: Builder) -> Value:
    return _packet_bound(b, "packet")


def _packet_bound(b: Builder, role: str) -> Value:
    context = b.program.context
    assert context is not None
    return _context_pointer(b, next(field for field in context.fields if field.role == role))


def _context_pointer(b: Builder, field: CtxField) -> Value:
    op = ops.Load(b.context, field.offset, 8 * field.size, False, "ptr", True, field.name, b.span)
    b.context_loads.append(b.emit(op))
    return op




def bounded(b: Builder, index: Value, length: int) -> Value:
    """`index`, which is known to be below `length`, in a form from which the verifier knows it too."""
    if type(index) is Const or is_followed(b, index, length):
        return index
    if length & length - 1 == 0:
        return b.emit(ops.Binary("and", index, Const(length - 1), 64, "", b.span))
    return _tested(b, index, 0, length - 1)


def within(b: Builder, node: tree.Within) -> Value:
    value = b.value(node.value)
    return _tested(b, value, node.least, node.most) if node.least else bounded(b, value, node.most + 1)


def _tested(b: Builder, value: Value, least: int, most: int) -> Value:
    """`value`, which is known to lie in least..most, behind tests by which the verifier knows it too."""
    for pred, bound in (("ugt", most), ("ult", least))[: 2 if least else 1]:
        outside, inside = b.new_block("outside"), b.new_block("inside")
        b.test(pred, value, Const(bound), outside, inside)
        b.start(outside)
        if b.reachable:
            b.fail()
        b.start(inside)
    return value


def slot_of(b: Builder, node: tree.MapIndex) -> Value:
    """The address of an array map's slot. It is always there, but the verifier wants to see that asked."""
    from pybpf.compiler.irbuild.maps import look_up

    skip, b.missing = b.missing, None
    found = look_up(b, node.map, node.key)
    there = b.new_block("slot")
    missing = skip or b.new_block("no_slot")
    b.test("ne", found, Const(0), there, missing)
    if skip is None:
        b.start(missing)
        b.fail()
    b.start(there)
    return b.guard(found)


def _target(b: Builder, place: tree.Expr, rest: tree.Expr | None = None) -> tuple[Address, Block | None]:
    """The address of a place that a statement changes, and the block behind the statement if a slot looked up for it
    may seem to be missing; what is left of the statement, `rest`, is then skipped."""
    root = place
    while isinstance(root, (tree.Field, tree.Index)):
        root = root.base
    if not isinstance(root, tree.MapIndex) or (rest is not None and binds(rest)):
        return address_of(b, place), None
    done = b.missing = b.new_block("stored")
    return address_of(b, place), done


def _finish(b: Builder, done: Block | None) -> None:
    if done is not None:
        b.jump(done)
        b.start(done)


# --- reading


def _place_type(node: tree.Expr) -> Type:
    """The type of what is in memory at a place, in its byte order."""
    if isinstance(node, tree.Field):
        return node.field.type
    if isinstance(node, tree.Index):
        assert isinstance(node.base.type, PtrType)
        inner = node.base.type.pointee
        return inner.element if isinstance(inner, ArrayType) else U8
    if isinstance(node, tree.Global):
        return node.spec.type
    if isinstance(node, tree.CtxLoad):
        return node.field.type
    assert isinstance(node, tree.MapIndex) and node.map.value is not None
    return node.map.value


def read_place(b: Builder, node: tree.Expr) -> Value:
    """The value of a place; for an aggregate a reference to it."""
    if isinstance(node, tree.Global) and node.spec.how == "address":
        return b.emit(ops.ExternAddr(node.spec.name, span=b.span))
    at = address_of(b, node)
    kind = _place_type(node)
    if is_aggregate(kind):
        return pointer(b, at)
    if type(node) is tree.Field and node.field.bits:
        return load_bits(b, at, node.field)
    return load(b, at, kind, constant=type(node) is tree.Global and node.spec.constant)


def cast(b: Builder, node: tree.Cast) -> Value:
    if not isinstance(node.type, PtrType) or node.type.space in (Space.KERNEL, Space.USER):
        return as_int(b, b.value(node.value))
    if not isinstance(node.type, PtrType) or not isinstance(node.value.type, PtrType):
        return b.value(node.value)
    return pointer(b, _cast(b, node))


def ptr_offset(b: Builder, node: tree.PtrOffset) -> Value:
    base = b.value(node.base)
    offset = b.value(node.offset)
    if type(offset) is Const:
        return b.add_to(base, offset.value)
    return b.emit(ops.PtrAdd(base, b.guard(offset, "int"), "", b.span))


def ctx_load(b: Builder, node: tree.CtxLoad) -> Lowered:
    """A field of the context. Pointers are loaded once: what the verifier learns about one says nothing of another."""
    field = node.field
    if field.role == "array":
        return b.add_to(b.context, field.offset)
    if field.role == "data_loc":
        place = b.emit(ops.Load(b.context, field.offset, 32, False, "int", True, "", b.span))
        offset = b.emit(ops.Binary("and", place, Const(0xFFFF), 64, "", b.span))
        return b.emit(ops.PtrAdd(b.context, offset, field.name, b.span))
    if field.role == "seq":  # the first member of struct bpf_iter_meta, which the context begins with
        meta = _context_pointer(b, field)
        return b.emit(ops.Load(b.guard(meta), 0, 64, False, "ptr", False, field.name, b.span))
    if field.role == "element":
        return _element_of_map(b, field)
    if field.role or _is_object(field.type):
        return _context_pointer(b, field)
    return _plain_ctx_load(b, node)


def _element_of_map(b: Builder, field: CtxField) -> Lowered:
    """The key or value that an iterator is given the address of, or NULL: a reference, or for a number a copy."""
    assert isinstance(field.type, OptionalType)
    found = _context_pointer(b, field)
    if isinstance(field.type.inner, PtrType):
        return found
    there, done = b.new_block("there"), b.new_block("read")
    before = b.block
    b.test("ne", found, Const(0), there, done)
    b.start(there)
    value = load(b, Address(b.guard(found), 0, Space.CONST), field.type.inner)
    end = b.block
    b.jump(done)
    b.start(done)
    present = b.phi([(before, Const(0)), (end, Const(1))])
    return present, b.phi([(before, Const(0)), (end, value)])


def _is_object(kind: Type) -> bool:
    """Whether it is a pointer that programs may load from, or None in its place."""
    kind = kind.inner if isinstance(kind, OptionalType) else kind
    return isinstance(kind, PtrType) and kind.space in (Space.TRUSTED, Space.LENT)


def _plain_ctx_load(b: Builder, node: tree.CtxLoad) -> Value:
    field = node.field
    kind = field.type
    if isinstance(kind, PtrType):
        value = b.load(b.context, field.offset, 8 * field.size, constant=not field.writable)
    else:
        number = int_type(kind)
        if number.big:
            return load(b, Address(b.context, field.offset, Space.CTX), kind, constant=not field.writable)
        value = b.load(b.context, field.offset, 8 * field.size, number.signed, not field.writable)
    if not value.name:
        value.name = field.name
    return value


def unwrap_reference(b: Builder, node: tree.Unwrap) -> Value:
    """The reference in an Optional that was tested. A variable keeps the guarded value, so that it is guarded once."""
    if is_arena_pointer(node.type):
        return b.value(node.value)
    value = b.guard(b.value(node.value))
    if type(node.value) is tree.Local:
        b.write(b.cells(node.value.var), value)
    return value


# --- writing


def store_statement(b: Builder, node: tree.Store) -> None:
    place = node.place
    if isinstance(place, tree.KernelPlace):
        from pybpf.compiler.irbuild.kernelplaces import store_to

        store_to(b, place, b.value(node.value))
        return
    kind = _place_type(place)
    if is_aggregate(kind):
        # Python evaluates the value before the place
        if changes(place) or (has_effect(place) and has_effect(node.value)):
            aside = slot_at(b, "value", size_of(kind), temporary=True)
            construct(b, aside, kind, node.value, fresh=True)
            copy(b, address_of(b, place), aside, size_of(kind))
        else:
            construct(b, address_of(b, place), kind, node.value, fresh=False)
        return
    value = b.value(node.value)
    at, done = _target(b, place)
    _store(b, place, at, kind, _carried(b, at, value))
    _finish(b, done)


def _carried(b: Builder, at: Address, value: Value) -> Value:
    """What is stored to an object on the stack goes around a loop as variables do: see carried.py."""
    if not b.hiding or at.space != Space.STACK or value.kind != "int":
        return value
    return b.emit(ops.Hide(value, b.read_one(b.zero), value.name, b.span))


def _store(b: Builder, place: tree.Expr, at: Address, kind: Type, value: Value) -> None:
    if type(place) is tree.Field and place.field.bits:
        store_bits(b, at, place.field, value)
    elif type(place) is tree.CtxLoad and place.field.size > size_of(kind):  # a port, in the low half of its word
        whole = swap(b, value, size_of(kind) * 8) if int_type(kind).big else value
        b.store(at.base, at.offset, 8 * place.field.size, whole)
    else:
        store(b, at, kind, value)


def update_statement(b: Builder, node: tree.Update) -> None:
    kind = _place_type(node.place)
    at, done = _target(b, node.place, node.value)  # Python reads the place before it evaluates the value
    if node.atomic and not (type(node.place) is tree.Field and node.place.field.bits):
        update_memory(b, at, kind, node.op, node.value.type, b.value(node.value), atomic=True)
        _finish(b, done)
        return
    if type(node.place) is tree.Field and node.place.field.bits:
        old = load_bits(b, at, node.place.field)
    else:
        old = load(b, at, kind)
    value = compute(b, node.op, is_signed(node.value.type), old, b.value(node.value))
    _store(b, node.place, at, kind, _carried(b, at, value))
    _finish(b, done)


def update_memory(b: Builder, at: Address, kind: Type, op: str, operand: Type, value: Value, *, atomic: bool) -> None:
    """memory op= value. `operand` is the type of `value`, whose sign decides how // % >> work."""
    number = int_type(kind)
    if atomic and op in _ATOMIC and number.bits >= 32 and not number.big:
        value = negate(b, value) if op == "-" else value
        b.emit(ops.Atomic(_ATOMIC[op], b.there(at.base), at.offset, number.bits, value, span=b.span))
        return
    old = load(b, at, kind)
    store(b, at, kind, compute(b, op, is_signed(operand), old, value))
