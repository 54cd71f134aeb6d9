from pybpf import (
    XDP, ArrayMap, ListHead, ListNode, RbNode, RbRoot, RefCount, SpinLock, Struct, Target, XdpContext, ktime, lock, obj_drop,
    obj_new, refcount_acquire, u64, xdp,
)  # fmt: skip


TARGET = Target(kernel=(6, 18))


class Job(Struct):
    due: u64
    node: RbNode = RbNode()


class Item(Struct):
    number: u64
    node: ListNode = ListNode()


class Jobs(Struct):
    lock: SpinLock = SpinLock()
    tree: RbRoot[Job] = RbRoot()
    items: ListHead[Item] = ListHead()


class Guarded(Struct):
    lock: SpinLock = SpinLock()


class Twice(Struct):
    first: ListNode = ListNode()
    second: RbNode = RbNode()


table = ArrayMap[Jobs](2)


def earlier(a: Job, b: Job) -> bool:
    return a.due < b.due


def nothing(a: Job, b: Job) -> int:
    return 1


def alone(a: Job) -> bool:
    return a.due > 5


def calls(a: Job, b: Job) -> bool:
    return a.due < ktime()


@xdp
def without_lock(pkt: XdpContext) -> XDP:
    jobs, other = table.get(0), table.get(1)
    if jobs is None or other is None:
        return XDP.PASS
    job = obj_new(Job, due=1)
    if job is None:
        return XDP.PASS
    jobs.tree.add(job, earlier)
    with lock(jobs):
        item = other.items.pop_front()
    if item is not None:
        obj_drop(item)
    with lock(table[0]):
        item = table[0].items.pop_back()
    if item is not None:
        obj_drop(item)
    return XDP.PASS


@xdp
def forgotten(pkt: XdpContext) -> XDP:
    jobs = table.get(0)
    job = obj_new(Job, due=1)
    if jobs is None or job is None:
        return XDP.PASS
    with lock(jobs):
        jobs.tree.add(job, earlier)
    job.due = 5
    obj_drop(job)
    return XDP.PASS


@xdp
def taken_out(pkt: XdpContext) -> XDP:
    jobs = table.get(0)
    if jobs is None:
        return XDP.PASS
    with lock(jobs):
        item = jobs.items.pop_front()
    return XDP.PASS


@xdp
def borrowed(pkt: XdpContext) -> XDP:
    jobs = table.get(0)
    if jobs is None:
        return XDP.PASS
    with lock(jobs):
        job = jobs.tree.first()
        if job is None:
            return XDP.PASS
        obj_drop(job)
    if job.due > 5:
        return XDP.DROP
    with lock(jobs):
        first = jobs.tree.first()
        if first is None:
            return XDP.PASS
        mine = jobs.tree.remove(first)
        first.due = 7
        jobs.tree.add(first, earlier)
    if mine is not None:
        with lock(jobs):
            again = jobs.tree.remove(mine)
        obj_drop(mine)
    return XDP.PASS


@xdp
def wrong_order(pkt: XdpContext) -> XDP:
    jobs = table.get(0)
    if jobs is None:
        return XDP.PASS
    job, item = obj_new(Job, due=1), obj_new(Item, number=1)
    if job is None:
        if item is not None:
            obj_drop(item)
        return XDP.PASS
    if item is None:
        obj_drop(job)
        return XDP.PASS
    with lock(jobs):
        jobs.tree.add(job, nothing)
        jobs.tree.add(job, alone)
        jobs.tree.add(job, 5)
        jobs.tree.add(job)
        jobs.tree.add(item, earlier)
        jobs.tree.put(job)
    more = refcount_acquire(item)
    obj_drop(item)
    return XDP.PASS


@xdp
def not_made(pkt: XdpContext) -> XDP:
    one = obj_new(Guarded)
    two = obj_new(Twice)
    three = obj_new(Job)
    four = obj_new(5)
    five = obj_new(Job, due=1, weight=2)
    job = Job(due=5)
    obj_drop(job)
    jobs = Jobs()
    jobs.tree.first()
    return XDP.PASS


@xdp
def calling(pkt: XdpContext) -> XDP:
    jobs = table.get(0)
    job = obj_new(Job, due=1)
    if job is None:
        return XDP.PASS
    if jobs is None:
        obj_drop(job)
        return XDP.PASS
    with lock(jobs):
        jobs.tree.add(job, calls)
        other = obj_new(Job, due=1)
    if other is not None:
        obj_drop(other)
    return XDP.PASS


def first_of(jobs: Jobs) -> Job | None:
    with lock(jobs):
        return jobs.tree.first()


@xdp
def escapes(pkt: XdpContext) -> XDP:
    jobs = table.get(0)
    if jobs is None:
        return XDP.PASS
    job = first_of(jobs)
    return XDP.PASS if job is None else XDP.DROP
