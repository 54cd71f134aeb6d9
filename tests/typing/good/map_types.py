"""All kinds of maps, in the program and in user space, with their types."""

from __future__ import annotations

from typing_extensions import assert_type

from pybpf import (
    XDP,
    ArrayMap,
    ArrayOfMaps,
    BloomFilter,
    CgroupArray,
    HashMap,
    HashOfMaps,
    LpmTrie,
    LruPerCpuHash,
    Queue,
    Stack,
    Struct,
    XdpContext,
    be32,
    load,
    open_map,
    u32,
    u64,
    xdp,
)
from pybpf.runtime.maps import LoadedMap, PerCpu


class Prefix(Struct):
    bits: u32
    addr: be32


class Job(Struct):
    number: u64


routes = LpmTrie[Prefix, u32](max_entries=16)
recent = LruPerCpuHash[u32, u64](max_entries=16, no_common_lru=True)
jobs = Queue[Job](16)
undo = Stack[u64](16)
seen = BloomFilter[u64](100, hashes=3)
groups = CgroupArray(4)
slots = ArrayOfMaps[HashMap[u32, u64]](4, inner=HashMap[u32, u64](8))
rows = HashOfMaps[u32, ArrayMap[Job]](max_entries=4, inner=ArrayMap[Job](8))
fixed = ArrayMap[u64](16, mmapable=True, numa_node=0)
plain = HashMap[u32, u64](max_entries=16, pin=True)


@xdp
def route(pkt: XdpContext) -> XDP:
    hop = routes.get(Prefix(bits=32, addr=1))
    assert_type(hop, int | None)
    job = jobs.pop()
    assert_type(job, Job | None)
    if job is not None and undo.push(job.number, drop_oldest=True) and job.number not in seen:
        seen.add(job.number)
    table = slots.get(1)
    assert_type(table, HashMap[int, int] | None)
    if table is not None:
        table[3] += 1
    if groups.holds_current(0) and plain.insert(1, 2) and plain.set(3, 4, lock=False):
        return XDP.DROP
    return XDP.PASS


def main() -> None:
    with load(route, pin_path="/sys/fs/bpf/app") as obj:
        assert_type(obj[routes][Prefix(bits=32, addr=1)], int)
        assert_type(obj[recent], LoadedMap[int, PerCpu[int]])
        assert_type(obj[jobs].pop(), Job | None)
        assert_type(obj[undo].drain(), list[int])
        obj[groups][0] = "/sys/fs/cgroup"
        assert_type(obj[slots][1], LoadedMap[int, int])
        assert_type(obj[rows][1][2], Job)
        assert_type(obj[plain].drain(), list[tuple[int, int]])
        print(5 in obj[seen], obj[fixed][3], obj[plain].insert(1, 2), obj[plain].info.id)
    with open_map("/sys/fs/bpf/app/plain", HashMap[u32, u64]) as opened:
        assert_type(opened, LoadedMap[int, int])


if __name__ == "__main__":
    main()
