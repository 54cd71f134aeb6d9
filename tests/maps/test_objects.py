"""Objects that outlive a run of the program: kernel objects kept in maps, lists and trees of a program's own."""

from __future__ import annotations

import os
import platform
from typing import Any

import pytest

from pybpf import (
    XDP,
    Array,
    ArrayMap,
    Bits,
    DeclarationError,
    HashMap,
    Kptr,
    L,
    ListHead,
    ListNode,
    PerCpuArray,
    RbNode,
    RbRoot,
    RefCount,
    Simulation,
    SpinLock,
    Struct,
    Target,
    TaskIter,
    Text,
    UntrustedKptr,
    XdpContext,
    bpf_iter,
    helpers,
    i64,
    kfuncs,
    load,
    lock,
    obj_drop,
    obj_new,
    refcount_acquire,
    releasing,
    tp_btf,
    u8,
    u16,
    u32,
    u64,
    var,
    xdp,
)
from pybpf.kernel import bpf_cpumask, cgroup, sock, task_struct
from pybpf.simulator.errors import SimulationError
from tests.proofs import prove

PACKET = bytes(64)
TARGET = Target(kernel=(6, 12))
NEWEST = Target(kernel=(6, 18))
ME = os.getpid()
HERE = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
kernel = pytest.mark.kernel
guest = pytest.mark.guest

out = var(Array[i64, L[16]])


def needs(release: tuple[int, int]) -> None:
    if release > HERE:
        pytest.skip("this kernel keeps no such objects")


def run(program: Any, target: Target = TARGET) -> list[int]:
    """What a program leaves in `out`."""
    needs(target.kernel)
    with load(program, target=target) as obj:
        assert obj.programs[program.name].test(PACKET).retval == XDP.PASS
        return list(obj[out])


# --- kernel objects in maps


class Slot(Struct):
    task: Kptr[task_struct] = Kptr()
    seen: u64 = 0


slots = ArrayMap[Slot](2)
by_key = HashMap[u32, Slot](max_entries=8)
of_each_cpu = PerCpuArray[Slot](1)


@xdp
def keep(pkt: XdpContext) -> XDP:
    slot = slots.get(0)
    task = kfuncs.bpf_task_from_pid(ME)
    if task is None:
        return XDP.DROP
    if slot is None:
        kfuncs.bpf_task_release(task)
        return XDP.DROP
    old = slot.task.exchange(task)
    if old is not None:
        out[0] = old.pid
        kfuncs.bpf_task_release(old)
    now = slot.task.get()
    if now is not None:
        out[1] = now.pid
        out[2] = now.real_parent.pid
        more = kfuncs.bpf_task_acquire(now)
        if more is not None:
            out[3] = more.tgid
            kfuncs.bpf_task_release(more)
    return XDP.PASS


@xdp
def keep_by_helper(pkt: XdpContext) -> XDP:
    by_key[7] = Slot(seen=1)
    slot = by_key.get(7)
    if slot is None:
        return XDP.DROP
    task = kfuncs.bpf_task_from_pid(ME)
    if task is None:
        return XDP.DROP
    old = helpers.bpf_kptr_xchg(slot.task, task)
    if old is not None:
        kfuncs.bpf_task_release(old)
    with releasing(helpers.bpf_kptr_xchg(slot.task, None)) as mine:
        if mine is None:
            return XDP.DROP
        out[0] = mine.pid
    out[1] = 1 if slot.task.get() is None else 0
    out[2] = slot.seen
    other = kfuncs.bpf_task_from_pid(ME)
    if other is not None:
        with releasing(slot.task.exchange(other)) as was:
            out[3] = 1 if was is None else 0
    del by_key[7]  # which releases it
    return XDP.PASS


class Groups(Struct):
    first: Kptr[cgroup] = Kptr()
    second: Kptr[cgroup] = Kptr()


groups = ArrayMap[Groups](1)


@xdp
def keep_cgroups(pkt: XdpContext) -> XDP:
    kept = groups.get(0)
    if kept is None:
        return XDP.DROP
    group = kfuncs.bpf_cgroup_from_id(1)
    if group is None:
        return XDP.DROP
    with releasing(kept.second.exchange(group)) as old:
        out[0] = 1 if old is None else 0
    now = kept.second.get()
    if now is not None:
        out[1] = now.level + 1
    out[2] = 1 if kept.first.get() is None else 0
    return XDP.PASS


