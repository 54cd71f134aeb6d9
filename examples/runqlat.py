"""How long tasks wait for a CPU once they can run, as a histogram of powers of two.

    python examples/runqlat.py [seconds]
"""

import sys

from pybpf import HashMap, Histogram, const, ktime, load, tp_btf, u32, u64, wait
from pybpf.kernel import task_struct

TASK_RUNNING = 0

only_pid = const(u32, 0)
began = HashMap[u32, u64](max_entries=10_240)
waits = Histogram(name="microseconds")


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
    if start is not None:
        waits.record((ktime() - start) // 1000)


def main(seconds: float = 5) -> None:
    with load(woken, born, switched).attach() as obj:
        wait(seconds)
        obj[waits].print()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5)
