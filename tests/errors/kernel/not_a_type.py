from pybpf import HashMap, enum_value, raw_tp, type_exists, u32, u64
from pybpf.kernel import task_struct

seen = HashMap[u32, u64](max_entries=8)


@raw_tp("sched_switch")
def switched(preempt: bool, prev: task_struct) -> None:
    if type_exists(u32):
        seen[0] = enum_value(7)
