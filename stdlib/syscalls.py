"""The arguments of a system call, as a probe of the kernel's function for it finds them: `PARMS[0]` to `PARMS[5]`.

That function, __x64_sys_openat() and the like, has one parameter, the address of the process's registers
(CONFIG_ARCH_HAS_SYSCALL_WRAPPER: x86-64 since Linux 4.17). The fourth argument is in r10, where that of a function is
in cx (bpf_tracing.h, PT_REGS_SYSCALL_REGS and PT_REGS_PARM4_SYSCALL).
"""

from __future__ import annotations

from pybpf.stdlib.kernel.names import lookup
from pybpf.stdlib.types import u64  # noqa: TC001

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.kernel import pt_regs
    from pybpf.stdlib.contexts.tracing import PtRegs
else:
    pt_regs = lookup("pt_regs")

__all__ = ["PARMS"]


def parm1(ctx: PtRegs) -> u64:
    return pt_regs.at(ctx.di).di


def parm2(ctx: PtRegs) -> u64:
    return pt_regs.at(ctx.di).si


def parm3(ctx: PtRegs) -> u64:
    return pt_regs.at(ctx.di).dx


def parm4(ctx: PtRegs) -> u64:
    return pt_regs.at(ctx.di).r10


def parm5(ctx: PtRegs) -> u64:
    return pt_regs.at(ctx.di).r8


def parm6(ctx: PtRegs) -> u64:
    return pt_regs.at(ctx.di).r9


PARMS = (parm1, parm2, parm3, parm4, parm5, parm6)
