"""mount() and umount(): source, target, type, flags, result. After mountsnoop of libbpf-tools."""

from enum import IntEnum

from pybpf import (
    HashMap,
    L,
    RingBuffer,
    Struct,
    Text,
    TracepointContext,
    comm,
    i32,
    ktime,
    pid,
    tid,
    tracepoint,
    u32,
    u64,
    user_str,
)


class Op(IntEnum):
    MOUNT = 1
    UMOUNT = 2


class Mount(Struct):
    delta: u64
    flags: u64
    pid: u32
    tid: u32
    ret: i32
    op: Op
    comm: Text[L[16]]
    fs: Text[L[8]]
    src: Text[L[64]]
    dest: Text[L[64]]


class Call(Struct):
    start: u64
    flags: u64
    src: u64
    dest: u64
    fs: u64
    op: Op


calls = HashMap[u32, Call](max_entries=10_240)
mounts = RingBuffer[Mount](64 * 1024)


def done(ret: i32) -> None:
    call = calls.get(tid())
    if call is None:
        return
    with mounts.reserve() as event:
        if event is not None:
            event.delta = ktime() - call.start
            event.flags = call.flags
            event.pid = pid()
            event.tid = tid()
            event.ret = ret
            event.op = call.op
            event.comm = comm()
            event.fs = user_str(call.fs)
            event.src = user_str(call.src)
            event.dest = user_str(call.dest)
    del calls[tid()]


@tracepoint("syscalls:sys_enter_mount")
def enter_mount(ctx: TracepointContext) -> None:
    calls[tid()] = Call(start=ktime(), flags=ctx.flags, src=ctx.dev_name, dest=ctx.dir_name, fs=ctx.type, op=Op.MOUNT)


@tracepoint("syscalls:sys_exit_mount")
def leave_mount(ctx: TracepointContext) -> None:
    done(ctx.ret)


@tracepoint("syscalls:sys_enter_umount")
def enter_umount(ctx: TracepointContext) -> None:
    calls[tid()] = Call(start=ktime(), flags=ctx.flags, src=0, dest=ctx.name, fs=0, op=Op.UMOUNT)


@tracepoint("syscalls:sys_exit_umount")
def leave_umount(ctx: TracepointContext) -> None:
    done(ctx.ret)
