"""Kernel objects in maps, objects of a program's own, lists and trees, as a checker sees them."""

from pybpf import (
    XDP,
    ArrayMap,
    Kptr,
    ListHead,
    ListNode,
    RbNode,
    RbRoot,
    RefCount,
    SpinLock,
    Struct,
    UntrustedKptr,
    XdpContext,
    kfuncs,
    lock,
    obj_drop,
    obj_new,
    refcount_acquire,
    releasing,
    u64,
    xdp,
)
from pybpf.kernel import task_struct


class Job(Struct):
    due: u64
    weight: u64 = 0
    refs: RefCount = RefCount()
    in_list: ListNode = ListNode()
    in_tree: RbNode = RbNode()


class Jobs(Struct):
    lock: SpinLock = SpinLock()
    items: ListHead[Job] = ListHead()
    tree: RbRoot[Job] = RbRoot()
    count: u64 = 0


class Slot(Struct):
    task: Kptr[task_struct] = Kptr()
    job: Kptr[Job] = Kptr()
    last: UntrustedKptr[task_struct] = UntrustedKptr()


table = ArrayMap[Jobs](1)
slots = ArrayMap[Slot](1)


def earlier(a: Job, b: Job) -> bool:
    return a.due < b.due


@xdp
def work(pkt: XdpContext) -> XDP:
    jobs, slot = table.get(0), slots.get(0)
    if jobs is None or slot is None:
        return XDP.PASS
    with releasing(kfuncs.bpf_task_from_pid(1)) as task:
        if task is not None:
            jobs.count = task.pid
            slot.last.set(task)
    now = slot.task.get()
    if now is not None:
        jobs.count = now.pid + now.tgid
    job = obj_new(Job, due=1, weight=2)
    if job is None:
        return XDP.PASS
    more = refcount_acquire(job)
    with lock(jobs):
        placed: bool = jobs.items.push_back(job)
        if more is not None:
            placed = jobs.tree.add(more, earlier)
    with lock(jobs):
        first = jobs.tree.first()
        if first is None:
            return XDP.PASS
        taken = jobs.tree.remove(first)
        popped = jobs.items.pop_front()
    if taken is not None:
        due: u64 = taken.due
        jobs.count += due + placed
        obj_drop(taken)
    if popped is not None:
        old = slot.job.exchange(popped)
        if old is not None:
            obj_drop(old)
    return XDP.PASS
