"""Maps with names in a bpf file system, and maps that somebody else made."""

from __future__ import annotations

import os
import subprocess
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import (
    XDP,
    Array,
    HashMap,
    L,
    LoadError,
    PerCpuHash,
    PybpfError,
    Queue,
    SpinLock,
    Struct,
    Text,
    XdpContext,
    be16,
    i16,
    i32,
    load,
    open_map,
    u32,
    u64,
    xdp,
)
from pybpf.runtime.errors import ObjectClosed
from tests.maps.bpffs import in_bpffs
from tests.proofs import prove

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

PACKET = bytes(64)


class State(IntEnum):
    NEW = 0
    OLD = 7


class Inner(Struct):
    port: be16
    delta: i16


class Record(Struct):
    lock: SpinLock = SpinLock()
    state: State
    name: Text[L[8]]
    inner: Inner
    numbers: Array[i32, L[2]]
    good: bool


hits = HashMap[u32, u64](max_entries=8, pin=True)
records = HashMap[u32, Record](max_entries=8)
per_cpu = PerCpuHash[u32, u64](max_entries=8)
jobs = Queue[u64](4)


@xdp
def count(pkt: XdpContext) -> XDP:
    hits[1] += 1
    per_cpu[1] += 1
    jobs.push(3)
    inner = Inner(port=80, delta=-2)
    records[1] = Record(state=State.OLD, name="one", inner=inner, numbers=Array([-1, 2]), good=True)
    return XDP.PASS


other_hits = HashMap[u32, u32](max_entries=16, name="hits", pin=True)


@xdp
def other(pkt: XdpContext) -> XDP:
    other_hits[1] += 1
    return XDP.PASS


def test_pinned_by_name(tmp_path: Path) -> None:
    def test() -> None:
        place = tmp_path / "deep"
        with load(count, pin_path=str(place)) as obj:
            obj.programs["count"].test(PACKET)
            assert os.listdir(place) == ["hits"] and obj[hits][1] == 1
        with load(count, pin_path=str(place)) as obj:
            obj.programs["count"].test(PACKET)
            assert obj[hits][1] == 2
            with open_map(place / "hits") as same:
                assert same.id == obj[hits].id and dict(same) == {1: 2}
                same[5] = 6
            assert obj[hits][5] == 6
            with pytest.raises(ObjectClosed):
                _ = same[5]
        prove("map", "HASH", "pin")
        with pytest.raises(LoadError, match="can't take over the one that is pinned") as caught:
            load(other, pin_path=str(place))
        assert "its value size is 8, the declaration's 4; its max_entries is 8, the declaration's 16" in str(
            caught.value
        )
        assert f"rm {place}/hits" in str(caught.value)

    in_bpffs(tmp_path, test)


def test_pin_and_unpin(tmp_path: Path) -> None:
    def test() -> None:
        path = tmp_path / "state"
        with load(count, pin_path=str(tmp_path)) as obj:
            obj[records].pin(path)
            with pytest.raises(PybpfError, match="state is there already"):
                obj[per_cpu].pin(path)
            with pytest.raises(PybpfError, match="is the name of another map than map 'per_cpu'"):
                obj[per_cpu].unpin(path)
            obj[jobs].pin(tmp_path / "jobs")
            obj.programs["count"].test(PACKET)
        opened = open_map(path)
        assert opened[1].name == "one"
        opened.unpin(path)
        assert not path.exists()
        with pytest.raises(KeyError, match=f"there is no pinned map at {path}"):
            opened.unpin(path)
        opened.close()
        opened.close()
        with open_map(tmp_path / "jobs", Queue[u64]) as queue:
            assert queue.pop() == 3 and queue.pop() is None
        for kind in ("HASH", "QUEUE"):
            prove("map", kind, "pin")

    in_bpffs(tmp_path, test)


def test_types_from_btf(tmp_path: Path) -> None:
    with _loaded(tmp_path) as obj:
        obj.programs["count"].test(PACKET)
        with open_map(obj[records].id) as opened:
            record = opened[1]
            assert (int(record.state), record.name, record.good, list(record.numbers)) == (7, "one", True, [-1, 2])
            assert record.state.name == "OLD" and record.inner.port == 80 and record.inner.delta == -2
            record.name = "two"
            opened[2] = record
            assert obj[records][2].name == "two" and obj[records][2].state is State.OLD
        with open_map(obj[per_cpu].id) as opened:
            assert opened[1].sum() == 1
        with open_map(obj[hits].id, HashMap[u32, u64]) as typed:
            assert typed[1] == 1
        with pytest.raises(PybpfError, match="map 'hits' has a value of 8 bytes, and u32 has 4"):
            open_map(obj[hits].id, HashMap[u32, u32])
        with pytest.raises(PybpfError, match="map 'hits' is a HASH, not a PERCPU_HASH"):
            open_map(obj[hits].id, PerCpuHash[u32, u64])
        with pytest.raises(TypeError, match="takes a type of map with its types"):
            open_map(obj[hits].id, HashMap)
        with pytest.raises(KeyError, match="there is no map with id 4294967295"):
            open_map(0xFFFF_FFFF)


class _loaded:
    """The program loaded, with its pins in a file system that is gone at once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.obj: Any = None

    def __enter__(self) -> Any:
        def make() -> None:
            self.obj = load(count, pin_path=str(self.directory))

        in_bpffs(self.directory, make)
        return self.obj

    def __exit__(self, *_: object) -> None:
        self.obj.close()


def test_no_bpf_file_system(tmp_path: Path) -> None:
    with pytest.raises(
        PybpfError, match=r"map 'hits' can't be pinned in .*: no bpf file system is mounted there"
    ) as caught:
        load(count, pin_path=str(tmp_path))
    assert "mount -t bpf bpf /sys/fs/bpf" in str(caught.value)
    with _loaded(tmp_path) as obj, pytest.raises(PybpfError, match="no bpf file system is mounted there"):
        obj[hits].pin(tmp_path / "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(PybpfError):
        open_map(tmp_path / "file")
    with pytest.raises(KeyError):
        open_map(tmp_path / "nothing")


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    with _loaded(tmp_path) as obj:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            open_map(obj[records].id).close()
            with pytest.raises(PybpfError):
                open_map(obj[records].id, HashMap[u32, u32])
        assert len(os.listdir("/proc/self/fd")) == before


def test_bpftool_reads_it(tmp_path: Path) -> None:
    if subprocess.run(["sh", "-c", "command -v bpftool"], capture_output=True).returncode:
        pytest.skip("no bpftool to compare with")
    with _loaded(tmp_path) as obj:
        obj[hits][3] = 4
        command = ["bpftool", "-j", "map", "dump", "id", str(obj[hits].id)]
        assert b'"key":3,"value":4' in subprocess.run(command, capture_output=True, check=True).stdout
