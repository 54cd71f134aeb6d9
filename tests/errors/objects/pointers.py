from pybpf import (
    XDP, ArrayMap, Kptr, Struct, Target, TaskIter, UntrustedKptr, XdpContext, bpf_iter, kfuncs, u64, xdp,
)  # fmt: skip
from pybpf.kernel import cgroup, task_struct


TARGET = Target(kernel=(6, 18))


class Slot(Struct):
    task: Kptr[task_struct] = Kptr()
    group: Kptr[cgroup] = Kptr()
    last: UntrustedKptr[task_struct] = UntrustedKptr()
    seen: u64 = 0


slots = ArrayMap[Slot](1)


@xdp
def probe(pkt: XdpContext) -> XDP:
    slot = slots.get(0)
    if slot is None:
        return XDP.PASS
    task = kfuncs.bpf_task_from_pid(1)
    if task is None:
        return XDP.PASS
    slot.task.exchange(task)
    slot.seen = task.pid
    return XDP.PASS


@xdp
def others(pkt: XdpContext) -> XDP:
    slot = slots.get(0)
    if slot is None:
        return XDP.PASS
    old = slot.group.exchange(kfuncs.bpf_task_from_pid(1))
    group = slot.group.get()
    total = group.level
    if group is not None:
        more = slot.group.exchange(group)
    slot.group = None
    alone = Slot()
    alone.task.get()
    slot.task.put(5)
    slot.task.get(5)
    slot.last.set(5)
    slot.last.set(group)
    slot.last.set(slot.last.get())
    slot.last = None
    return XDP.PASS


@bpf_iter("task", sleepable=True)
def sleeper(ctx: TaskIter) -> int:
    slot = slots.get(0)
    if slot is None:
        return 0
    task = slot.task.get()
    return 0


@bpf_iter("task", sleepable=True)
def after_section(ctx: TaskIter) -> int:
    slot = slots.get(0)
    if slot is None:
        return 0
    kfuncs.bpf_rcu_read_lock()
    task = slot.task.get()
    kfuncs.bpf_rcu_read_unlock()
    if task is not None:
        return task.pid
    return 0
