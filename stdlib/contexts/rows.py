"""Tables of context fields: written once for a struct of the kernel, chosen from by each context that shows it."""

from __future__ import annotations

from pybpf.compiler.schema.specs import ContextSpec, CtxField, StateSpec
from pybpf.compiler.schema.types import IntType, OptionalType, PtrType, Space, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from pybpf.compiler.schema.types import Type

    # name: (type, offset[, bytes in the struct where they are not the type's[, role[, release]]])
    Rows: TypeAlias = dict[str, tuple[Any, ...]]
else:
    Rows = dict

__all__ = ["BE16", "BE32", "Rows", "chosen", "socket"]

BE16, BE32 = IntType(16, big=True), IntType(32, big=True)


def socket(name: str, *, nullable: bool) -> Type:
    """The type of a field that holds a socket, `bpf_sock` or `bpf_sock_common`."""
    from pybpf.stdlib.net.sockets import socket_struct

    kind = PtrType(socket_struct(name), Space.TRUSTED)
    return OptionalType(kind) if nullable else kind


def chosen(
    struct: str, rows: Rows, owner: Any, names: str = "", writable: str = "", *, cursor: str = "", changes: bool = False
) -> ContextSpec:
    """The spec of the context class `owner`: the rows of `names` (all, without), of which `writable` may be changed.

    `cursor` is the row at which the class's own `cursor` starts. `changes`: the packet may be changed in place.
    """
    made = []
    for name in names.split() or rows:
        kind, offset, *more = rows[name]
        inner = kind.inner if isinstance(kind, OptionalType) else kind
        size, role = (more[0] if more else size_of(inner)), (more[1] if len(more) > 1 else "")
        since = more[2] if len(more) > 2 else ""
        made.append(CtxField(name, kind, offset, size, role, name in writable.split(), since=since))
    state = (StateSpec("cursor", cursor),) if cursor else ()
    return ContextSpec(struct, tuple(made), state, owner, packet_writable=changes)
