"""Typed maps over the real kernel's."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pybpf.runtime import LoadError, MapFull, ObjectClosed, load_object, mapops
from pybpf.runtime.maps import PerCpu

if TYPE_CHECKING:
    from pybpf.runtime import LoadedObject

pytestmark = pytest.mark.kernel


@pytest.fixture(params=["batch", "one by one"])
def listing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of listing a map: the second is what kernels without batch operations get."""
    if request.param == "one by one":
        monkeypatch.setattr(mapops, "batches", lambda *_, **__: None)
    return str(request.param)


def test_hash_is_a_dict(obj: LoadedObject, listing: str) -> None:
    table = obj["hash"]
    assert not table and len(table) == 0 and dict(table) == {}
    table[1] = 10
    table[2] = (1 << 64) - 1
    table[1] += 5
    assert table[1] == 15
    assert dict(table) == {1: 15, 2: (1 << 64) - 1}
    assert sorted(table) == sorted(table.keys()) == [1, 2]
    assert sorted(table.values()) == [15, (1 << 64) - 1]
    assert len(table) == 2 and table and 1 in table and 3 not in table
    assert table.get(3) is None and table.get(3, 0) == 0
    assert table.setdefault(3, 7) == 7 == table.setdefault(3, 8)
    assert table.pop(3) == 7 and table.pop(3, None) is None
    table.update({4: 4, 5: 5})
    del table[4]
    with pytest.raises(KeyError):
        del table[4]
    with pytest.raises(KeyError):
        table.pop(4)
    key, value = table.popitem()
    assert value and key not in table
    table.clear()
    assert dict(table) == {}
    with pytest.raises(KeyError, match="empty"):
        table.popitem()


def test_errors_name_map_and_field(obj: LoadedObject) -> None:
    table, flows = obj["hash"], obj["flows"]
    with pytest.raises(KeyError, match="9"):
        table[9]
    with pytest.raises(OverflowError, match="key of map 'hash': -1 is outside u32"):
        table[-1]
    with pytest.raises(OverflowError, match="value of map 'hash': 18446744073709551616 is outside u64"):
        table[1] = 1 << 64
    with pytest.raises(TypeError, match="key of map 'hash': expected an int"):
        table["x"] = 1
    with pytest.raises(TypeError, match="key of map 'hash'"):
        "x" in table  # noqa: B015
    flow = {"addr": 1, "port": 2}
    with pytest.raises(OverflowError, match=r"value of map 'flows'\.value: 2147483648 is outside i32"):
        flows[flow] = {"pid": 1, "value": 1 << 31, "number": 0, "comm": ""}
    assert len(table) == len(flows) == 0


def test_struct_keys_and_values(obj: LoadedObject, listing: str, programs: Any) -> None:
    flows, flow, event = obj[programs.flows], programs.Flow, programs.Event
    flows[flow(addr=1, port=80)] = event(pid=3, value=-4, number=1 << 60, comm="käse")
    assert flows[{"addr": 1, "port": 80}] == event(pid=3, value=-4, number=1 << 60, comm="käse")
    assert {key.port: value.comm for key, value in flows.items()} == {80: "käse"}
    assert dict(flows) == {flow(addr=1, port=80): event(pid=3, value=-4, number=1 << 60, comm="käse")}
    read = flows[flow(addr=1, port=80)]
    assert type(read) is event
    read.pid = 99
    assert flows[flow(addr=1, port=80)].pid == 3  # a copy


def test_array(obj: LoadedObject, listing: str) -> None:
    array = obj["array"]
    assert len(array) == 8 and list(array) == list(range(8)) and set(array.values()) == {0}
    array[7] = -5
    assert array[7] == -5 and dict(array.items())[7] == -5
    for index in (8, -1, 1 << 40):
        with pytest.raises(KeyError, match=r"map 'array' has no index .*; it has 0 to 7"):
            array[index]
        with pytest.raises(KeyError):
            array[index] = 1
        assert array.get(index) is None and index not in array
    for delete in (lambda: array.pop(1), lambda: array.__delitem__(1), array.popitem):
        with pytest.raises(TypeError, match="map 'array' is an array: its elements can't be deleted"):
            delete()
    array.clear()
    assert array[7] == 0


