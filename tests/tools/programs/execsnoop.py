"""New programs, with their arguments and what execve() returned. After execsnoop of BCC and libbpf-tools."""

from pybpf import (
    Array,
    HashMap,
    L,
    RingBuffer,
    Struct,
    Text,
    TracepointContext,
    comm,
    const,
    helpers,
    i32,
    pid,
    tid,
    tracepoint,
    u32,
    u64,
    uid,
    user_str,
)

MAX_ARGS = 6


class Exec(Struct):
    pid: u32
    uid: u32
    ret: i32
    args_count: u32
    comm: Text[L[16]]
    file: Text[L[64]]
    args: Array[Text[L[32]], L[MAX_ARGS]]


only_uid = const(i32, -1)
running = HashMap[u32, Exec](max_entries=1024)
execs = RingBuffer[Exec](256 * 1024)


@tracepoint("syscalls:sys_enter_execve")
def enter(ctx: TracepointContext) -> None:
    if only_uid >= 0 and uid() != only_uid:
        return
    running[tid()] = Exec(pid=pid(), uid=uid(), ret=0, args_count=0, comm="", file=user_str(ctx.filename), args=Array())
    event = running.get(tid())
    if event is None:
        return
    for i in range(MAX_ARGS):
        word = Array[u64, L[1]]()
        if helpers.bpf_probe_read_user(word, 8, ctx.argv + 8 * i) != 0 or word[0] == 0:
            break
        event.args[i] = user_str(word[0])
        event.args_count += 1


@tracepoint("syscalls:sys_exit_execve")
def leave(ctx: TracepointContext) -> None:
    event = running.get(tid())
    if event is None:
        return
    event.ret = ctx.ret
    event.comm = comm()
    execs.emit(event)
    del running[tid()]
