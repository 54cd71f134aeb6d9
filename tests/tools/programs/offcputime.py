"""Time that threads are blocked, by thread and name. After offcputime of BCC, without stacks."""

from pybpf import HashMap, L, Struct, Text, const, ktime, tp_btf, u32, u64
from pybpf.kernel import task_struct

PF_KTHREAD = 0x00200000


class Thread(Struct):
    pid: u32
    tgid: u32
    comm: Text[L[16]]


kernel_threads = const(bool, False)
min_us = const(u64, 1)
start = HashMap[u32, u64](max_entries=10_240)
blocked = HashMap[Thread, u64](max_entries=10_240)


def wanted(t: task_struct) -> bool:
    return t.pid != 0 and (kernel_threads or not t.flags & PF_KTHREAD)


@tp_btf("sched_switch")
def on_switch(preempt: bool, prev: task_struct, next: task_struct) -> None:
    if wanted(prev):
        start[prev.pid] = ktime()
    began = start.pop(next.pid, None)
    if began is None:
        return
    delta = (ktime() - began) // 1000
    if delta >= min_us:
        blocked[Thread(pid=next.pid, tgid=next.tgid, comm=next.comm)] += delta
