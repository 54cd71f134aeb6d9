"""Memory that malloc() gave and nobody freed, by thread. After memleak of BCC, without stacks."""

from pybpf import HashMap, Struct, const, ktime, random, tid, u32, u64, uprobe, uretprobe


class Block(Struct):
    size: u64
    time: u64
    tid: u32


class Held(Struct):
    bytes: u64
    blocks: u64


min_size = const(u64, 0)
max_size = const(u64, (1 << 64) - 1)
sample = const(u32, 1)
sizes = HashMap[u32, u64](max_entries=10_240)
blocks = HashMap[u64, Block](max_entries=100_000)
held = HashMap[u32, Held](max_entries=10_240)


def alloc_enter(size: u64) -> None:
    if size < min_size or size > max_size:
        return
    if sample > 1 and random() % sample:
        return
    sizes[tid()] = size


def alloc_exit(address: u64) -> None:
    size = sizes.pop(tid(), None)
    if size is None or not address:
        return
    blocks[address] = Block(size=size, time=ktime(), tid=tid())
    h = held.setdefault(tid(), Held(bytes=0, blocks=0))
    if h is not None:
        h.bytes += size
        h.blocks += 1


@uprobe("c", "malloc")
def malloc_enter(size: u64) -> None:
    alloc_enter(size)


@uretprobe("c", "malloc")
def malloc_exit(address: u64) -> None:
    alloc_exit(address)


@uprobe("c", "calloc")
def calloc_enter(count: u64, size: u64) -> None:
    alloc_enter(count * size)


@uretprobe("c", "calloc")
def calloc_exit(address: u64) -> None:
    alloc_exit(address)


@uprobe("c", "free")
def free_enter(address: u64) -> None:
    block = blocks.get(address)
    if block is None:
        return
    h = held.get(block.tid)
    if h is not None:
        h.bytes -= block.size
        h.blocks -= 1
    del blocks[address]
