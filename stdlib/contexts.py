"""What programs are given: the context classes that annotate a program's first parameter.

A class carries its ContextSpec as `__bpf__`. Plain methods on it are written in the language itself and inlined, with
`self` the context. Fields are properties to a type checker only; the compiler and the simulator read the spec.
Tracepoints have their fields from the tracepoint's own format: see `pybpf.stdlib.tracepoints`.

Sources: include/uapi/linux/bpf.h (struct xdp_md, struct bpf_raw_tracepoint_args), arch/x86/include/uapi/asm/ptrace.h.
"""

from __future__ import annotations

import sys

from pybpf.compiler.schema.specs import ContextSpec, CtxField, StateSpec
from pybpf.compiler.schema.types import U32, U64, ArrayType, PtrType, Space
from pybpf.stdlib.annotations import scope_of
from pybpf.stdlib.builtins import sizeof

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, TypeVar

    from pybpf.stdlib.struct import Struct
    from pybpf.stdlib.types import Array, L

    H = TypeVar("H", bound=Struct)

__all__ = ["Context", "Packet", "PtRegs", "RawTracepointContext", "TracepointContext", "XdpContext", "raw_context"]

_PACKET = PtrType(None, Space.PACKET)
_PACKET_END = PtrType(None, Space.PACKET_END)


class Context:
    """Base of all context classes."""


class Packet(Context):
    """A packet that can be read in place. `cursor` is the address of what `parse` and `skip` come to next."""

    if TYPE_CHECKING:
        data: int
        data_end: int
        cursor: int

    def parse(self, header: type[H]) -> H | None:
        """The header at the cursor, which moves past it; None where the packet is too short."""
        start = self.cursor
        if start + sizeof(header) > self.data_end:
            return None
        self.cursor = start + sizeof(header)
        return header.at(start)

    def skip(self, count: int) -> bool:
        """Move the cursor over `count` bytes; False, and no move, where the packet is too short or `count` negative.

        At most 16383 bytes at once: the verifier follows an address to 65535 bytes from the packet's start
        (MAX_PACKET_OFF), and adds up the most that each skip may have moved it.
        """
        if count < 0 or count > 0x3FFF:
            return False
        start = self.cursor
        if start + count > self.data_end:
            return False
        self.cursor = start + count
        return True


class XdpContext(Packet):
    """A frame as the driver received it: `struct xdp_md`."""

    if TYPE_CHECKING:
        data_meta: int
        ingress_ifindex: int
        rx_queue_index: int
        egress_ifindex: int


class PtRegs(Context):
    """The registers of a probed function, x86-64: `struct pt_regs`, names as in the user ABI."""

    if TYPE_CHECKING:
        r15: int
        r14: int
        r13: int
        r12: int
        bp: int
        bx: int
        r11: int
        r10: int
        r9: int
        r8: int
        ax: int
        cx: int
        dx: int
        si: int
        di: int
        orig_ax: int
        ip: int
        cs: int
        flags: int
        sp: int
        ss: int


class RawTracepointContext(Context):
    """The arguments of a raw tracepoint, as numbers: `struct bpf_raw_tracepoint_args`."""

    if TYPE_CHECKING:
        args: Array[int, L[12]]


class TracepointContext(Context):
    """The record of a tracepoint; its fields are those that the tracepoint's format lists.

    Any field may be read. A subclass with annotations names fields for an editor, and is checked against the format:

        class SysEnterOpenat(TracepointContext):
            filename: u64
            flags: i32
    """

    def __init_subclass__(cls) -> None:
        frame = sys._getframe(1)
        cls.__bpf_scope__ = scope_of(frame)
        cls.__bpf_site__ = (frame.f_code.co_filename, frame.f_lineno)

    __bpf_scope__: ClassVar[tuple[dict[str, Any], dict[str, Any]]] = ({}, {})
    __bpf_site__: ClassVar[tuple[str, int]] = ("", 0)

    if TYPE_CHECKING:

        def __getattr__(self, name: str, /) -> Any: ...


def raw_context(count: int) -> ContextSpec:
    """The context of a raw tracepoint with so many arguments."""
    fields = (CtxField("args", ArrayType(U64, count), 0, 8 * count, "array"),) if count else ()
    return ContextSpec("bpf_raw_tracepoint_args", fields, (), RawTracepointContext)


if not TYPE_CHECKING:
    XdpContext.__bpf__ = ContextSpec(
        "xdp_md",
        (
            CtxField("data", _PACKET, 0, 4, "packet"),
            CtxField("data_end", _PACKET_END, 4, 4, "packet_end"),
            CtxField("data_meta", U32, 8, 4),
            CtxField("ingress_ifindex", U32, 12, 4),
            CtxField("rx_queue_index", U32, 16, 4),
            CtxField("egress_ifindex", U32, 20, 4),
        ),
        (StateSpec("cursor", "data"),),
        XdpContext,
    )
    # The kernel's order, 8 bytes each, from offset 0 (arch/x86/include/asm/ptrace.h).
    _REGISTERS = (
        "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di", "orig_ax", "ip",
        "cs", "flags", "sp", "ss",
    )  # fmt: skip
    PtRegs.__bpf__ = ContextSpec(
        "pt_regs", tuple(CtxField(name, U64, 8 * index, 8) for index, name in enumerate(_REGISTERS)), (), PtRegs
    )
    RawTracepointContext.__bpf__ = raw_context(12)  # MAX_BPF_FUNC_ARGS
