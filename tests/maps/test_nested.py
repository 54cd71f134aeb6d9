"""Maps of maps."""

from __future__ import annotations

import os
from typing import Any

import pytest

from pybpf import (
    XDP,
    ArrayMap,
    ArrayOfMaps,
    CompileError,
    HashMap,
    HashOfMaps,
    PybpfError,
    Queue,
    Simulation,
    Target,
    XdpContext,
    build,
    load,
    subprog,
    u32,
    u64,
    xdp,
)
from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.runtime.errors import ObjectClosed
from tests.proofs import prove

PACKET = bytes(64)
kernel = pytest.mark.kernel
guest = pytest.mark.guest

first = HashMap[u32, u64](max_entries=4)
second = HashMap[u32, u64](max_entries=4)
by_slot = ArrayOfMaps[HashMap[u32, u64]](4, inner=HashMap[u32, u64](4))
tenants = HashOfMaps[u64, HashMap[u32, u64]](max_entries=4, inner=first)
rows = HashOfMaps[u32, ArrayMap[u64]](max_entries=4, inner=ArrayMap[u64](8))
queues = ArrayOfMaps[Queue[u32]](2, inner=Queue[u32](4))
out = HashMap[u32, u64](max_entries=64)
by_slot[0] = first
by_slot[3] = second


def bump(table: HashMap[u32, u64], key: u32) -> None:
    table[key] += 10


@xdp
def through(pkt: XdpContext) -> XDP:
    for slot in range(4):
        table = by_slot.get(slot)
        if table is not None:
            table[1] += slot + 1
            table[2] = slot
            if 2 in table:
                out[slot] = table.get(2, 99)
            del table[2]
            bump(table, 5)
    tenant = tenants.get(7)
    if tenant is None:
        out[10] = 1
        return XDP.DROP
    if tenant.insert(8, 9) and not tenant.insert(8, 10):
        out[11] = 1
    if 8 in tenants or 7 not in tenants:
        out[12] = 1
    row = rows.get(1)
    if row is not None:
        row[3] = 5
        row[3] += 1
        out[13] = row[3]
    queue = queues.get(1)
    if queue is not None:
        queue.push(4)
        queue.push(5)
        item = queue.pop()
        if item is not None:
            out[14] = item
    return XDP.PASS


def use(obj: Any, run: Any) -> None:
    """What must hold of a loaded object, and of a simulation."""
    assert run() == XDP.DROP
    assert dict(obj[out]) == {0: 0, 3: 3, 10: 1}
    assert dict(obj[first]) == {1: 1, 5: 10} and dict(obj[second]) == {1: 4, 5: 10}
    obj[tenants][7] = obj[second]
    row = obj[rows].new()
    obj[rows][1] = row
    obj[queues][1] = obj[queues].new()
    assert run() == XDP.PASS
    assert dict(obj[out]) == {0: 0, 3: 3, 10: 1, 11: 1, 13: 6, 14: 4}
    assert dict(obj[second]) == {1: 8, 5: 20, 8: 9} == dict(obj[tenants][7])
    assert row[3] == 6 and obj[rows][1][3] == 6 and obj[queues][1].pop() == 5
    assert list(obj[tenants]) == [7] and sorted(obj[by_slot]) == [0, 3] and len(obj[rows]) == 1
    obj[by_slot][1] = second
    assert dict(obj[by_slot][1]) == dict(obj[second])
    del obj[tenants][7]
    assert 7 not in obj[tenants]
    with pytest.raises(KeyError):
        del obj[tenants][7]
    with pytest.raises(KeyError):
        _ = obj[tenants][7]
    assert run() == XDP.DROP


def bpf_descriptors() -> int:
    """How many descriptors of this process stand for something of BPF."""
    links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    return sum("bpf" in os.readlink(link) for link in links if os.path.islink(link))


