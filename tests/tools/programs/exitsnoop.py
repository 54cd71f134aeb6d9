"""Processes that end: how long they lived and with what code or signal. After exitsnoop of libbpf-tools."""

from pybpf import L, RingBuffer, Struct, Text, comm, const, i32, ktime, pid, tid, tp_btf, u32, u64
from pybpf.kernel import task_struct


class Exit(Struct):
    start: u64
    end: u64
    pid: u32
    tid: u32
    ppid: u32
    code: i32
    signal: u32
    comm: Text[L[16]]


only_pid = const(u32, 0)
exits = RingBuffer[Exit](256 * 1024)


@tp_btf("sched_process_exit")
def on_exit(task: task_struct) -> None:
    if pid() != tid() or (only_pid and pid() != only_pid):  # the last thread speaks for the process
        return
    code = task.exit_code
    exits.emit(
        Exit(
            start=task.start_time,
            end=ktime(),
            pid=pid(),
            tid=tid(),
            ppid=task.real_parent.tgid,
            code=code >> 8,
            signal=code & 0x7F,
            comm=comm(),
        )
    )