@xdp
def keep_per_cpu(pkt: XdpContext) -> XDP:
    slot = of_each_cpu.get(0)
    if slot is None:
        return XDP.DROP
    task = kfuncs.bpf_task_from_pid(ME)
    if task is None:
        return XDP.DROP
    with releasing(slot.task.exchange(task)):
        out[0] = 1
    now = slot.task.get()
    out[1] = now.pid if now is not None else 0
    return XDP.PASS


@kernel
@guest
def test_a_task_is_kept() -> None:
    needs(TARGET.kernel)
    with load(keep, target=TARGET) as obj:
        for _ in range(2):
            assert obj.programs["keep"].test(PACKET).retval == XDP.PASS
        found = list(obj[out])
        assert found[:4] == [ME, ME, os.getppid(), ME]
        assert obj[slots][0] == Slot()
        obj[slots][0] = Slot(seen=5)  # which leaves the pointer alone
        assert obj.programs["keep"].test(PACKET).retval == XDP.PASS
        assert obj[slots][0].seen == 5
        prove("helper", "bpf_kptr_xchg", "accepted XDP")


@kernel
@guest
def test_exchange_by_the_helper() -> None:
    assert run(keep_by_helper)[:4] == [ME, 1, 1, 1]


@kernel
@guest
def test_cgroups_are_kept() -> None:
    assert run(keep_cgroups)[:3] == [1, 1, 1]


@kernel
@guest
def test_kept_by_each_cpu() -> None:
    assert run(keep_per_cpu)[:2] == [1, ME]


class Masks(Struct):
    mask: Kptr[bpf_cpumask] = Kptr()


masks = ArrayMap[Masks](1)
cpus = var(u64, 0)


@tp_btf("task_newtask")
def keep_mask(task: task_struct, flags: u64) -> None:
    if task.real_parent.tgid != ME:
        return
    kept = masks.get(0)
    if kept is None:
        return
    mask = kfuncs.bpf_cpumask_create()
    if mask is None:
        return
    kfuncs.bpf_cpumask_set_cpu(0, mask)
    with releasing(kept.mask.exchange(mask)):
        now = kept.mask.get()
        if now is not None:
            global cpus
            cpus = 1 + kfuncs.bpf_cpumask_first(now.cpumask)


@bpf_iter("task", sleepable=True)
def look(ctx: TaskIter) -> int:
    kept = masks.get(0)
    if kept is None:
        return 0
    mask = kfuncs.bpf_cpumask_create()
    if mask is None:
        return 1
    kfuncs.bpf_cpumask_set_cpu(0, mask)
    with releasing(kept.mask.exchange(mask)):
        pass
    total = 0
    with releasing(kfuncs.bpf_rcu_read_lock()):
        now = kept.mask.get()
        if now is not None:
            total += 1 + kfuncs.bpf_cpumask_first(now.cpumask)
    out[0] = total
    return 0


class Last(Struct):
    task: UntrustedKptr[task_struct] = UntrustedKptr()
    parent: UntrustedKptr[task_struct] = UntrustedKptr()


last = ArrayMap[Last](1)


@xdp
def remember(pkt: XdpContext) -> XDP:
    seen = last.get(0)
    if seen is None:
        return XDP.DROP
    out[0] = 1 if seen.task.get() is None else 0
    with releasing(kfuncs.bpf_task_from_pid(ME)) as task:
        if task is None:
            return XDP.DROP
        seen.task.set(task)
        seen.parent.set(task.real_parent)
    was = seen.task.get()
    if was is not None:
        out[1] = was.pid
        out[2] = was.real_parent.pid
    parent = seen.parent.get()
    if parent is not None:
        out[3] = parent.pid
    seen.parent.set(None)
    out[4] = 1 if seen.parent.get() is None else 0
    return XDP.PASS


@kernel
@guest
def test_an_object_is_remembered() -> None:
    assert run(remember)[:5] == [1, ME, os.getppid(), os.getppid(), 1]


# --- lists


class Item(Struct):
    number: u32
    small: u16 = 0
    name: Text[L[12]] = ""
    node: ListNode = ListNode()
    parts: Array[u8, L[5]] = Array[u8, L[5]]()
    wide: u64 = 0


class Items(Struct):
    lock: SpinLock = SpinLock()
    count: u32 = 0
    head: ListHead[Item] = ListHead()


lists = ArrayMap[Items](1)
lists_by_key = HashMap[u32, Items](max_entries=4)


