"""Signals sent by kill(), with who sent them, to whom, and the result. After killsnoop of BCC."""

from pybpf import HashMap, L, RingBuffer, Struct, Text, TracepointContext, comm, const, i32, pid, tid, tracepoint, u32


class Kill(Struct):
    pid: u32
    target: i32
    signal: i32
    ret: i32
    comm: Text[L[16]]


class Call(Struct):
    target: i32
    signal: i32


only_signal = const(i32, 0)
only_failed = const(bool, False)
calls = HashMap[u32, Call](max_entries=10_240)
kills = RingBuffer[Kill](64 * 1024)


@tracepoint("syscalls:sys_enter_kill")
def enter(ctx: TracepointContext) -> None:
    signal = i32(ctx.sig)
    if only_signal and signal != only_signal:
        return
    calls[tid()] = Call(target=ctx.pid, signal=signal)


@tracepoint("syscalls:sys_exit_kill")
def leave(ctx: TracepointContext) -> None:
    call = calls.get(tid())
    if call is None:
        return
    if not only_failed or ctx.ret < 0:
        kills.emit(Kill(pid=pid(), target=call.target, signal=call.signal, ret=ctx.ret, comm=comm()))
    del calls[tid()]
