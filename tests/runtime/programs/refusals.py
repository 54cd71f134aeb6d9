"""Programs that compile and that the kernel refuses: their instructions are text, which only the kernel judges.

The comment on a line is what the report must say there.
"""

from __future__ import annotations

from pybpf import XDP, HashMap, Struct, TracepointContext, XdpContext, asm, ktime, tracepoint, u32, u64, xdp


class Pair(Struct):
    first: u64
    second: u64


counts = HashMap[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_enter_openat")
def reads_a_number(ctx: TracepointContext) -> None:
    address = ktime()
    counts[1] = asm(u64, "{out} = *(u64 *)({a} + 0)", a=address)  # `address` is a number here


@xdp
def has_no_end(ctx: XdpContext) -> XDP:
    n = ctx.rx_queue_index
    asm("l: if {n} != 7 goto l", n=n)  # the verifier sees no end of this loop
    return XDP.PASS


@xdp
def leaves_the_stack(ctx: XdpContext) -> XDP:
    pair = Pair(first=1, second=2)
    asm("*(u64 *)({p} + 1024) = 1", p=pair)  # the stack is too small: 512 bytes
    return XDP.PASS


@xdp
def misaligned(ctx: XdpContext) -> XDP:
    pair = Pair(first=1, second=2)
    asm("*(u64 *)({p} + 3) = 1", p=pair)  # an access of 8 bytes must lie at a multiple of 8
    return XDP.PASS


@xdp
def computes_with_a_pointer(ctx: XdpContext) -> XDP:
    counts[3] = asm(u64, "{out} = {c}; {out} *= 2", c=ctx)  # is a pointer, with which this can't be computed
    return XDP.PASS


@xdp
def reads_beyond_the_context(ctx: XdpContext) -> XDP:
    counts[4] = asm(u64, "{out} = *(u32 *)({c} + 400)", c=ctx)  # no field of 4 bytes at byte 400
    return XDP.PASS


@xdp
def in_a_function(ctx: XdpContext) -> XDP:
    counts[5] = peek(ktime())
    return XDP.PASS


def peek(number: u64) -> u64:
    return asm(u64, "{out} = *(u64 *)({n} + 8)", n=number)  # is a number here
