"""Where spin locks and timers may lie: in the values of some kinds of maps, one of each at most."""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.types import opaque_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.schema.types import Type

__all__ = ["check_opaque"]

# map_check_btf() in kernel/bpf/syscall.c.
_HOMES = {"bpf_spin_lock": ("HASH", "ARRAY"), "bpf_timer": ("HASH", "LRU_HASH", "ARRAY")}
_NAMES = {"bpf_spin_lock": "SpinLock", "bpf_timer": "Timer"}


def check_opaque(where: str, kind: str, key: Type | None, value: Type | None) -> None:
    """Raise DeclarationTypeError for a lock or a timer that `where`, of a map type (\"\": no map), can't hold."""
    for name in opaque_in(key):
        raise DeclarationTypeError(
            f"{where}: a {_NAMES[name]} can't be part of a key", help="it belongs in the value of the map"
        )
    held = opaque_in(value)
    for name in held:
        if kind not in _HOMES[name]:
            homes = " or ".join(
                [{"HASH": "HashMap", "LRU_HASH": "LruHash", "ARRAY": "ArrayMap"}[h] for h in _HOMES[name]]
            )
            raise DeclarationTypeError(
                f"{where} can't hold a {_NAMES[name]}", help=f"keep it in the value of a {homes}"
            )
        if held.count(name) > 1:
            raise DeclarationTypeError(
                f"{where}: a value has {held.count(name)} {_NAMES[name]}s, and the kernel knows one",
                help="keep the others in maps of their own",
            )
