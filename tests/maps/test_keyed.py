"""Maps with keys: what programs and user space do with them."""

from __future__ import annotations

import errno
import threading
from enum import IntEnum
from typing import Any

import pytest

from pybpf import (
    XDP,
    Array,
    ArrayMap,
    HashMap,
    L,
    LpmTrie,
    LruHash,
    LruPerCpuHash,
    PerCpuArray,
    PerCpuHash,
    Simulation,
    SpinLock,
    Struct,
    Text,
    XdpContext,
    be16,
    be32,
    build,
    cpu,
    i32,
    load,
    lock,
    u8,
    u32,
    u64,
    xdp,
)
from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.runtime.errors import MapFull, NotPermitted, ObjectClosed
from tests.proofs import prove

PACKET = bytes(64)
kernel = pytest.mark.kernel
guest = pytest.mark.guest


class Prefix(Struct):
    bits: u32
    addr: be32


class Colour(IntEnum):
    RED = 1
    GREEN = 2


class Inner(Struct):
    port: be16
    flags: Array[u8, L[2]]


class Record(Struct):
    number: i32
    colour: Colour
    name: Text[L[8]]
    inner: Inner
    good: bool


class Total(Struct):
    lock: SpinLock = SpinLock()
    packets: u64


routes = LpmTrie[Prefix, u64](max_entries=8)
out = HashMap[u32, u64](max_entries=64)


@xdp
def route(pkt: XdpContext) -> XDP:
    out[0] = routes.get(Prefix(bits=32, addr=0x0A010203), 99)
    out[1] = routes.get(Prefix(bits=32, addr=0x0B000000), 99)
    out[2] = 1 if Prefix(bits=32, addr=0x0A000001) in routes else 0
    routes[Prefix(bits=24, addr=0xC0A80100)] = 24
    out[3] = 1 if routes.insert(Prefix(bits=24, addr=0xC0A80100), 25) else 0
    out[4] = 1 if routes.replace(Prefix(bits=24, addr=0xC0A80100), 26) else 0
    out[5] = routes.get(Prefix(bits=32, addr=0xC0A80142), 99)
    del routes[Prefix(bits=24, addr=0xC0A80100)]
    out[6] = 1 if Prefix(bits=32, addr=0xC0A80142) in routes else 0
    return XDP.PASS


ROUTED = {0: 16, 1: 99, 2: 1, 3: 0, 4: 1, 5: 26, 6: 0}


def fill_routes(table: Any) -> None:
    table[Prefix(bits=8, addr=0x0A000000)] = 8
    table[Prefix(bits=16, addr=0x0A010000)] = 16


@kernel
@guest
def test_longest_prefix() -> None:
    with load(route) as obj:
        table = obj[routes]
        prove("map", "LPM_TRIE", "create")
        fill_routes(table)
        assert table[Prefix(bits=32, addr=0x0A01FFFF)] == 16 and table[Prefix(bits=15, addr=0x0A010000)] == 8
        prove("map", "LPM_TRIE", "lookup")
        assert Prefix(bits=32, addr=0x0C000000) not in table and Prefix(bits=8, addr=0x0A000000) in table
        assert obj.programs["route"].test(PACKET).retval == XDP.PASS
        assert dict(obj[out]) == ROUTED
        prove("map", "LPM_TRIE", "in program")
        assert dict(table) == {Prefix(bits=8, addr=0x0A000000): 8, Prefix(bits=16, addr=0x0A010000): 16}
        prove("map", "LPM_TRIE", "iterate")
        assert not table.insert(Prefix(bits=8, addr=0x0A000000), 9) and table.replace(
            Prefix(bits=8, addr=0x0A000000), 9
        )
        assert table[Prefix(bits=8, addr=0x0A000000)] == 9
        prove("map", "LPM_TRIE", "update")
        del table[Prefix(bits=16, addr=0x0A010000)]
        with pytest.raises(KeyError):
            del table[Prefix(bits=16, addr=0x0A010000)]
        assert table[Prefix(bits=32, addr=0x0A010203)] == 9
        prove("map", "LPM_TRIE", "delete")
        table.update({Prefix(bits=32, addr=n): n for n in range(7)})
        with pytest.raises(MapFull, match="map 'routes' is full: it holds 8 entries"):
            table[Prefix(bits=32, addr=77)] = 1
        assert len(table.drain()) == 8 and not table
        prove("map", "LPM_TRIE", "batch")
        with pytest.raises(TypeError, match="LPM_TRIE map can't look up and delete in one step"):
            table.pop(Prefix(bits=8, addr=0))


