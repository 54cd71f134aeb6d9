"""Instructions as text, kernel functions, references, externs: what they are to a type checker."""

from __future__ import annotations

from pybpf import (
    XDP,
    ArrayMap,
    Struct,
    Tristate,
    XdpContext,
    asm,
    current_task,
    helpers,
    i32,
    kconfig,
    kfunc,
    kfuncs,
    ksym,
    per_cpu,
    releasing,
    sizeof,
    u32,
    u64,
    xdp,
)
from pybpf.kernel import task_struct  # noqa: TC001 - read at run time
from pybpf.net import SockTuple4

hz = kconfig(u32, "CONFIG_HZ")
net = kconfig(Tristate, "CONFIG_NET")
smp = kconfig(bool, "CONFIG_SMP", weak=True)
reader = ksym("vfs_read")
active = ksym(i32, "bpf_prog_active", percpu=True)
counts = ArrayMap[u64](max_entries=4)


class Pair(Struct):
    a: u64
    b: u64


@kfunc
def my_count(text: str, limit: u32) -> u64:
    raise NotImplementedError


@kfunc(flags="release")
def my_put(task: task_struct) -> None: ...


@kfunc(flags="acquire ret_null", release=my_put)
def my_get(pid: i32) -> task_struct | None: ...


def find(pid: i32) -> task_struct | None:
    return kfuncs.bpf_task_from_pid(pid)


@xdp
def count(pkt: XdpContext) -> XDP:
    other = per_cpu(active, 1)
    if other is not None and other > 0:
        return XDP.DROP
    pair = Pair(a=1, b=2)
    total: u64 = asm(u64, "{out} = {n}; {out} += 5", n=pkt.rx_queue_index)
    asm("r1 = 7; *(u64 *)({pair} + 8) = r1", pair=pair)
    counts[0] = total + pair.b + hz + reader + active + my_count("a", 3)
    if smp and net == Tristate.YES:
        return XDP.DROP
    with releasing(find(1)) as task:
        if task is None:
            return XDP.PASS
        counts[1] = task.tgid
    where = SockTuple4(saddr=1, daddr=2, sport=3, dport=4)
    with releasing(helpers.bpf_sk_lookup_tcp(pkt, where, sizeof(where), 0, 0)) as sk:
        if sk is not None:
            counts[2] = sk.family
    for task in kfuncs.bpf_iter_task(None, 0):
        for number in kfuncs.bpf_iter_num(0, task.tgid):
            counts[3] = number
    for vma in helpers.bpf_find_vma(current_task(), 4096):
        counts[5] = vma.vm_end - vma.vm_start
    mine = my_get(1)
    if mine is not None:
        my_put(mine)
    return XDP.PASS
