from pybpf import HashMap, raw_tp, tp_btf, u32, u64
from pybpf.kernel import mm_struct, task_struct

seen = HashMap[u32, u64](max_entries=8)


@tp_btf("sched_switch")
def switched(preempt: bool, prev: mm_struct, next: task_struct) -> None:
    seen[0] = prev.total_vm


@raw_tp("sched_switch")
def by_address(preempt: bool, prev: task_struct, next: mm_struct) -> None:
    seen[0] = next.total_vm
