"""Tasks that waited for a CPU longer than some microseconds. After runqslower of libbpf-tools."""

from pybpf import HashMap, L, RingBuffer, Struct, Text, const, ktime, tp_btf, u32, u64
from pybpf.kernel import task_struct


class Slow(Struct):
    task: Text[L[16]]
    prev_task: Text[L[16]]
    delta_us: u64
    pid: u32
    prev_pid: u32


min_us = const(u64, 10_000)
only_pid = const(u32, 0)
start = HashMap[u32, u64](max_entries=10_240)
slow = RingBuffer[Slow](64 * 1024)


def enqueue(p: task_struct) -> None:
    if p.pid and (not only_pid or p.pid == only_pid):
        start[p.pid] = ktime()


@tp_btf("sched_wakeup")
def wakeup(p: task_struct) -> None:
    enqueue(p)


@tp_btf("sched_wakeup_new")
def wakeup_new(p: task_struct) -> None:
    enqueue(p)


@tp_btf("sched_switch")
def on_switch(preempt: bool, prev: task_struct, next: task_struct) -> None:
    if prev.__state == 0:
        enqueue(prev)
    began = start.pop(next.pid, None)
    if began is None:
        return
    delta_us = (ktime() - began) // 1000
    if min_us and delta_us <= min_us:
        return
    slow.emit(Slow(task=next.comm, prev_task=prev.comm, delta_us=delta_us, pid=next.pid, prev_pid=prev.pid))
