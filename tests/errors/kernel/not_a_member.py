from pybpf import HashMap, exists, field_size, raw_tp, u32, u64
from pybpf.kernel import task_struct

seen = HashMap[u32, u64](max_entries=8)


@raw_tp("sched_switch")
def switched(preempt: bool, prev: task_struct) -> None:
    if exists(prev):
        seen[0] = 1
    seen[1] = field_size(prev.pid + 1)
    seen[2] = field_size(task_struct, 3)  # type: ignore
