"""Where spin locks, timers, pointers, lists and trees may lie: in the values of some kinds of maps."""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.types import ArrayType, StructType, opaque_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.schema.types import Type

__all__ = ["check_bits", "check_opaque"]

# map_check_btf() in kernel/bpf/syscall.c.
_TABLES = ("HASH", "LRU_HASH", "ARRAY")
_KEEPING = (
    *_TABLES, "PERCPU_HASH", "LRU_PERCPU_HASH", "PERCPU_ARRAY", "SK_STORAGE", "TASK_STORAGE", "INODE_STORAGE",
    "CGRP_STORAGE",
)  # fmt: skip
_POINTERS = ("kptr", "kptr_untrusted")
_HOMES = {
    "bpf_spin_lock": ("HASH", "ARRAY"), "bpf_timer": _TABLES, "bpf_list_head": ("HASH", "ARRAY"),
    "bpf_rb_root": ("HASH", "ARRAY"),
    "kptr": _KEEPING, "kptr_untrusted": _KEEPING,
}  # fmt: skip
_NAMES = {
    "bpf_spin_lock": "SpinLock", "bpf_timer": "Timer", "bpf_list_head": "ListHead", "bpf_rb_root": "RbRoot",
    "kptr": "Kptr", "kptr_untrusted": "UntrustedKptr",
    "bpf_list_node": "ListNode", "bpf_rb_node": "RbNode", "bpf_refcount": "RefCount",
}  # fmt: skip
_PARTS = ("bpf_list_node", "bpf_rb_node", "bpf_refcount")  # of objects that programs allocate
_ROOTS = ("bpf_list_head", "bpf_rb_root")
_MOST = 8  # that a value may hold, whatever they are: BTF_FIELDS_MAX, less what older kernels lack


def check_bits(where: str, kind: Type) -> None:
    """Raise DeclarationTypeError for a bit field that begins inside a byte, beside what the kernel keeps.

    btf_find_struct_field() in kernel/bpf/btf.c (since Linux 6.10) takes the BTF of no object that has one.
    """
    if isinstance(kind, ArrayType):
        check_bits(where, kind.element)
    for field in kind.fields if isinstance(kind, StructType) else ():
        if field.bits and field.bit_offset:
            raise DeclarationTypeError(
                f"{where}: the kernel takes no bit field like `{field.name}`, which begins inside a byte, where it"
                " keeps something too",
                help="make it a number of its own",
            )
        check_bits(where, field.type)


def check_opaque(where: str, kind: str, key: Type | None, value: Type | None) -> None:
    """Raise DeclarationTypeError for a lock or a timer that `where`, of a map type (\"\": no map), can't hold."""
    for name in opaque_in(key):
        raise DeclarationTypeError(
            f"{where}: a {_NAMES[name]} can't be part of a key", help="it belongs in the value of the map"
        )
    held = opaque_in(value)
    for name in held:
        if name in _PARTS:
            raise DeclarationTypeError(
                f"{where} can't hold a {_NAMES[name]}",
                help="it belongs in what obj_new() makes, which a list or a tree keeps",
            )
        if name in _ROOTS and "bpf_spin_lock" not in held:
            raise DeclarationTypeError(
                f"{where}: a value with a {_NAMES[name]} needs a SpinLock, which guards it",
                help="add a field:", lines=("lock: SpinLock = SpinLock()",),
            )  # fmt: skip
        if kind not in _HOMES[name]:
            names = {"HASH": "HashMap", "LRU_HASH": "LruHash", "ARRAY": "ArrayMap"}
            homes = " or ".join([names[home] for home in _HOMES[name] if home in names])
            raise DeclarationTypeError(
                f"{where} can't hold a {_NAMES[name]}", help=f"keep it in the value of a {homes}"
            )
        if held.count(name) > 1 and name not in (*_ROOTS, *_POINTERS):
            raise DeclarationTypeError(
                f"{where}: a value has {held.count(name)} {_NAMES[name]}s, and the kernel knows one",
                help="keep the others in maps of their own",
            )
    if held and value is not None:
        check_bits(where, value)
    if len(held) > _MOST:
        raise DeclarationTypeError(
            f"{where}: a value has {len(held)} fields that the kernel keeps things in, and {_MOST} are the most",
            help="keep the others in a map of their own",
        )
