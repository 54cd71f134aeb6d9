"""Loops over bpf_find_vma() in programs of many shapes: what the language takes, the verifier takes.

For the newest kernel here, and for each older one whose code is another.
"""

from __future__ import annotations

from typing import Any

import pytest

from pybpf import (
    TC,
    XDP,
    Array,
    HashMap,
    L,
    PerfEventContext,
    PtRegs,
    RawTracepointContext,
    RingBuffer,
    SpinLock,
    Struct,
    Target,
    TcContext,
    XdpContext,
    build,
    comm,
    current_task,
    helpers,
    kfuncs,
    kprobe,
    load,
    lock,
    perf_event,
    printk,
    raw_tp,
    releasing,
    subprog,
    syscall,
    tc,
    tp_btf,
    u32,
    u64,
    var,
    xdp,
)
from pybpf.kernel import pt_regs, task_struct, vm_area_struct  # noqa: TC001 - read at run time
from tests.helpers.test_every_helper import here

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

RELEASES = ((6, 1), (6, 7), (6, 9), (6, 18))


class Args(Struct):
    a: u64 = 0
    b: u64 = 0


class Locked(Struct):
    lock: SpinLock = SpinLock()
    n: u64 = 0


locked = HashMap[u32, Locked](4)
counts = HashMap[u32, u64](16)
events = RingBuffer[Args](4096)
total = var(u64, 0)


def inlined(vma: vm_area_struct) -> u64:
    return u64(vma.vm_end) - u64(vma.vm_start)


@subprog
def called(vma: vm_area_struct, more: u64) -> u64:
    return u64(vma.vm_end) + more


@subprog(global_=True)
def verified_alone(address: u64) -> u64:
    found = u64(0)
    for vma in helpers.bpf_find_vma(current_task(), address):
        found += vma.vm_start
    return found


@syscall
def passed_on(args: Args) -> int:
    found = u64(0)
    for vma in helpers.bpf_find_vma(current_task(), args.a):
        found += inlined(vma)
        found += called(vma, found)
        found += verified_alone(vma.vm_start)
    args.b = found
    return 0


@syscall
def around_maps(args: Args) -> int:
    found = u64(0)
    for key, value in counts.items():
        for vma in helpers.bpf_find_vma(current_task(), args.a + value):
            for other in counts.values():
                found += other + vma.vm_start
                if found > 100:
                    break
            counts[key] = found
            if key == 3:
                return 5
            del counts[key]
    args.b = found
    return 0


@syscall
def around_loops(args: Args) -> int:
    i, seen = u64(0), 0
    where = Args()
    while i < args.a:
        i += 1
        for vma in helpers.bpf_find_vma(current_task(), args.a + i):
            for j in range(args.b):
                seen += j
                if seen > 1000:
                    break
            where.a += vma.vm_start
            if i == 7:
                continue
            where.b = i
            seen += 1
        else:
            if seen > 50:
                break
    args.b = where.a + where.b
    return seen & 15


@syscall
def records(args: Args) -> int:
    for vma in helpers.bpf_find_vma(current_task(), args.a):
        with events.reserve() as record:
            if record is None:
                return 9
            record.a = vma.vm_start
            if vma.vm_end > 3:
                return 3
            record.b = 1
        events.emit(Args(a=1, b=vma.vm_end))
    with events.reserve() as record:
        if record is None:
            return 9
        record.a = record.b = 0
        for vma in helpers.bpf_find_vma(current_task(), args.a):
            record.b = vma.vm_end
    return 0


@syscall
def an_array(args: Args) -> int:
    ends = Array[u64, L[4]]()
    i = 0
    for vma in helpers.bpf_find_vma(current_task(), args.a):
        ends[i & 3] = vma.vm_start
        i += 1
        ends[i & 3] = vma.vm_end
        args.b += ends[(i + 1) & 3]
    args.a = ends[i & 3]
    return i


def way_of(address: u64) -> u64:
    for vma in helpers.bpf_find_vma(current_task(), address):
        if vma.vm_flags & 4:
            return u64(vma.vm_start)
        for value in counts.values():
            if value == vma.vm_end:
                return value
            if value == 3:
                continue
    else:
        return address + 1
    return address


