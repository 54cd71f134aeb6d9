"""How long tasks wait for a CPU, as a histogram. After runqlat of libbpf-tools."""

from pybpf import Array, HashMap, L, Struct, const, ktime, tp_btf, u32, u64
from pybpf.kernel import task_struct

SLOTS = 26
TASK_RUNNING = 0


class Hist(Struct):
    slots: Array[u32, L[SLOTS]]


only_tgid = const(u32, 0)
start = HashMap[u32, u64](max_entries=10_240)
hists = HashMap[u32, Hist](max_entries=10_240)


def log2(v: u64) -> u32:
    r: u32 = 0
    for shift in (32, 16, 8, 4, 2, 1):
        if v >> shift:
            v >>= shift
            r += shift
    return r


def enqueue(tgid: u32, pid: u32) -> None:
    if pid and (not only_tgid or tgid == only_tgid):
        start[pid] = ktime()


@tp_btf("sched_wakeup")
def wakeup(p: task_struct) -> None:
    enqueue(p.tgid, p.pid)


@tp_btf("sched_wakeup_new")
def wakeup_new(p: task_struct) -> None:
    enqueue(p.tgid, p.pid)


@tp_btf("sched_switch")
def on_switch(preempt: bool, prev: task_struct, next: task_struct) -> None:
    if prev.__state == TASK_RUNNING:
        enqueue(prev.tgid, prev.pid)
    began = start.pop(next.pid, None)
    if began is None:
        return
    delta = ktime() - began
    hist = hists.setdefault(next.tgid, Hist(slots=Array()))
    if hist is not None:
        hist.slots[min(log2(delta // 1000), SLOTS - 1)] += 1
