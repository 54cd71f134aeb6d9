"""Loops over bpf_find_vma(): the mapping of an address as /proc shows it, and each way out of the body."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import (
    ArrayMap,
    HashMap,
    Object,
    Simulation,
    Struct,
    Target,
    TracepointContext,
    build,
    const,
    current_task,
    helpers,
    load,
    pid,
    subprog,
    syscall,
    tracepoint,
    u32,
    u64,
    var,
)
from pybpf.simulator.errors import SimulationError
from tests.helpers.test_every_helper import here

if TYPE_CHECKING:
    from collections.abc import Iterator

RELEASES = ((6, 1), (6, 7), (6, 9), (6, 18))
UNMAPPED = 8
FIRST, LEFT, GONE_ON, RETURNED = range(4)
PAGES = 3


class Args(Struct):
    address: u64 = 0
    how: u64 = 0
    start: u64 = 0
    end: u64 = 0
    offset: u64 = 0
    inode: u64 = 0
    owner: u64 = 0


class Range(Struct):
    start: u64 = 0
    end: u64 = 0


mine = const(u32, 0)
wanted = const(u64, 0)
addresses = ArrayMap[u64](4)
found = HashMap[u64, Range](max_entries=16)
hits = var(u64, 0)
misses = var(u64, 0)


@syscall
def look(args: Args) -> int:
    """All that the body reads and changes comes through its frame, or from the object."""
    steps = 0
    for vma in helpers.bpf_find_vma(current_task(), args.address):
        args.start, args.end, args.offset = vma.vm_start, vma.vm_end, vma.vm_pgoff
        args.owner = u64(vma.vm_mm.owner.tgid)
        if vma.vm_file is not None:
            args.inode = vma.vm_file.f_inode.i_ino
        steps += 1
        if args.how == LEFT:
            break
        if args.how == GONE_ON:
            continue
        if args.how == RETURNED:
            return 1000 + steps
        steps += 10
    else:
        steps += 100
    return steps


@subprog
def start_of(address: u64) -> u64:
    start = u64(0)
    for vma in helpers.bpf_find_vma(current_task(), address, 0):
        start = vma.vm_start
    return start


def length_of(address: u64) -> u64:
    for vma in helpers.bpf_find_vma(current_task(), address):
        return u64(vma.vm_end) - u64(vma.vm_start)
    return u64(0)


@syscall
def many(args: Args) -> int:
    """In a loop, in a function that is inlined, in one that is called, and inside of the body of another."""
    seen, both = 0, Range()
    for i in range(4):
        address = addresses[i]
        for vma in helpers.bpf_find_vma(current_task(), address):
            found[vma.vm_start] = Range(start=vma.vm_start, end=vma.vm_end)
            seen += 1
            for next in helpers.bpf_find_vma(current_task(), vma.vm_end):
                both.end = max(both.end, u64(next.vm_end))
            if seen == 3:
                break
            both.start += vma.vm_start
    args.start, args.end = both.start, both.end
    args.offset, args.owner = start_of(args.address), length_of(args.address)
    return seen


@tracepoint("syscalls:sys_enter_getppid")
def traced(ctx: TracepointContext) -> None:
    global hits, misses
    if pid() != mine:
        return
    for vma in helpers.bpf_find_vma(current_task(), wanted):
        hits = vma.vm_start
    else:
        misses += 1


def mapping(address: int) -> tuple[int, int, int, int] | None:
    """Start, end, offset in pages and inode of a mapping of this process."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, _, offset, _, inode = line.split()[:5]
        start, end = [int(part, 16) for part in place.split("-")]
        if start <= address < end:
            return start, end, int(offset, 16) // mmap.PAGESIZE, int(inode)
    return None


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[int]:
    """The address of some pages of a file."""
    file = tmp_path / "mapped"
    file.write_bytes(bytes((PAGES + 1) * mmap.PAGESIZE))
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), PAGES * mmap.PAGESIZE, offset=mmap.PAGESIZE) as memory:
        view = ctypes.c_char.from_buffer(memory)
        yield ctypes.addressof(view)
        del view