def test_longest_prefix_simulated() -> None:
    simulation = Simulation()
    fill_routes(simulation[routes])
    assert simulation.run(route, PACKET).retval == XDP.PASS
    assert dict(simulation[out]) == ROUTED
    assert simulation[routes][Prefix(bits=32, addr=0x0A01FFFF)] == 16
    assert not simulation[routes].insert(Prefix(bits=8, addr=0x0A000000), 9)


def test_keys_of_tries() -> None:
    with pytest.raises(DeclarationTypeError, match="begins with a u32, the length of the prefix, not u32"):
        _ = LpmTrie[u32, u64](4, name="a").__bpf__
    with pytest.raises(DeclarationTypeError, match="begins with a u32"):
        _ = LpmTrie[Inner, u64](4, name="a").__bpf__
    long = type("Long", (Struct,), {"__annotations__": {"bits": u32, "addr": Array[u8, L[257]]}})
    with pytest.raises(DeclarationValueError, match="260 bytes follow the prefix's length"):
        _ = LpmTrie[long, u64](4, name="a").__bpf__  # type: ignore[valid-type]
    assert routes.__bpf__.flags == 1


recent = LruPerCpuHash[u32, u64](max_entries=64)
lru = LruHash[u32, u64](max_entries=64)
hashed = HashMap[u32, u64](max_entries=64)
per_cpu = PerCpuHash[u32, u64](max_entries=64)
slots = ArrayMap[u64](8)
cpu_slots = PerCpuArray[u64](8)


@xdp
def count(pkt: XdpContext) -> XDP:
    recent[5] += 3
    lru[5] += 3
    per_cpu[5] += 3
    hashed[5] += 3
    slots[5] += 3
    cpu_slots[5] += 3
    out[0] = 1 if hashed.insert(5, 9) else 0
    out[1] = 1 if hashed.insert(6, 9) else 0
    out[2] = 1 if hashed.replace(7, 9) else 0
    out[3] = 1 if hashed.replace(6, 10) else 0
    out[4] = 1 if hashed.set(7, 11) else 0
    out[5] = 1 if slots.set(1, 5) else 0
    out[6] = cpu()
    return XDP.PASS


SET = {0: 0, 1: 1, 2: 0, 3: 1, 4: 1, 5: 1}