@kernel
@guest
def test_maps_of_maps() -> None:
    before = bpf_descriptors()
    with load(through) as obj:
        use(obj, lambda: obj.programs["through"].test(PACKET).retval)
        for kind in ("ARRAY_OF_MAPS", "HASH_OF_MAPS"):
            for what in ("create", "in program", "lookup", "update", "delete", "iterate"):
                if (kind, what) != ("ARRAY_OF_MAPS", "delete"):
                    prove("map", kind, what)
        with pytest.raises(PybpfError, match="does not take map 'out': it differs from the template"):
            obj[rows][2] = obj[out]
        small = obj[tenants].new(max_entries=2)
        small.update({1: 1, 2: 2})
        held = obj[by_slot]
    for closed in (lambda: held[0], lambda: len(held), lambda: small[1], lambda: held.new()):
        with pytest.raises(ObjectClosed):
            closed()
    assert bpf_descriptors() == before


def test_simulated() -> None:
    simulation = Simulation()
    use(simulation, lambda: simulation.run(through, PACKET).retval)


def test_templates() -> None:
    with pytest.raises(DeclarationTypeError, match=r"its maps are to be HashMap\[u32, u64\], and inner= is HashMap"):
        _ = ArrayOfMaps[HashMap[u32, u64]](4, inner=HashMap[u32, u32](4), name="a").__bpf__  # type: ignore[arg-type]
    with pytest.raises(DeclarationTypeError, match=r"holds maps, and .* is no type of map"):
        _ = ArrayOfMaps[u32](4, inner=first, name="a").__bpf__  # type: ignore[type-var]
    with pytest.raises(DeclarationTypeError, match="needs `inner`"):
        ArrayOfMaps[HashMap[u32, u64]](4)  # type: ignore[call-arg]
    with pytest.raises(DeclarationTypeError, match=r"takes HashMap\[u32, u64\]"):
        by_slot[1] = out2
    with pytest.raises(DeclarationTypeError, match="only keys of 32 bits can be filled from the start"):
        tenants[1] = first


out2 = ArrayMap[u64](4)


@xdp
def unchecked(pkt: XdpContext) -> XDP:
    by_slot.get(0)[1] = 2  # type: ignore[index]
    table = by_slot.get(0)
    table[1] = 2  # type: ignore[index]
    if table:
        by_slot[0] = table
    return XDP.PASS


def test_an_inner_map_may_be_missing() -> None:
    with pytest.raises(CompileError) as caught:
        build(unchecked)
    text = str(caught.value)
    assert "may be None" in text and "whether `table` is empty can't be asked in a program" in text


@subprog
def note(table: HashMap[u32, u64], key: u32) -> bool:
    return table.insert(key, 1)


@xdp
def spread(pkt: XdpContext) -> XDP:
    table = by_slot.get(1)
    if table is None:
        table = by_slot.get(0)
    chosen = by_slot.get(3) if pkt.data_end - pkt.data > 20 else tenants.get(1)
    if table is None or chosen is None:
        return XDP.DROP
    for number in range(20):
        chosen[1] += number
    number = 0
    while number < 3000:
        if number in table:
            del table[number]
        number += 1

    def first_of(key: u32) -> u64:
        return chosen.get(key, 0) if chosen is not None else 9

    out[0] = first_of(1)
    out[1] = 1 if note(table, 7) else 0
    return XDP.PASS


@kernel
@guest
@pytest.mark.parametrize("target", [None, Target(kernel=(6, 1))], ids=["this kernel", "6.1"])
def test_in_loops_and_functions(target: Target | None) -> None:
    with load(spread, target=target) as obj:
        obj[first][5] = 5
        assert obj.programs["spread"].test(PACKET).retval == XDP.PASS
        assert dict(obj[out]) == {0: 190, 1: 1} and dict(obj[first]) == {7: 1}


def test_in_loops_and_functions_simulated() -> None:
    simulation = Simulation()
    simulation[first][5] = 5
    assert simulation.run(spread, PACKET).retval == XDP.PASS
    assert dict(simulation[out]) == {0: 190, 1: 1} and dict(simulation[first]) == {7: 1}
