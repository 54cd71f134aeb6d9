"""How long tasks wait for a CPU once they can run, as a histogram of powers of two.

    python examples/runqlat.py [seconds]
"""

import sys

from pybpf import ArrayMap, HashMap, const, ktime, load, tp_btf, u32, u64, wait
from pybpf.kernel import task_struct

TASK_RUNNING = 0
SLOTS = 32

only_pid = const(u32, 0)
began = HashMap[u32, u64](max_entries=10_240)
waits = ArrayMap[u64](SLOTS)


def enqueue(task: task_struct) -> None:
    if not only_pid or task.tgid == only_pid:
        began[task.pid] = ktime()


@tp_btf("sched_wakeup")
def woken(task: task_struct) -> None:
    enqueue(task)


@tp_btf("sched_wakeup_new")
def born(task: task_struct) -> None:
    enqueue(task)


@tp_btf("sched_switch")
def switched(preempt: bool, before: task_struct, after: task_struct) -> None:
    if before.__state == TASK_RUNNING:
        enqueue(before)
    start = began.pop(after.pid, None)
    if start is None:
        return
    us = (ktime() - start) // 1000
    slot = 0
    while us > 1 and slot < SLOTS - 1:
        us >>= 1
        slot += 1
    waits[slot] += 1


def main(seconds: float = 5) -> None:
    with load(woken, born, switched).attach() as obj:
        wait(seconds)
        counts = list(obj[waits].values())
        most = max(counts) or 1
        print(f"{'MICROSECONDS':>24}  COUNT")
        for slot in range(max((n for n, count in enumerate(counts) if count), default=-1) + 1):
            low = 1 << slot if slot else 0
            print(f"{low:10} -> {(2 << slot) - 1:10}  {counts[slot]:<8} {'#' * (40 * counts[slot] // most)}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5)