def put(items: Items, number: u32, front: bool) -> bool:
    item = obj_new(Item, number=number, small=number + 1, name="item", wide=1 << 40)
    if item is None:
        return False
    item.parts[2] = 7
    item.wide += number
    with lock(items):
        items.count += 1
        if front:
            return items.head.push_front(item)
        return items.head.push_back(item)


@xdp
def queue(pkt: XdpContext) -> XDP:
    items = lists.get(0)
    if items is None:
        return XDP.DROP
    for number in range(1, 4):
        if not put(items, number, False):
            return XDP.DROP
    put(items, 9, True)
    place = 0
    for _ in range(6):
        with lock(items):
            item = items.head.pop_front()
        if item is None:
            break
        out[place & 7] = item.number * 100 + item.small
        if item.name == "item" and item.wide == (1 << 40) + item.number and item.parts[2] == 7:
            place += 1
        obj_drop(item)
    with lock(items):
        last = items.head.pop_back()
        out[8] = 1 if last is None else 0
        out[9] = items.count
    if last is not None:
        obj_drop(last)
    return XDP.PASS


@xdp
def left_behind(pkt: XdpContext) -> XDP:
    """What is in a list when its element goes is freed by the kernel."""
    lists_by_key[1] = Items()
    items = lists_by_key.get(1)
    if items is None:
        return XDP.DROP
    for number in range(10):
        put(items, number, number % 2 == 0)
    del lists_by_key[1]
    again = obj_new(Item, number=77)
    if again is None:
        return XDP.DROP
    out[0] = again.number + again.small + again.wide + again.parts[2]  # nothing of what was there before
    copy = lists.get(0)
    if copy is None:
        obj_drop(again)
        return XDP.DROP
    again.name = "another name"
    out[1] = 1 if again.name == "another name" else 0
    out[2] = len(again.name)
    with lock(copy):
        copy.head.push_back(again)
    with lock(copy):
        popped = copy.head.pop_back()
    if popped is None:
        return XDP.DROP
    out[3] = popped.number
    obj_drop(popped)
    return XDP.PASS


@xdp
def ends(pkt: XdpContext) -> XDP:
    items = lists.get(0)
    if items is None:
        return XDP.DROP
    for number in range(1, 4):
        put(items, number, False)
    with lock(items):
        first = items.head.front()
        last = items.head.back()
        if first is not None and last is not None:
            out[0] = first.number * 10 + last.number
            last.number += 5
    with lock(items):
        taken = items.head.pop_back()
    if taken is not None:
        out[1] = taken.number
        obj_drop(taken)
    return XDP.PASS


@kernel
@guest
def test_a_list() -> None:
    found = run(queue)
    assert found[:4] == [910, 102, 203, 304] and found[8] == 1 and found[9] == 4


@kernel
@guest
def test_what_is_left_in_a_list() -> None:
    found = run(left_behind)
    assert found[:4] == [77, 1, 12, 77]


@kernel
def test_both_ends_of_a_list() -> None:
    found = run(ends, NEWEST)
    assert found[:2] == [13, 8]


# --- trees


class Job(Struct):
    due: u64
    weight: u32 = 0
    node: RbNode = RbNode()


class Jobs(Struct):
    lock: SpinLock = SpinLock()
    tree: RbRoot[Job] = RbRoot()
    other: RbRoot[Job] = RbRoot()


trees = ArrayMap[Jobs](1)


def earlier(a: Job, b: Job) -> bool:
    return a.due < b.due


def heavier(a: Job, b: Job) -> bool:
    if a.weight != b.weight:
        return a.weight > b.weight
    return a.due < b.due


