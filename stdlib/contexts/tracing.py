"""Contexts of probes and tracepoints.

Sources: include/uapi/linux/bpf.h (struct bpf_raw_tracepoint_args), arch/x86/include/uapi/asm/ptrace.h. A tracepoint's
fields are its own: see `pybpf.stdlib.tracepoints`.
"""

from __future__ import annotations

import sys

from pybpf.compiler.schema.specs import ContextSpec, CtxField
from pybpf.compiler.schema.types import U64, ArrayType
from pybpf.stdlib.annotations import scope_of
from pybpf.stdlib.contexts.base import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from pybpf.stdlib.types import Array, L

__all__ = ["PtRegs", "RawTracepointContext", "TracepointContext", "raw_context"]


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
    # The kernel's order, 8 bytes each, from offset 0 (arch/x86/include/asm/ptrace.h).
    _REGISTERS = (
        "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di", "orig_ax", "ip",
        "cs", "flags", "sp", "ss",
    )  # fmt: skip
    PtRegs.__bpf__ = ContextSpec(
        "pt_regs", tuple(CtxField(name, U64, 8 * index, 8) for index, name in enumerate(_REGISTERS)), (), PtRegs
    )
    RawTracepointContext.__bpf__ = raw_context(12)  # MAX_BPF_FUNC_ARGS
