"""stat() calls: the path and the result. After statsnoop of BCC."""

from pybpf import (
    HashMap,
    L,
    RingBuffer,
    Struct,
    Text,
    TracepointContext,
    comm,
    const,
    i32,
    pid,
    tid,
    tracepoint,
    u32,
    u64,
    user_str,
)


class Stat(Struct):
    pid: u32
    ret: i32
    comm: Text[L[16]]
    path: Text[L[256]]


only_pid = const(u32, 0)
paths = HashMap[u32, u64](max_entries=10_240)
stats = RingBuffer[Stat](256 * 1024)


def enter(path: u64) -> None:
    if not only_pid or pid() == only_pid:
        paths[tid()] = path


def leave(ret: i32) -> None:
    path = paths.pop(tid(), None)
    if path is not None:
        stats.emit(Stat(pid=pid(), ret=ret, comm=comm(), path=user_str(path)))


@tracepoint("syscalls:sys_enter_newfstatat")
def enter_newfstatat(ctx: TracepointContext) -> None:
    enter(ctx.filename)


@tracepoint("syscalls:sys_exit_newfstatat")
def leave_newfstatat(ctx: TracepointContext) -> None:
    leave(ctx.ret)


@tracepoint("syscalls:sys_enter_newstat")
def enter_newstat(ctx: TracepointContext) -> None:
    enter(ctx.filename)


@tracepoint("syscalls:sys_exit_newstat")
def leave_newstat(ctx: TracepointContext) -> None:
    leave(ctx.ret)


@tracepoint("syscalls:sys_enter_statx")
def enter_statx(ctx: TracepointContext) -> None:
    enter(ctx.filename)


@tracepoint("syscalls:sys_exit_statx")
def leave_statx(ctx: TracepointContext) -> None:
    leave(ctx.ret)