def test_percpu(obj: LoadedObject, listing: str) -> None:
    cpus = mapops.possible_cpus()
    table, slots = obj["percpu"], obj["slots"]
    assert table.cpus == slots.cpus == cpus and obj["hash"].cpus == 1
    values = [10 + cpu for cpu in range(cpus)]
    table[5] = values
    slots[3] = values
    for found in (table[5], slots[3], dict(table)[5], dict(slots.items())[3]):
        assert isinstance(found, PerCpu) and found == values
        assert (found.sum(), found.max(), found.min()) == (sum(values), max(values), min(values))
    with pytest.raises(TypeError, match=f"value of map 'percpu': takes a list of {cpus} values, one per CPU, not 3"):
        table[5] = 3
    with pytest.raises(ValueError, match=f"one value for each of {cpus} CPUs"):
        table[5] = [1] * (cpus + 1)
    assert table.pop(5) == values and 5 not in table


def test_full_map(obj: LoadedObject) -> None:
    table = obj["hash"]
    for key in range(64):
        table[key] = key
    with pytest.raises(MapFull, match="map 'hash' is full: it holds 64 entries"):
        for key in range(64, 200):
            table[key] = key
    lru = obj["lru"]
    for key in range(100):
        lru[key] = key
    assert 0 < len(lru) <= 100 and dict(lru.items())


def test_deleting_while_iterating(obj: LoadedObject, listing: str) -> None:
    table = obj["hash"]
    table.update({key: key for key in range(50)})
    seen = []
    for key in table:
        seen.append(key)
        del table[key]
    assert sorted(seen) == list(range(50)) and not table
    table.update({key: key for key in range(50)})
    seen = []
    for key, _ in table.items():  # noqa: PERF102
        seen.append(key)
        if key % 2:
            table.clear()
    assert len(seen) == len(set(seen)) and set(seen) <= set(range(50))


def test_concurrent_changes(obj: LoadedObject, listing: str) -> None:
    """Keys that stay are seen in every pass, once, while another thread inserts and deletes others."""
    table = obj["hash"]
    kept = set(range(10))
    table.update(dict.fromkeys(kept, 1))
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for key in range(100, 130):
                table[key] = 2
            for key in range(100, 130):
                table.pop(key, None)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(50):
            found = list(table)
            if listing == "batch":
                assert kept <= set(found)
            assert len(found) <= 4 * table.max_entries
    finally:
        stop.set()
        thread.join()


def test_user_space_and_program_see_the_same(obj: LoadedObject) -> None:
    with obj.programs["raw"].attach():
        for _ in range(25):
            os.getppid()
    assert obj["hash"][1] == 25 and obj["slots"][0].sum() == 25


def test_after_close(kit: Any) -> None:
    with load_object(kit) as obj:
        table, array, ring = obj["hash"], obj["array"], obj["events"]
        table[1] = 1
        items = iter(table.items())
        next(items)
    uses = [
        lambda: table[1], lambda: table.__setitem__(1, 1), lambda: table.__delitem__(1), lambda: list(table),
        lambda: len(table), lambda: 1 in table, lambda: table.clear(), lambda: table.pop(1, None), lambda: table.fd,
        lambda: list(array), lambda: array[0], lambda: len(array), lambda: ring.read(), lambda: ring.poll(0),
        lambda: list(ring), lambda: obj["hash"], lambda: obj.globals["total"], lambda: obj.attach(),
        lambda: next(items), lambda: obj.__enter__(),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(ObjectClosed, match="is closed"):
            use()


def test_declaration_and_object_must_agree(kit: Any) -> None:
    from pybpf.compiler.schema.record import replace
    from pybpf.compiler.schema.types import U16

    kit.maps["hash"] = replace(kit.maps["hash"], value=U16)
    with pytest.raises(LoadError, match="map 'hash' is declared as u32 -> u16"):
        load_object(kit)
