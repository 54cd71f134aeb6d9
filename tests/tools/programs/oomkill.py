"""Processes killed for want of memory. After oomkill of BCC."""

from pybpf import L, RingBuffer, Struct, Text, comm, kprobe, pid, u32, u64
from pybpf.kernel import oom_control


class Kill(Struct):
    by_pid: u32
    pid: u32
    pages: u64
    by_comm: Text[L[16]]
    comm: Text[L[16]]


kills = RingBuffer[Kill](4096)


@kprobe("oom_kill_process")
def on_kill(oc: oom_control) -> None:
    chosen = oc.chosen
    kills.emit(Kill(by_pid=pid(), pid=chosen.tgid, pages=oc.totalpages, by_comm=comm(), comm=chosen.comm))
