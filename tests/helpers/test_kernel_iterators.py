"""Loops over the kernel's iterators: what they give here, and that each way out of a loop destroys them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pybpf import (
    XDP,
    Array,
    ArrayMap,
    L,
    Object,
    RingBuffer,
    Simulation,
    Struct,
    Target,
    TaskIter,
    XdpContext,
    bpf_iter,
    build,
    const,
    i64,
    kernel,
    kfuncs,
    load,
    releasing,
    syscall,
    u32,
    u64,
    var,
    xdp,
)
from pybpf.simulator.errors import SimulationError
from pybpf.stdlib.kfuncs import iterators
from tests.helpers.test_every_helper import here

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

NEWEST = Target(kernel=(6, 18))
PACKET = bytes(64)


class Args(Struct):
    value: u64 = 0
    count: u64 = 0


mine = const(u32, 0)
lowest = const(u64, 0)
slots = ArrayMap[u64](16)
records = RingBuffer[Args](4096)
seen = var(u64, 0)
largest = var(u64, 0)


def compiled(*programs: object, since: tuple[int, int] = (6, 7)) -> Object:
    if here() < since:
        pytest.skip("this kernel lacks the iterator")
    return build(*programs, target=Target(kernel=since))


def own_threads() -> u64:
    """Called in an RCU section, which is then one of this function too."""
    count = u64(0)
    for task in kfuncs.bpf_iter_task(None, kernel.BPF_TASK_ITER_ALL_THREADS):
        if task.tgid == mine:
            count += 1
    return count


@syscall
def threads(args: Args) -> int:
    with releasing(kfuncs.bpf_rcu_read_lock()):
        args.count = own_threads()
    return 0


@syscall
def early(args: Args) -> int:
    """Ways out of loops inside each other, and of what they hold: break, continue, return, a missing slot."""
    for number in kfuncs.bpf_iter_num(0, 100):
        with records.reserve() as record:
            if record is None:
                return -1
            for inner in kfuncs.bpf_iter_num(0, 10):
                if inner == 3:
                    break
                if inner == 1:
                    continue
                args.count += 1
            record.value = args.count
            if number == i64(args.value):
                return number
        slots[number & 15] += 1
    else:
        args.count += 1000
    return -2


@syscall
def bits(args: Args) -> int:
    words = Array[u64, L[2]]([args.value, 1])
    for bit in kfuncs.bpf_iter_bits(words, 2):
        args.count += bit
    return 0


@xdp
def groups(pkt: XdpContext) -> XDP:
    global seen
    with releasing(kfuncs.bpf_cgroup_from_id(1)) as top:
        if top is None:
            return XDP.ABORTED
        for css in kfuncs.bpf_iter_css(top.self, kernel.BPF_CGROUP_ITER_DESCENDANTS_PRE):
            if css.cgroup.level > 100:
                return XDP.DROP
            seen += 1
    return XDP.PASS


@bpf_iter("task")
def mapped(ctx: TaskIter) -> None:
    global seen, largest
    task = ctx.task
    if task is None or task.pid != mine:
        return
    for vma in kfuncs.bpf_iter_task_vma(task, lowest):
        seen += 1
        length = u64(vma.vm_end) - u64(vma.vm_start)
        largest = max(largest, length)


@bpf_iter("task")
def members(ctx: TaskIter) -> None:
    global seen
    task = ctx.task
    if task is None or task.pid != mine:
        return
    with releasing(kfuncs.bpf_cgroup_from_id(1)) as top:
        if top is not None:
            for member in kfuncs.bpf_iter_css_task(top.self, kernel.CSS_TASK_ITER_PROCS):
                with releasing(kfuncs.bpf_task_acquire(member)) as held:
                    if held is not None:
                        seen += 1


@syscall
def caches(args: Args) -> int:
    for cache in kfuncs.bpf_iter_kmem_cache():
        args.count += 1
        if cache.object_size > args.value:
            args.value = cache.object_size
    return 0


@syscall
def buffers(args: Args) -> int:
    for buffer in kfuncs.bpf_iter_dmabuf():
        args.count += buffer.size
    return 0


def test_tasks() -> None:
    with load(compiled(threads), mine=os.getpid()) as obj:
        done, more = threading.Event(), threading.Thread(target=lambda: done.wait(60))
        before = obj.programs["threads"].run(Args())[1].count
        more.start()
        try:
            assert before >= 1
            assert obj.programs["threads"].run(Args())[1].count == before + 1
        finally:
            done.set()
            more.join()


def test_ways_out() -> None:
    with load(compiled(early, since=(6, 9))) as obj:
        early_run = obj.programs["early"].run
        answer, left = early_run(Args(value=2))
        assert (answer, left.count) == (2, 6)
        assert [event.value for event in obj[records].read()] == [2, 4, 6]
        answer, left = early_run(Args(value=1000))
        assert (answer, left.count) == (-2, 1200)
        assert [obj[slots][i] for i in range(16)] == [1 + 7] * 2 + [7] * 2 + [6] * 12


def test_bits() -> None:
    with load(compiled(bits, since=(6, 11))) as obj:
        assert obj.programs["bits"].run(Args(value=0x8000_0000_0000_0005))[1].count == 0 + 2 + 63 + 64


def test_cgroups() -> None:
    with load(compiled(groups)) as obj:
        assert obj.programs["groups"].test(PACKET).retval == XDP.PASS
        assert obj[seen] >= 1


def test_members_of_a_cgroup() -> None:
    with load(compiled(members), mine=os.getpid()) as obj:
        obj[members].read()
        in_root = [p for p in Path("/proc").glob("[0-9]*/cgroup") if _in_root(p)]
        assert bool(obj[seen]) == bool(in_root)


def _in_root(path: Path) -> bool:
    try:
        return "0::/" in path.read_text().split()
    except OSError:
        return False


def test_memory_of_a_task() -> None:
    with load(compiled(mapped), mine=os.getpid()) as obj:
        obj[mapped].read()
        assert obj[seen] > 10
        assert obj[largest] >= 1 << 16


def test_slab_caches() -> None:
    with load(compiled(caches, since=(6, 13))) as obj:
        left = obj.programs["caches"].run(Args())[1]
        assert left.count > 20
        assert left.value >= 4096


def test_dma_buffers() -> None:
    if not Path("/sys/kernel/dmabuf").exists() and "bpf_iter_dmabuf_new" not in Path("/proc/kallsyms").read_text():
        pytest.skip("this kernel has no DMA buffers")
    with load(compiled(buffers, since=(6, 16))) as obj:
        assert obj.programs["buffers"].run(Args())[0] == 0


def test_all_are_known() -> None:
    """Each iterator of the table is what a loop above goes over, but for those of schedulers, which need one."""
    looped = {"bits", "css", "css_task", "dmabuf", "kmem_cache", "num", "task", "task_vma"}
    assert {name.removeprefix("bpf_iter_") for name in iterators()} - {"scx_dsq"} == looped


def test_simulated() -> None:
    sim = Simulation(target=NEWEST)
    assert sim.run(bits, context=bytes(Args(value=9))).retval == 0
    context = sim.run(early, context=bytes(Args(value=2)))
    assert context.retval == 2
    with pytest.raises(SimulationError, match=r"bpf_iter_kmem_cache\(\) has no simulation"):
        sim.run(caches, context=bytes(Args()))
    sim.helper("bpf_iter_kmem_cache", lambda: [{"object_size": 64}, {"object_size": 192}])
    assert sim.run(caches, context=bytes(Args())).retval == 0
