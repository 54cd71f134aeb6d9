"""Dynptrs: what the kernel keeps in 16 bytes of a program's stack about memory of a size known at run time.

In the language all are of one class; the verifier, and so the compiler, tells them apart by the memory behind them:

    local     a map's value or a global of the program          bpf_dynptr_from_mem
    ringbuf   a record of a ring buffer, not yet submitted      bpf_ringbuf_reserve_dynptr
    skb, xdp, skb_meta    a packet, or its metadata             bpf_dynptr_from_skb, ..._from_xdp, ..._from_skb_meta
    given     what user space has sent                          bpf_user_ringbuf_drain
    empty     nothing yet
    ""        the class itself, as annotations name it: any of them
"""

from __future__ import annotations

from pybpf.compiler.schema.record import factory
from pybpf.compiler.schema.types import OptionalType, PtrType, StructType, Type

__all__ = ["DYNPTR", "PACKETS", "DynptrType", "dynptr_in"]

DYNPTR = "bpf_dynptr"  # the struct in BTF
PACKETS = ("skb", "xdp", "skb_meta")

_WORDS = {
    "": "Dynptr", "empty": "empty Dynptr", "local": "Dynptr of memory", "ringbuf": "Dynptr of a ring-buffer record",
    "skb": "Dynptr of a packet (skb)", "xdp": "Dynptr of a packet (XDP)", "skb_meta": "Dynptr of a packet's metadata",
    "given": "Dynptr of what user space sent",
}  # fmt: skip


class DynptrType(StructType, eq=False):
    """The type of a dynptr by its `kind`. `kinds` has those of the other kinds that belong to the same class."""

    kind: str = ""
    kinds: dict[str, DynptrType] = factory(dict)

    def __str__(self) -> str:
        return _WORDS[self.kind]

    def of(self, kind: str) -> DynptrType:
        """The type of the same class for another kind."""
        found = self.kinds.get(kind)
        if found is None:
            found = DynptrType(self.name, (), self.size, self.align, owner=self.owner, opaque=self.opaque)
            found.kind, found.kinds = kind, self.kinds
            self.kinds[kind] = found
        return found


def dynptr_in(type: Type | None) -> DynptrType | None:
    """The dynptr that a type is, refers to, or may refer to."""
    inner = type.inner if isinstance(type, OptionalType) else type
    inner = inner.pointee if isinstance(inner, PtrType) else inner
    return inner if isinstance(inner, DynptrType) else None
