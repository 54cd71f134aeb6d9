"""Members come and go with kernel releases; a misspelt one looks the same."""

from pybpf import HashMap, current_task, raw_tp, u32, u64
from pybpf.kernel import task_struct

seen = HashMap[u32, u64](max_entries=8)


@raw_tp("sched_switch")
def switched(preempt: bool, prev: task_struct) -> None:
    seen[0] = prev.real_parnet.tgid
    seen[1] = current_task().mm.no_such_thing_at_all