@kernel
@guest
@pytest.mark.parametrize(
    "kind, declaration",
    [("HASH", hashed), ("LRU_HASH", lru), ("PERCPU_HASH", per_cpu), ("LRU_PERCPU_HASH", recent)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hashes(kind: str, declaration: Any) -> None:
    with load(count) as obj:
        table = obj[declaration]
        prove("map", kind, "create")
        assert obj.programs["count"].test(PACKET).retval == XDP.PASS
        seen = {key: value for key, value in obj[out].items() if key < 6}
        assert seen == SET
        values = table.cpus * [0]
        values[obj[out][6] if table.cpus > 1 else 0] = 3
        one = (lambda number: [number] * table.cpus) if "PERCPU" in kind else (lambda number: number)
        assert table[5] == (values if "PERCPU" in kind else 3)
        prove("map", kind, "in program")
        prove("map", kind, "lookup")
        table.drain()
        assert not table and table.get(5) is None
        assert table.insert(1, one(10)) and not table.insert(1, one(11)) and table[1] == one(10)
        assert not table.replace(2, one(1)) and table.replace(1, one(12)) and table[1] == one(12)
        prove("map", kind, "update")
        del table[1]
        assert 1 not in table
        prove("map", kind, "delete")
        table.update({key: one(key) for key in range(30)})
        assert len(table) == 30 and dict(table) == {key: one(key) for key in range(30)}
        prove("map", kind, "iterate")
        assert table.discard([1, 2, 99, 3, 77, 29]) == 4 and len(table) == 26
        assert table.pop(4) == one(4) and table.pop(4, None) is None
        prove("map", kind, "pop")
        assert sorted(key for key, _ in table.drain()) == [0, *range(5, 29)] and not table
        prove("map", kind, "batch")


@kernel
@guest
@pytest.mark.parametrize(
    "kind, declaration", [("ARRAY", slots), ("PERCPU_ARRAY", cpu_slots)], ids=["array", "percpu_array"]
)
def test_arrays(kind: str, declaration: Any) -> None:
    with load(count) as obj:
        table = obj[declaration]
        prove("map", kind, "create")
        obj.programs["count"].test(PACKET)
        found = table[5]
        assert (found if kind == "ARRAY" else found.sum()) == 3
        prove("map", kind, "in program")
        prove("map", kind, "lookup")
        one = (lambda number: [number] * table.cpus) if "PERCPU" in kind else (lambda number: number)
        table.update({key: one(key) for key in range(8)})
        assert dict(table) == {key: one(key) for key in range(8)}
        prove("map", kind, "batch")
        prove("map", kind, "iterate")
        assert not table.insert(1, one(7)) and table.replace(1, one(7)) and table[1] == one(7)
        prove("map", kind, "update")
        table.clear()
        assert dict(table) == {key: one(0) for key in range(8)}


def test_modes_simulated() -> None:
    simulation = Simulation()
    simulation.run(count, PACKET)
    assert {key: value for key, value in simulation[out].items() if key < 6} == SET
    assert dict(simulation[hashed]) == {5: 3, 6: 10, 7: 11} and simulation[recent][5].sum() == 3
    assert simulation[hashed].insert(1, 1) and not simulation[hashed].insert(1, 1)
    assert simulation[hashed].replace(1, 2) and not simulation[hashed].replace(50, 2)
    assert len(simulation[hashed].drain()) == 4 and not simulation[hashed]


records = HashMap[u32, Record](max_entries=4)
by_colour = HashMap[Colour, bool](max_entries=4)
by_number = HashMap[i32, Colour](max_entries=4)


@xdp
def keep(pkt: XdpContext) -> XDP:
    records[1] = Record(
        number=-5, colour=Colour.GREEN, name="käse", inner=Inner(port=80, flags=Array([1, 2])), good=True
    )
    by_colour[Colour.RED] = True
    by_number[-3] = Colour.GREEN
    return XDP.PASS


@kernel
@guest
def test_values_come_back_as_what_they_are() -> None:
    with load(keep) as obj:
        obj.programs["keep"].test(PACKET)
        record = obj[records][1]
        assert record == Record(
            number=-5, colour=Colour.GREEN, name="käse", inner=Inner(port=80, flags=Array([1, 2])), good=True
        )
        assert isinstance(record.colour, Colour) and record.good is True and record.inner.port == 80
        ((key, value),) = obj[by_colour].items()
        assert key is Colour.RED and value is True
        ((number, colour),) = obj[by_number].items()
        assert number == -3 and colour is Colour.GREEN
        with pytest.raises(OverflowError, match=r"value of map 'records'\.number: 2147483648 is outside i32"):
            obj[records][1] = Record(
                number=1 << 31, colour=Colour.RED, name="", inner=Inner(port=1, flags=Array([0, 0])), good=False
            )
        with pytest.raises(ValueError, match=r"value of map 'records'\.name: .* takes 9 bytes"):
            obj[records][1] = Record(
                number=1, colour=Colour.RED, name="123456789", inner=Inner(port=1, flags=Array([0, 0])), good=False
            )
        with pytest.raises(TypeError, match="key of map 'records': expected an int"):
            obj[records]["one"] = record  # type: ignore[index]
        with pytest.raises(KeyError):
            _ = obj[records][2]


totals = HashMap[u32, Total](max_entries=4)
fixed = ArrayMap[u64](1000, mmapable=True)
limits = ArrayMap[u64](4, rdonly_prog=True)
noted = HashMap[u32, u64](max_entries=4, wronly_prog=True, no_prealloc=True)
secret = HashMap[u32, u64](max_entries=4, wronly=True)
shown = HashMap[u32, u64](max_entries=4, rdonly=True, numa_node=0)


@xdp
def locked(pkt: XdpContext) -> XDP:
    totals.set(1, Total(packets=7), lock=True)
    entry = totals.get(1)
    if entry is not None:
        with lock(entry):
            entry.packets += 1
    fixed[999] = limits[0]
    noted[1] = 5
    secret[1] = 1
    shown[1] = 6
    return XDP.PASS


@kernel
@guest
def test_flags() -> None:
    with load(locked) as obj:
        obj[limits][0] = 41
        obj[limits].freeze()
        with pytest.raises(NotPermitted, match="writing map 'limits'"):
            obj[limits][0] = 42
        prove("map", "ARRAY", "freeze")
        obj[totals][1] = Total(packets=1)
        obj.programs["locked"].test(PACKET)
        assert obj[totals][1].packets == 8 and dict(obj[totals])[1].packets == 8
        prove("map", "HASH", "lock")
        table = obj[fixed]
        assert table._memory is not None and table[999] == 41 and dict(table.items())[999] == 41
        table[3] = 7
        assert table[3] == 7 and table.get(1000) is None and list(table.values())[3] == 7
        prove("map", "ARRAY", "mmap")
        assert obj[noted][1] == 5 and obj[noted].info.flags == 1 | 256
        with pytest.raises(NotPermitted, match="reading map 'secret'"):
            obj[secret].get(1)
        assert obj[shown][1] == 6
        with pytest.raises(NotPermitted, match="writing map 'shown'"):
            obj[shown][1] = 1
        info = obj[totals].info
        assert (info.type, info.key_size, info.max_entries, info.name, info.id > 0) == (1, 4, 4, "totals", True)
    for use in (
        lambda: table[3],
        lambda: dict(table.items()),
        lambda: table.info,
        lambda: table.freeze(),
        lambda: len(table),
    ):
        with pytest.raises(ObjectClosed):
            use()
    with pytest.raises(ObjectClosed):
        table[1] = 5


def test_flags_that_a_type_does_not_take() -> None:
    with pytest.raises(DeclarationValueError, match="HashMap takes no mmapable"):
        HashMap[u32, u64](4, mmapable=True)
    with pytest.raises(DeclarationValueError, match="PerCpuHash takes no numa_node"):
        PerCpuHash[u32, u64](4, numa_node=0)
    with pytest.raises(DeclarationValueError, match="rdonly_prog and wronly_prog exclude each other"):
        ArrayMap[u64](4, rdonly_prog=True, wronly_prog=True)
    assert shown.__bpf__.flags == 4 | 8 and b"numa_node" in build(locked).elf


@kernel
def test_iteration_while_others_change() -> None:
    with load(count) as obj:
        table = obj[hashed]
        table.update({key: key for key in range(40)})
        stop = threading.Event()

        def churn() -> None:
            number = 0
            while not stop.is_set():
                table[40 + number % 20] = 1
                table.discard([40 + (number + 10) % 20])
                number += 1

        thread = threading.Thread(target=churn)
        thread.start()
        try:
            for _ in range(200):
                seen = [key for key, _ in table.items()]
                assert len(seen) == len(set(seen)) and set(range(40)) <= set(seen)
        finally:
            stop.set()
            thread.join()


@kernel
def test_batches_are_one_call_each(monkeypatch: pytest.MonkeyPatch) -> None:
    from pybpf.runtime import mapops, syscall

    with load(count) as obj:
        table, calls = obj[hashed], []
        real = syscall.bpf_result
        monkeypatch.setattr(
            mapops.syscall, "bpf_result", lambda command, attr: calls.append(command) or real(command, attr)
        )
        table.update({key: key for key in range(60)})
        assert calls == [26]
        assert table.discard(range(30)) == 30 and calls == [26, 27]
        assert len(table.drain()) == 30 and set(calls[2:]) == {25}

        def refuse(command: int, attr: bytes) -> Any:
            error = OSError(errno.EINVAL, "")
            error.attr = attr  # type: ignore[attr-defined]
            raise error

        monkeypatch.setattr(mapops.syscall, "bpf_result", refuse)
        table.update({1: 1, 2: 2})
        assert dict(table) == {1: 1, 2: 2} and table.discard([1, 5]) == 1
