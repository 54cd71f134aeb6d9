"""Queues, stacks, bloom filters."""

from __future__ import annotations

from typing import Any

import pytest

from pybpf import XDP, BloomFilter, HashMap, Queue, Simulation, Stack, Struct, XdpContext, load, u32, u64, xdp
from pybpf.compiler.schema.errors import DeclarationValueError
from pybpf.runtime.errors import ObjectClosed
from tests.proofs import prove

PACKET = bytes(64)
kernel = pytest.mark.kernel
guest = pytest.mark.guest


class Job(Struct):
    number: u64
    size: u32 = 0


jobs = Queue[Job](3)
numbers = Queue[u32](3)
undo = Stack[u64](3)
known = BloomFilter[Job](100, hashes=3)
seen = BloomFilter[u64](100)
out = HashMap[u32, u64](max_entries=64)


@xdp
def work(pkt: XdpContext) -> XDP:
    for number in range(4):
        if jobs.push(Job(number=number, size=10)):
            out[0] += 1
        undo.push(number, drop_oldest=True)
    first = jobs.peek()
    if first is not None:
        out[1] = first.number + first.size
        first.number = 77  # a copy
    total = 0
    for _ in range(5):
        job = jobs.pop()
        if job is None:
            break
        total += job.number
    out[2] = total
    last = undo.pop()
    out[3] = last if last is not None else 99
    if numbers.pop() is None:
        out[4] = 1
    numbers.push(0)
    if (number := numbers.pop()) is not None and number == 0:
        out[5] = 1
    known.add(Job(number=1, size=2))
    out[6] = 1 if Job(number=1, size=2) in known else 0
    out[7] = 1 if Job(number=1, size=3) in known else 0
    seen.add(55)
    if u64(55) in seen and 56 not in seen:
        out[8] = 1
    jobs.push(Job(number=5, size=6))
    return XDP.PASS


DONE = {0: 3, 1: 10, 2: 3, 3: 3, 4: 1, 5: 1, 6: 1, 7: 0, 8: 1}


@kernel
@guest
def test_queues_and_stacks() -> None:
    with load(work) as obj:
        for kind in ("QUEUE", "STACK", "BLOOM_FILTER"):
            prove("map", kind, "create")
        assert obj.programs["work"].test(PACKET).retval == XDP.PASS
        assert dict(obj[out]) == DONE
        queue, stack = obj[jobs], obj[undo]
        assert queue.peek() == Job(number=5, size=6) == queue.pop() and queue.pop() is None and queue.peek() is None
        for kind in ("QUEUE", "STACK", "BLOOM_FILTER"):
            prove("map", kind, "in program")
        assert stack.pop() == 2 and stack.peek() == 1
        assert [queue.push(Job(number=n)) for n in range(4)] == [True, True, True, False]
        assert queue.push(Job(number=9), drop_oldest=True) and [job.number for job in queue.drain()] == [1, 2, 9]
        assert [stack.push(n) for n in (7, 8, 9)] == [True, True, False] and stack.drain() == [8, 7, 1]
        for kind in ("QUEUE", "STACK"):
            prove("map", kind, "update")
            prove("map", kind, "lookup")
            prove("map", kind, "pop")
        with pytest.raises(OverflowError, match=r"item of map 'jobs'\.size: -1 is outside u32"):
            queue.push(Job(number=1, size=-1))
        with pytest.raises(TypeError, match="item of map 'undo': expected an int"):
            stack.push("x")  # type: ignore[arg-type]
    for use in (queue.pop, stack.peek, lambda: queue.push(Job(number=1)), queue.drain):
        with pytest.raises(ObjectClosed):
            use()


@kernel
@guest
def test_bloom_filters() -> None:
    with load(work) as obj:
        table: Any = obj[seen]
        for number in range(100):
            table.add(number)
        assert all(number in table for number in range(100))
        prove("map", "BLOOM_FILTER", "update")
        assert sum(number in table for number in range(1000, 2000)) < 300
        prove("map", "BLOOM_FILTER", "lookup")
        with pytest.raises(OverflowError, match="item of map 'seen': -1 is outside u64"):
            table.add(-1)
        obj[known].add(Job(number=1))
        assert Job(number=1) in obj[known]


def test_simulated() -> None:
    simulation = Simulation()
    simulation.run(work, PACKET)
    assert dict(simulation[out]) == DONE
    queue, stack = simulation[jobs], simulation[undo]
    assert queue.pop() == Job(number=5, size=6) and queue.pop() is None and stack.pop() == 2 and stack.peek() == 1
    assert [queue.push(Job(number=n)) for n in range(4)] == [True, True, True, False]
    assert queue.push(Job(number=9), drop_oldest=True) and [job.number for job in queue.drain()] == [1, 2, 9]
    assert 55 in simulation[seen] and 56 not in simulation[seen]
    with simulation:
        assert jobs.push(Job(number=3)) and jobs.pop() == Job(number=3) and 55 in seen


def test_hashes() -> None:
    assert known.__bpf__.extra == 3 and seen.__bpf__.extra == 0
    with pytest.raises(DeclarationValueError, match="hashes must lie between 1 and 15, not 16"):
        BloomFilter[u32](10, hashes=16)
