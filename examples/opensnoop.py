"""Trace file opens with their result, as they happen.

    pybpf run examples/opensnoop.py --set only_pid=1234
    python examples/opensnoop.py [seconds]
"""

import sys

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
    load,
    pid,
    tid,
    tracepoint,
    u32,
    u64,
    user_str,
)


class Open(Struct):
    pid: u32
    ret: i32
    comm: Text[L[16]]
    path: Text[L[256]]


only_pid = const(u32, 0)  # 0: every process; set it with load(..., only_pid=7)
paths = HashMap[u32, u64](max_entries=10_240)  # thread -> user address of the path it is opening
opens = RingBuffer[Open](256 * 1024)


@tracepoint("syscalls:sys_enter_openat")
def enter(ctx: TracepointContext) -> None:
    if only_pid and pid() != only_pid:
        return
    paths[tid()] = ctx.filename


@tracepoint("syscalls:sys_exit_openat")
def leave(ctx: TracepointContext) -> None:
    path = paths.pop(tid(), None)
    if path is None:  # this open began before we did
        return
    opens.emit(Open(pid=pid(), ret=ctx.ret, comm=comm(), path=user_str(path)))


def main(seconds: float | None = None) -> None:
    print(f"{'PID':>7} {'COMM':16} {'RET':>4} PATH", flush=True)
    with load(enter, leave).attach() as obj:
        for e in obj[opens].poll_for(seconds):
            print(f"{e.pid:7} {e.comm:16} {e.ret:4} {e.path}", flush=True)


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else None)
    except KeyboardInterrupt:
        pass
