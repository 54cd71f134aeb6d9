"""Contexts of probes and tracepoints.

Sources: include/uapi/linux/bpf.h (struct bpf_raw_tracepoint_args), arch/x86/include/uapi/asm/ptrace.h. A tracepoint's
fields are its own: see `pybpf.stdlib.tracepoints`.
"""

from __future__ import annotations

import sys

from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.specs import ContextSpec, CtxField
from pybpf.compiler.schema.types import U64, ArrayType
from pybpf.stdlib.annotations import scope_of
from pybpf.stdlib.builtins import asm
from pybpf.stdlib.contexts.base import Context
from pybpf.stdlib.helpers import bpf_get_attach_cookie, bpf_get_func_ip
from pybpf.stdlib.kfuncs import Kfunc
from pybpf.stdlib.types import u64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from pybpf.compiler.schema.specs import KfuncSpec
    from pybpf.stdlib.types import Array, L

__all__ = [
    "PARMS", "RC", "PerfEventContext", "PtRegs", "RawTracepointContext", "SessionContext", "TracepointContext",
    "raw_context",
]  # fmt: skip

# Offsets in struct pt_regs, x86-64: the arguments di si dx cx r8 r9 of a function, and its result in ax.
PARMS = (112, 104, 96, 88, 72, 64)
RC = 80


if TYPE_CHECKING:

    class _Registers(Context):
        """The registers that both contexts have, for type checkers."""

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

else:
    _Registers = Context


class PtRegs(_Registers):
    """The registers of a probed function, x86-64: `struct pt_regs`, names as in the user ABI.

    `parm1` ... `parm6` are those of a function's first arguments, where it is entered; `rc` that of its result.
    """

    if TYPE_CHECKING:
        parm1: int
        parm2: int
        parm3: int
        parm4: int
        parm5: int
        parm6: int
        rc: int

    def cookie(self) -> u64:
        """The number that was given when this was attached; 0 without one. Linux 5.15."""
        return bpf_get_attach_cookie(self)

    def func_ip(self) -> u64:
        """The address of the probed function, at its entry or return; 0 inside of one. Linux 5.15."""
        return bpf_get_func_ip(self)


class SessionContext(PtRegs):
    """The registers in a session: a program that runs at a function's entry, and at its return too if it answers 0."""

    def is_return(self) -> bool:
        """Whether the function returns, rather than begins. Linux 6.10."""
        return bpf_session_is_return()  # type: ignore[no-any-return]

    def session_cookie(self) -> u64:
        """What `set_session_cookie` kept at this call's entry."""
        return asm(u64, "{out} = *(u64 *)({place} + 0)", place=bpf_session_cookie())

    def set_session_cookie(self, value: u64) -> None:
        """Keep 8 bytes for the return of this call."""
        asm("*(u64 *)({place} + 0) = {value}", place=bpf_session_cookie(), value=value)


class PerfEventContext(_Registers):
    """A sample of a perf event: `struct bpf_perf_event_data`, with the registers of `PtRegs`.

    `sample_period`: events since the last sample. `addr`: the address that the event is about, as that of a page fault
    or of a breakpoint's access; 0 where there is none.
    """

    if TYPE_CHECKING:
        sample_period: int
        addr: int

    def cookie(self) -> u64:
        """The number that was given when this was attached; 0 without one. Linux 5.15."""
        return bpf_get_attach_cookie(self)


class RawTracepointContext(Context):
    """The arguments of a raw tracepoint, as numbers: `struct bpf_raw_tracepoint_args`."""

    if TYPE_CHECKING:
        args: Array[int, L[12]]

    def cookie(self) -> u64:
        """The number that was given when this was attached; 0 without one. Linux 6.10."""
        return bpf_get_attach_cookie(self)


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


class _Address(Kfunc):
    """A kernel function that returns the address of a number, as one for asm()."""

    __slots__ = ()

    @property
    def __bpf__(self) -> KfuncSpec:
        if self._spec is None:
            found = super().__bpf__
            self._spec = replace(found, flags=found.flags | {"address"})
        return self._spec


bpf_session_cookie = _Address("bpf_session_cookie")
bpf_session_is_return = Kfunc("bpf_session_is_return")


def raw_context(count: int) -> ContextSpec:
    """The context of a raw tracepoint with so many arguments."""
    fields = (CtxField("args", ArrayType(U64, count), 0, 8 * count, "array"),) if count else ()
    return ContextSpec("bpf_raw_tracepoint_args", fields, (), RawTracepointContext, in_memory=True)


if not TYPE_CHECKING:
    # The kernel's order, 8 bytes each, from offset 0 (arch/x86/include/asm/ptrace.h).
    _REGISTERS = (
        "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di", "orig_ax", "ip",
        "cs", "flags", "sp", "ss",
    )  # fmt: skip
    _FIELDS = tuple([CtxField(name, U64, 8 * index, 8) for index, name in enumerate(_REGISTERS)])
    _PARMS = tuple([CtxField(f"parm{n + 1}", U64, at, 8) for n, at in enumerate(PARMS)])
    for _class in (PtRegs, SessionContext):
        _class.__bpf__ = ContextSpec("pt_regs", (*_FIELDS, *_PARMS, CtxField("rc", U64, RC, 8)), (), _class)
    _SAMPLE = (CtxField("sample_period", U64, 168, 8), CtxField("addr", U64, 176, 8))
    PerfEventContext.__bpf__ = ContextSpec("bpf_perf_event_data", (*_FIELDS, *_SAMPLE), (), PerfEventContext)
    RawTracepointContext.__bpf__ = raw_context(12)  # MAX_BPF_FUNC_ARGS
