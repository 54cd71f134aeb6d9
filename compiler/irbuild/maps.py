"""Maps: lookups as Optionals, updates, deletion.

A key is put into a stack slot of the key's exact size, or used where it lies. A number is loaded from the map as soon
as it is found, since Python's ints are copies; a reference stays the address that the lookup gave, or null.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.aggregates import MAKERS, in_memory
from pybpf.compiler.irbuild.memory import Address, clear, copy, load, slot_at
from pybpf.compiler.irbuild.places import update_memory
from pybpf.compiler.irbuild.walk import has_effect
from pybpf.compiler.schema.types import BOOL, Space, align_of, is_aggregate, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.ir.function import Block
    from pybpf.compiler.irbuild.builder import Builder, Lowered
    from pybpf.compiler.schema.specs import MapSpec

__all__ = [
    "branch_contains", "contains", "delete", "get", "look_up", "map_address", "pop", "set_default", "set_item",
    "update",
]  # fmt: skip


_CREATE = 1  # BPF_LOCAL_STORAGE_GET_F_CREATE: include/uapi/linux/bpf.h


def map_address(b: Builder, spec: MapSpec) -> Value:
    """The address of a map: a symbol of the object, or what a lookup in a map of maps gave."""
    if spec.at is not None:
        return b.value(spec.at)
    return b.emit(ops.MapAddr(spec.name, span=b.span))


def key_pointer(b: Builder, spec: MapSpec, key: tree.Expr) -> Value:
    assert spec.key is not None
    if spec.kind.family == "storage":
        return b.value(key)  # the object that the value belongs to
    return in_memory(b, key, spec.key, "key")


def look_up(b: Builder, spec: MapSpec, key: tree.Expr) -> Value:
    """The address of the value, or null."""
    return _look_up(b, spec, key_pointer(b, spec, key))


def _look_up(b: Builder, spec: MapSpec, key: Value) -> Value:
    if spec.kind.family == "storage":
        return _stored(b, spec, key, Const(0), 0)
    return b.call(kernel.MAP_LOOKUP, map_address(b, spec), key, kind="ptr")


def _stored(b: Builder, spec: MapSpec, owner: Value, value: Value, flags: int) -> Value:
    """The address of what a local storage keeps for an object, or null; with BPF_LOCAL_STORAGE_GET_F_CREATE it is made
    of `value` (null: zeros) where there is none. An object that is NULL has none; older kernels must not be asked.
    """
    helper = spec.helpers["get"]

    def ask() -> Value:
        return b.call((helper.name, helper.id), map_address(b, spec), owner, value, Const(flags), kind="ptr")

    if owner is b.context:
        return ask()
    start, there, done = b.block, b.new_block("owner"), b.new_block("asked")
    b.test("ne", owner, Const(0), there, done)
    b.start(there)
    found = ask()
    end = b.block
    b.jump(done)
    b.start(done)
    return b.phi([(start, Const(0)), (end, found)], "ptr")


def _delete(b: Builder, spec: MapSpec, key: Value) -> None:
    if spec.kind.family != "storage":
        b.call(kernel.MAP_DELETE, map_address(b, spec), key)
        return
    helper = spec.helpers["delete"]
    there, done = b.new_block("owner"), b.new_block("deleted")
    b.test("ne", key, Const(0), there, done)
    b.start(there)
    b.call((helper.name, helper.id), map_address(b, spec), key)
    b.jump(done)
    b.start(done)


def _value_at(b: Builder, spec: MapSpec, found: Value) -> Address:
    return Address(b.guard(found), 0, Space.PERCPU if spec.kind.percpu else Space.MAP)


def get(b: Builder, node: tree.MapGet) -> Lowered:
    found = look_up(b, node.map, node.key)
    return _found(b, node.map, found)


def _found(b: Builder, spec: MapSpec, found: Value) -> Lowered:
    """What a lookup gives to the program: the nullable address, or for a number (present, value)."""
    assert spec.value is not None
    if is_aggregate(spec.value) or spec.inner is not None:
        return found
    start, hit, done = b.block, b.new_block("hit"), b.new_block("got")
    b.test("ne", found, Const(0), hit, done)
    b.start(hit)
    value = load(b, _value_at(b, spec, found), spec.value)
    end = b.block
    b.jump(done)
    b.start(done)
    present = b.phi([(start, Const(0)), (end, Const(1))])
    return present, b.phi([(start, Const(0)), (end, value)])


def contains(b: Builder, node: tree.MapContains) -> Value:
    how, found = _search(b, node)
    return b.emit(ops.Cmp(how, found, Const(0), 64, "", b.span))


def branch_contains(b: Builder, node: tree.MapContains, then: Block, other: Block) -> None:
    how, found = _search(b, node)
    b.test(how, found, Const(0), then, other)


def _search(b: Builder, node: tree.MapContains) -> tuple[str, Value]:
    """How to compare with 0 what a search gives."""
    if node.map.kind.keyed:
        return "ne", look_up(b, node.map, node.key)
    from pybpf.compiler.irbuild.queues import holds

    return "eq", holds(b, node)


def set_item(b: Builder, node: tree.MapSet) -> Lowered:
    assert node.map.value is not None
    # Python evaluates the value first, then the key
    value = in_memory(b, node.value, node.map.value, "value")
    key = key_pointer(b, node.map, node.key)
    if node.map.kind.family == "storage":
        _set_stored(b, node.map, key, value)
        return None
    result = b.call(kernel.MAP_UPDATE, map_address(b, node.map), key, value, Const(node.flags))
    return b.emit(ops.Cmp("eq", result, Const(0), 64, "", b.span)) if node.type is BOOL else None


def _set_stored(b: Builder, spec: MapSpec, owner: Value, value: Value) -> None:
    """Make the value of an object, or overwrite the one that it has."""
    assert spec.value is not None
    found = _stored(b, spec, owner, value, _CREATE)
    there, done = b.new_block("there"), b.new_block("stored")
    b.test("ne", found, Const(0), there, done)
    b.start(there)
    size = size_of(spec.value)
    copy(b, _value_at(b, spec, found), Address(value, 0, Space.STACK, align_of(spec.value)), size)
    b.jump(done)
    b.start(done)


def update(b: Builder, node: tree.MapUpdate) -> None:
    """Look up; where there is nothing insert zero, unless somebody else has done so meanwhile; then update in place."""
    spec = node.map
    assert spec.value is not None
    key = key_pointer(b, spec, node.key)
    value = b.value(node.value)
    found = _look_up(b, spec, key)
    there, done = b.new_block("there"), b.new_block("updated")
    incoming = [(b.block, found)]
    if spec.kind.indexed:
        b.test("ne", found, Const(0), there, done)
    else:
        missing = b.new_block("missing")
        b.test("ne", found, Const(0), there, missing)
        b.start(missing)
        again = _insert_zero(b, spec, key)
        incoming.append((b.block, again))
        b.test("ne", again, Const(0), there, done)
    b.start(there)
    at = _value_at(b, spec, b.phi(incoming, "ptr"))
    update_memory(b, at, spec.value, node.op, node.value.type, value, atomic=not spec.kind.percpu)
    b.jump(done)
    b.start(done)


def _insert_zero(b: Builder, spec: MapSpec, key: Value) -> Value:
    assert spec.value is not None
    if spec.kind.family == "storage":
        return _stored(b, spec, key, Const(0), _CREATE)
    zero = slot_at(b, "zero", size_of(spec.value), temporary=True)
    clear(b, zero, size_of(spec.value))
    b.call(kernel.MAP_UPDATE, map_address(b, spec), key, zero.base, Const(kernel.BPF_NOEXIST))
    return _look_up(b, spec, key)


def delete(b: Builder, node: tree.MapDelete) -> None:
    _delete(b, node.map, key_pointer(b, node.map, node.key))


def pop(b: Builder, node: tree.MapPop) -> Lowered:
    """Look up, take the value out, delete: a number in a register, an object in the program's own stack."""
    kind = node.map.value
    assert kind is not None
    whole = is_aggregate(kind)
    own = slot_at(b, "popped", size_of(kind)) if whole else None
    key = key_pointer(b, node.map, node.key)
    found = _look_up(b, node.map, key)
    start, hit, done = b.block, b.new_block("hit"), b.new_block("popped")
    b.test("ne", found, Const(0), hit, done)
    b.start(hit)
    entry = _value_at(b, node.map, found)
    if own is not None:
        copy(b, own, entry, size_of(kind))
        value = own.base
    else:
        value = load(b, entry, kind)
    _delete(b, node.map, key)
    end = b.block
    b.jump(done)
    b.start(done)
    if own is not None:
        return b.phi([(start, Const(0)), (end, value)], "ptr")
    present = b.phi([(start, Const(0)), (end, Const(1))])
    return present, b.phi([(start, Const(0)), (end, value)])


def set_default(b: Builder, node: tree.MapSetDefault) -> Lowered:
    """Look up; where there is nothing insert the default, unless somebody else has inserted meanwhile, and look again.

    Python evaluates the default in any case. Where that cannot be noticed it is built only when it is needed.
    """
    spec = node.map
    assert spec.value is not None
    key = key_pointer(b, spec, node.key)
    made = None
    if spec.kind.family == "storage":
        return _found(b, spec, _stored(b, spec, key, in_memory(b, node.value, spec.value, "value"), _CREATE))
    if has_effect(node.value) or not (type(node.value) in MAKERS or not is_aggregate(spec.value)):
        made = in_memory(b, node.value, spec.value, "value")
    found = _look_up(b, spec, key)
    start, missing, done = b.block, b.new_block("missing"), b.new_block("entry")
    b.test("ne", found, Const(0), done, missing)
    b.start(missing)
    value = made if made is not None else in_memory(b, node.value, spec.value, "value")
    b.call(kernel.MAP_UPDATE, map_address(b, spec), key, value, Const(kernel.BPF_NOEXIST))
    again = _look_up(b, spec, key)
    end = b.block
    b.jump(done)
    b.start(done)
    return _found(b, spec, b.phi([(start, found), (end, again)], "ptr"))