@xdp
def ordered(pkt: XdpContext) -> XDP:
    jobs = trees.get(0)
    if jobs is None:
        return XDP.DROP
    for number in range(6):
        job = obj_new(Job, due=(number * 5) % 6, weight=number // 2)
        if job is None:
            return XDP.DROP
        with lock(jobs):
            if number == 3:
                jobs.other.add(job, heavier)
            else:
                jobs.tree.add(job, earlier)
    with lock(jobs):
        first = jobs.other.first()
        if first is not None:
            out[8] = first.weight
    for place in range(6):
        with lock(jobs):
            first = jobs.tree.first()
            if first is None:
                break
            job = jobs.tree.remove(first)
        if job is None:
            break
        out[place] = job.due
        with lock(jobs):
            jobs.other.add(job, heavier)
    with lock(jobs):
        top = jobs.other.first()
        if top is None:
            return XDP.DROP
        out[9] = top.weight * 10 + top.due
    return XDP.PASS


@xdp
def walked(pkt: XdpContext) -> XDP:
    jobs = trees.get(0)
    if jobs is None:
        return XDP.DROP
    for number in range(3):
        job = obj_new(Job, due=number)
        if job is None:
            return XDP.DROP
        with lock(jobs):
            jobs.tree.add(job, earlier)
    with lock(jobs):
        top = jobs.tree.root()
        if top is not None:
            out[0] = top.due
            left = jobs.tree.left(top)
            right = jobs.tree.right(top)
            if left is not None and right is not None:
                out[1] = left.due * 10 + right.due
    return XDP.PASS


@kernel
@guest
def test_a_tree() -> None:
    found = run(ordered)
    assert found[:6] == [0, 1, 2, 4, 5, 0] and found[8] == 1 and found[9] == 21


@kernel
def test_a_tree_is_walked() -> None:
    found = run(walked, NEWEST)
    assert found[:2] == [1, 2]


# --- counted objects


class Both(Struct):
    key: u64
    refs: RefCount = RefCount()
    in_list: ListNode = ListNode()
    in_tree: RbNode = RbNode()


class Places(Struct):
    lock: SpinLock = SpinLock()
    head: ListHead[Both] = ListHead()
    tree: RbRoot[Both] = RbRoot()


places = ArrayMap[Places](1)


class Pair(Struct):
    a: u32
    b: u32 = 0


class Stash(Struct):
    kept: Kptr[Both] = Kptr()
    pair: Kptr[Pair] = Kptr()
    plain: Kptr[Job] = Kptr()


stashes = ArrayMap[Stash](1)


def by_key_first(a: Both, b: Both) -> bool:
    return a.key < b.key


@xdp
def in_two_places(pkt: XdpContext) -> XDP:
    here = places.get(0)
    if here is None:
        return XDP.DROP
    it = obj_new(Both, key=42)
    if it is None:
        return XDP.DROP
    again = refcount_acquire(it)
    if again is None:
        obj_drop(it)
        return XDP.DROP
    third = refcount_acquire(it)
    with lock(here):
        out[0] = 1 if here.head.push_back(it) else 0
        out[1] = 1 if here.tree.add(again, by_key_first) else 0
        if third is not None:
            out[2] = 1 if here.head.push_back(third) else 0  # it is in the list: refused, and dropped
    with lock(here):
        first = here.tree.first()
        if first is None:
            return XDP.DROP
        mine = refcount_acquire(first)
        taken = here.head.pop_front()
    if taken is not None:
        taken.key += 1
        obj_drop(taken)
    if mine is not None:
        out[3] = mine.key
        obj_drop(mine)
    return XDP.PASS


@xdp
def stashed(pkt: XdpContext) -> XDP:
    stash = stashes.get(0)
    if stash is None:
        return XDP.DROP
    it = obj_new(Both, key=5)
    if it is None:
        return XDP.DROP
    with releasing(stash.kept.exchange(it)):
        pass
    seen = stash.kept.get()
    if seen is not None:
        out[0] = seen.key
        more = refcount_acquire(seen)
        if more is not None:
            more.key += 10
            obj_drop(more)
    back = stash.kept.exchange(None)
    if back is not None:
        out[1] = back.key
        obj_drop(back)
    with releasing(obj_new(Job, due=8, weight=3)) as job:
        if job is not None:
            out[2] = job.due + job.weight
    other = obj_new(Job, due=6)
    if other is not None:
        with releasing(stash.plain.exchange(other)) as old:
            out[3] = 1 if old is None else 0
        now = stash.plain.get()
        out[4] = now.due if now is not None else 0
    pair = obj_new(Pair, a=7, b=8)
    if pair is not None:
        with releasing(stash.pair.exchange(pair)):
            pass
    mine = stash.pair.exchange(None)
    if mine is not None:
        mine.a = 0  # not one store of 8 bytes
        mine.b = 0
        out[5] = mine.a + mine.b + 1
        obj_drop(mine)
    return XDP.PASS


@kernel
@guest
def test_in_a_list_and_a_tree() -> None:
    found = run(in_two_places)
    assert found[:4] == [1, 1, 0, 43]


@kernel
@guest
def test_a_map_keeps_an_object_of_the_program() -> None:
    found = run(stashed)
    assert found[:6] == [5, 15, 11, 1, 6, 1]


@kernel
@guest
def test_in_a_program_that_may_sleep() -> None:
    needs(TARGET.kernel)
    with load(look, target=TARGET) as obj:
        obj[look].read(tid=ME)
        assert obj[out][0] == 1


@kernel
@guest
def test_a_mask_is_kept() -> None:
    needs(TARGET.kernel)
    with load(keep_mask, target=TARGET) as obj, obj.attach():
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        assert obj[cpus] == 1


# --- simulated


LISTED = [910, 102, 203, 304, 0, 0, 0, 0, 1, 4]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (queue, LISTED),
        (left_behind, [77, 1, 12, 77]),
        (ends, [13, 8]),
        (ordered, [0, 1, 2, 4, 5, 0, 0, 0, 1, 21]),
        (in_two_places, [1, 1, 0, 43]),
        (stashed, [5, 15, 11, 1, 6, 1]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_simulated(program: Any, expected: list[int]) -> None:
    with Simulation(target=NEWEST) as sim:
        assert sim.run(program, PACKET).retval == XDP.PASS
        assert list(sim[out])[: len(expected)] == expected


def test_kernel_objects_are_simulated() -> None:
    """What gives and releases them the test supplies."""
    me, released = task_struct(pid=7, real_parent=task_struct(pid=1), tgid=7), []
    with Simulation(target=TARGET) as sim:
        address = sim.objects.address(me, task_struct.__bpf__)
        sim.helper("bpf_task_from_pid", lambda pid: address)
        sim.helper("bpf_task_acquire", lambda task: address)
        sim.helper("bpf_task_release", released.append)
        for _ in range(2):
            assert sim.run(keep, PACKET).retval == XDP.PASS
        assert list(sim[out])[:4] == [7, 7, 1, 7]
        assert len(released) == 3


def test_what_is_remembered_is_simulated() -> None:
    me = task_struct(pid=ME, real_parent=task_struct(pid=1))
    with Simulation(target=TARGET) as sim:
        address = sim.objects.address(me, task_struct.__bpf__)
        sim.helper("bpf_task_from_pid", lambda pid: address)
        sim.helper("bpf_task_release", lambda task: None)
        sim.helper("bpf_task_acquire", lambda task: address)
        assert sim.run(remember, PACKET).retval == XDP.PASS
        assert list(sim[out])[:5] == [1, ME, 1, 1, 1]


def test_the_shape_of_a_tree_is_the_kernels() -> None:
    with Simulation(target=NEWEST) as sim, pytest.raises(SimulationError, match="how the kernel balances"):
        sim.run(walked, PACKET)


# --- declarations


class NoNode(Struct):
    due: u64


class HalfByte(Struct):
    low: Bits[u8, L[3]]
    high: Bits[u8, L[3]]
    node: ListNode = ListNode()


class Unguarded(Struct):
    head: ListHead[Item] = ListHead()


class Many(Struct):
    first: Kptr[task_struct]
    second: Kptr[task_struct]
    third: Kptr[task_struct]
    fourth: Kptr[task_struct]
    fifth: Kptr[task_struct]
    sixth: Kptr[task_struct]
    seventh: Kptr[task_struct]
    eighth: Kptr[task_struct]
    ninth: Kptr[task_struct]


class Bare(Struct):
    kept: Kptr  # type: ignore[type-arg]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: ListHead[NoNode], "NoNode has no ListNode"),
        (lambda: RbRoot[Item], "Item has no RbNode"),
        (lambda: ListHead[HalfByte], "no bit field like `high`"),
        (lambda: Kptr[sock], "the kernel lets maps keep"),
        (lambda: Kptr[u64], "of a class of Struct"),
        (lambda: Kptr[Slot], "holds what only the value of a map can"),
        (lambda: ArrayMap[Unguarded](1, name="m").__bpf__, "needs a SpinLock"),
        (lambda: ArrayMap[Item](1, name="m").__bpf__, "can't hold a ListNode"),
        (lambda: PerCpuArray[Items](1, name="m").__bpf__, "can't hold a"),
        (lambda: HashMap[Slot, u64](max_entries=1, name="m").__bpf__, "can't be part of a key"),
        (lambda: ArrayMap[Many](1, name="m").__bpf__, "8 are the most"),
        (lambda: Bare.__bpf__, "Kptr needs what it keeps"),
    ],
)
def test_declarations(made: Any, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        made()
