"""Probes: parameters as arguments, contexts, answers, options."""

from __future__ import annotations

from pybpf import (
    HashMap,
    PerfEventContext,
    PtRegs,
    RawTracepointContext,
    SessionContext,
    Struct,
    TracepointContext,
    UsdtContext,
    i32,
    i64,
    kprobe,
    kretprobe,
    kretsyscall,
    ksyscall,
    load,
    perf_event,
    raw_tp,
    tracepoint,
    u32,
    u64,
    uprobe,
    uretprobe,
    usdt,
)
from pybpf.kernel import filename  # noqa: TC001

seen = HashMap[u32, u64](max_entries=16)


class Answer(Struct):
    error: i32


@kprobe("do_unlinkat")
def entered(ctx: PtRegs, name: filename, dfd: i32) -> None:
    seen[0] = ctx.parm1 + ctx.cookie() + ctx.func_ip()


@kprobe("do_unlinkat", offset=4)
def inside(ctx: PtRegs) -> int:
    return 0


@kretprobe("do_unlinkat")
def left(result: i32) -> None: ...


@kprobe.multi("vfs_*")
def many(ctx: PtRegs) -> None: ...


@kretprobe.multi(["vfs_read", "vfs_write"])
def many_left() -> None: ...


@kprobe.session("vfs_*")
def session(ctx: SessionContext) -> int:
    if ctx.is_return():
        seen[1] = ctx.session_cookie()
    else:
        ctx.set_session_cookie(7)
    return 0


@ksyscall("openat")
def opening(filename: u64, flags: i32) -> None: ...


@kretsyscall("openat")
def opened(ctx: PtRegs, fd: i64) -> None: ...


@uprobe("libc", "malloc", sleepable=True)
def allocating(size: u64) -> None: ...


@uretprobe("libc", "malloc")
def allocated(ctx: PtRegs, address: u64) -> None: ...


@uprobe.multi("libc", "str*", sleepable=True)
def texts(ctx: PtRegs) -> None: ...


@uprobe.session("libc", ["malloc", "calloc"])
def pairs(ctx: SessionContext) -> int:
    return 1


@usdt("libc", "libc", "setjmp")
def jumping(ctx: UsdtContext, buffer: u64, value: i32) -> None:
    seen[2] = ctx.usdt_arg(0) + ctx.usdt_arg_count()


@perf_event
def sampled(ctx: PerfEventContext) -> None:
    seen[3] = ctx.ip + ctx.addr + ctx.sample_period


@raw_tp.writable("bpf_test_finish")
def finished(answer: Answer) -> None:
    answer.error = -1


@raw_tp("sys_enter", sleepable=True)
def raw(ctx: RawTracepointContext) -> None:
    seen[4] = ctx.cookie()


@tracepoint("syscalls:sys_enter_getppid", sleepable=True)
def slept(ctx: TracepointContext) -> None: ...


def main() -> None:
    with load(entered, sampled) as obj:
        obj.attach(entered={"cookie": 1}, sampled={"event": "cpu-clock", "frequency": 99})
        link = obj.programs["entered"].attach("do_rmdir", cookie=2)
        link.detach()
