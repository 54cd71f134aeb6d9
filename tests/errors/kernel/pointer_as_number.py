"""Pointers of the kernel are no numbers, and memory without a type has no members."""

from pybpf import HashMap, tp_btf, u32, u64
from pybpf.kernel import task_struct

seen = HashMap[u32, u64](max_entries=64)


@tp_btf("sched_switch")
def f(preempt: bool, t: task_struct, o: task_struct) -> None:
    seen[0] = t.stack.foo
    seen[1] = t.stack
    seen[2] = t == 1
    seen[3] = t + 1
    seen[4] = t < o
