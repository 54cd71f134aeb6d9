"""Arguments of USDT probes: where each lies differs from place to place, and the loader tells the program by two maps.

The maps, their names and what they hold are libbpf's (usdt.bpf.h), so that libbpf attaches such an object too; so is
the way of finding the value. `__bpf_usdt_specs` holds a UsdtSpec for each way in which the places of a probe keep
their arguments. Its index is the cookie of the attachment; kernels before 5.15 have none, and the address of the
place leads to it.
"""

from __future__ import annotations

from pybpf.stdlib.builtins import asm
from pybpf.stdlib.contexts.tracing import PtRegs
from pybpf.stdlib.externs import kconfig
from pybpf.stdlib.helpers import bpf_get_attach_cookie, bpf_probe_read_kernel, bpf_probe_read_user
from pybpf.stdlib.maps import ArrayMap, HashMap
from pybpf.stdlib.struct import Struct
from pybpf.stdlib.subprog import subprog
from pybpf.stdlib.types import Array, L, i8, i16, i64, u8, u32, u64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.schema.specs import ContextSpec

__all__ = ["ARGUMENTS", "CONTEXT", "UsdtContext", "ids", "specs"]

MOST = 12  # BPF_USDT_MAX_ARG_CNT
SPECS = 256  # BPF_USDT_MAX_SPEC_CNT

# enum __bpf_usdt_arg_type
_CONST, _REGISTER, _MEMORY, _INDEXED = 0, 1, 2, 3


class __bpf_usdt_arg_spec(Struct):
    """One argument: a constant, a register, or memory that one or two registers lead to.

    `how`: 8 bits for its kind, 12 for the offset of the second register in pt_regs, 4 for what that is multiplied by,
    as a power of two. The value is `arg_bitshift` bits short of 64.
    """

    val_off: u64
    how: u32
    reg_off: i16
    arg_signed: u8
    arg_bitshift: i8


class __bpf_usdt_spec(Struct):
    args: Array[__bpf_usdt_arg_spec, L[12]]
    usdt_cookie: u64
    arg_cnt: i16


class _Word(Struct):
    value: u64


specs = ArrayMap[__bpf_usdt_spec](max_entries=SPECS, name="__bpf_usdt_specs")
ids = HashMap[i64, u32](max_entries=4 * SPECS, name="__bpf_usdt_ip_to_spec_id")
has_cookie = kconfig(bool, "LINUX_HAS_BPF_COOKIE")


class UsdtContext(PtRegs):
    """The registers at the place of a USDT probe, and its arguments."""

    def usdt_arg(self, number: u32) -> u64:
        """An argument, counted from 0, in 64 bits; 0 where the probe has no such argument."""
        return argument(self, number)

    def usdt_arg_count(self) -> u32:
        """How many arguments the probe has."""
        spec = specs.get(_spec_id(self))
        return u32(spec.arg_cnt) if spec is not None else 0

    def cookie(self) -> u64:
        """The number that was given when this was attached; 0 without one."""
        spec = specs.get(_spec_id(self))
        return spec.usdt_cookie if spec is not None else 0


def _spec_id(ctx: PtRegs) -> u32:
    if has_cookie:
        return u32(bpf_get_attach_cookie(ctx))
    return ids.get(i64(ctx.ip), 0xFFFF_FFFF)


@subprog
def argument(ctx: PtRegs, number: u32) -> u64:
    """bpf_usdt_arg() of libbpf."""
    spec = specs.get(_spec_id(ctx))
    if spec is None or number >= MOST or number >= spec.arg_cnt:
        return 0
    arg = spec.args[number]
    kind = arg.how & 0xFF
    if kind == _CONST:
        return arg.val_off
    word = _Word(value=0)
    registers = asm(u64, "{out} = {ctx}", ctx=ctx)
    bpf_probe_read_kernel(word, 8, registers + arg.reg_off)
    value = word.value
    if kind in (_MEMORY, _INDEXED):
        if kind == _INDEXED:
            bpf_probe_read_kernel(word, 8, registers + (arg.how >> 8 & 0xFFF))
            value += word.value << (arg.how >> 20 & 0xF)
        word.value = 0
        bpf_probe_read_user(word, 8, value + arg.val_off)
        value = word.value
    shift = u32(arg.arg_bitshift) & 63
    value <<= shift
    return u64(i64(value) >> shift) if arg.arg_signed else value >> shift


def _getter(number: int) -> Callable[[PtRegs], u64]:
    def get(ctx: PtRegs) -> u64:
        return argument(ctx, number)

    return get


ARGUMENTS = [_getter(number) for number in range(MOST)]
if not TYPE_CHECKING:
    from pybpf.compiler.schema.record import replace

    UsdtContext.__bpf__ = replace(PtRegs.__bpf__, owner=UsdtContext)
CONTEXT: ContextSpec = UsdtContext.__bpf__  # type: ignore[attr-defined]