def compiled(release: tuple[int, int], *programs: Any) -> Object:
    return build(*programs, target=Target(kernel=release))


@pytest.mark.kernel
@pytest.mark.guest
@pytest.mark.parametrize("release", RELEASES)
def test_mapping_of_an_address(release: tuple[int, int], mapped: int) -> None:
    if here() < release:
        pytest.skip("this kernel is older than the target")
    address = mapped + mmap.PAGESIZE + 5
    with load(compiled(release, look)) as obj:
        run = obj.programs["look"].run
        for how, steps in ((FIRST, 111), (LEFT, 1), (GONE_ON, 101), (RETURNED, 1001)):
            answer, left = run(Args(address=address, how=how))
            assert answer == steps
            assert (left.start, left.end, left.offset, left.inode) == mapping(address)
            assert (left.start, left.end - left.start, left.offset) == (mapped, PAGES * mmap.PAGESIZE, 1)
            assert left.owner == os.getpid()
        heap = ctypes.create_string_buffer(64)
        answer, left = run(Args(address=ctypes.addressof(heap)))
        known = mapping(ctypes.addressof(heap))
        assert known is not None and (answer, left.inode) == (111, 0) and (left.start, left.end) == known[:2]
        for how in (FIRST, LEFT, GONE_ON, RETURNED):
            assert run(Args(address=UNMAPPED, how=how)) == (100, Args(address=UNMAPPED, how=how))


@pytest.mark.kernel
@pytest.mark.guest
@pytest.mark.parametrize("release", RELEASES)
def test_all_around(release: tuple[int, int], mapped: int) -> None:
    if here() < release:
        pytest.skip("this kernel is older than the target")
    with load(compiled(release, many)) as obj:
        own = ctypes.addressof(ctypes.create_string_buffer(64))
        for slot, address in enumerate((mapped, UNMAPPED, own, mapped)):
            obj[addresses][slot] = address
        answer, left = obj.programs["many"].run(Args(address=mapped + 1))
        first, second = mapping(mapped), mapping(own)
        assert first is not None and second is not None
        assert answer == 3
        assert {each.start: each.end for each in obj[found].values()} == {part[0]: part[1] for part in (first, second)}
        following = [mapping(part[1]) for part in (first, second)]
        assert left.end == max([0, *[part[1] for part in following if part is not None]])
        assert (left.start, left.offset, left.owner) == (first[0] + second[0], mapped, PAGES * mmap.PAGESIZE)


@pytest.mark.kernel
@pytest.mark.guest
def test_from_a_tracepoint(mapped: int) -> None:
    with load(compiled((6, 1), traced), mine=os.getpid(), wanted=mapped + 1) as obj, obj.programs["traced"].attach():
        os.getppid()
        assert (obj[hits], obj[misses]) == (mapped, 1)  # `else` is for loops that no `break` left
    with load(compiled((6, 1), traced), mine=os.getpid(), wanted=UNMAPPED) as obj, obj.programs["traced"].attach():
        os.getppid()
        assert (obj[hits], obj[misses]) == (0, 1)


def test_simulated() -> None:
    sim = Simulation(target=Target(kernel=(6, 1)))
    with pytest.raises(SimulationError, match=r"bpf_find_vma\(\) has no simulation"):
        sim.run(look, context=bytes(Args(address=5)))
    asked = []

    def find(task: object, address: int, flags: int) -> list[dict[str, int]]:
        asked.append((address, flags))
        return [{"vm_start": 4096, "vm_end": 8192}] if 4096 <= address < 8192 else []

    sim.helper("bpf_find_vma", find)
    for address, how, steps in ((5000, FIRST, 111), (5000, LEFT, 1), (5000, RETURNED, 1001), (5, FIRST, 100)):
        done = sim.run(look, context=bytes(Args(address=address, how=how)))
        assert done.retval == steps
    assert asked == [(5000, 0)] * 3 + [(5, 0)]
