"""What the kernel keeps is read only."""

from pybpf import raw_tp, tp_btf
from pybpf.kernel import task_struct


@tp_btf("sched_switch")
def switched(preempt: bool, prev: task_struct) -> None:
    prev.pid = 1
    prev.signal.rlim[3].rlim_cur += 1
    prev.mm.nothing = 3


@raw_tp("sched_switch")
def by_address(preempt: bool, prev: task_struct) -> None:
    prev.comm = "x"