@syscall
def inlined_ways(args: Args) -> int:
    if way_of(args.a) > 4 and way_of(args.b) < 9:
        return 1
    found = u64(0)
    for i in range(args.b):
        found += way_of(i)
        if way_of(found) == 3:
            break
    args.b = found
    return 0


@syscall
def regions(args: Args) -> int:
    with releasing(kfuncs.bpf_rcu_read_lock()):
        for vma in helpers.bpf_find_vma(current_task(), args.a):
            args.b = vma.vm_start
    for vma in helpers.bpf_find_vma(current_task(), args.a):
        with releasing(kfuncs.bpf_rcu_read_lock()):
            args.b += vma.vm_start
            if args.b == 5:
                return 4
    return 0


@tp_btf("sys_enter")
def held(regs: pt_regs, id: int) -> None:
    global total
    for vma in helpers.bpf_find_vma(current_task(), 4096):
        with releasing(kfuncs.bpf_task_from_pid(1)) as other:
            if other is not None:
                total += u64(other.pid)
                if vma.vm_start == 4:
                    return
    with releasing(kfuncs.bpf_task_from_pid(1)) as other:
        if other is not None:
            for vma in helpers.bpf_find_vma(other, 4096):
                total += vma.vm_start
                if total == 5:
                    break
                if total == 6:
                    return


@tp_btf("sched_process_exit")
def of_an_argument(task: task_struct) -> None:
    global total
    leader = task.group_leader
    if leader is not None:
        for vma in helpers.bpf_find_vma(leader, 4096):
            total += vma.vm_start
    for vma in helpers.bpf_find_vma(task, 4096):
        for other in helpers.bpf_find_vma(task, vma.vm_end):
            total += other.vm_end - vma.vm_start


@raw_tp("sys_enter")
def objects(ctx: RawTracepointContext) -> None:
    global total
    name = comm()
    best: u64 | None = None
    for vma in helpers.bpf_find_vma(current_task(), 4096):
        if name == "sshd":
            best = vma.vm_start
        mm = vma.vm_mm
        if mm is not None:
            total += mm.total_vm
        file = vma.vm_file
        if file is not None:
            total += file.f_inode.i_ino + u64(file.f_path.dentry.d_name.len)
    if best is not None:
        total = best


@perf_event
def sampled(ctx: PerfEventContext) -> None:
    global total
    for vma in helpers.bpf_find_vma(current_task(), ctx.ip):
        total = ctx.ip - vma.vm_start
        printk(f"{vma.vm_start} {vma.vm_flags}")


@kprobe("do_nanosleep")
def probed(regs: PtRegs) -> None:
    for vma in helpers.bpf_find_vma(current_task(), 4096):
        slot = counts.get(1)
        counts[2] = vma.vm_end if slot is None else slot


@xdp
def packets(pkt: XdpContext) -> XDP:
    n = 0
    head = pkt.parse(Args)
    if head is None:
        return XDP.PASS
    for vma in helpers.bpf_find_vma(current_task(), head.a):
        if head.b == vma.vm_start:
            return XDP.DROP
        n += 1
    else:
        n += 3
    return XDP.TX if head.b == n else XDP.PASS


@tc
def locks(pkt: TcContext) -> TC:
    value = locked.get(1)
    if value is None:
        return TC.OK
    for vma in helpers.bpf_find_vma(current_task(), 4096):
        start = u64(vma.vm_start)
        with lock(value):
            value.n += start
    return TC.OK


FROM_6_1 = [
    passed_on, around_maps, around_loops, records, an_array, inlined_ways, of_an_argument, objects, sampled, probed,
]  # fmt: skip
FROM_6_7, FROM_6_18 = [regions, held], [packets, locks]
CASES = [(program, release) for program in FROM_6_1 for release in RELEASES]
CASES += [(program, release) for program in FROM_6_7 for release in RELEASES[1:]]
CASES += [(program, RELEASES[-1]) for program in FROM_6_18]


@pytest.mark.parametrize(("program", "release"), CASES, ids=lambda case: getattr(case, "__name__", str(case)))
def test_taken(program: Any, release: tuple[int, int]) -> None:
    if here() < release:
        pytest.skip("this kernel is older than the target")
    with load(build(program, target=Target(kernel=release))):
        pass
