"""Latency of file operations as a histogram for each kind. After fsdist of libbpf-tools."""

from enum import IntEnum

from pybpf import Array, ArrayMap, HashMap, L, Struct, const, kprobe, kretprobe, ktime, pid, tid, u32, u64

SLOTS = 32


class Op(IntEnum):
    READ = 0
    WRITE = 1
    OPEN = 2
    FSYNC = 3


class Hist(Struct):
    slots: Array[u32, L[SLOTS]]


only_pid = const(u32, 0)
in_ms = const(bool, False)
starts = HashMap[u32, u64](max_entries=10_240)
hists = ArrayMap[Hist](len(Op))


def log2(v: u64) -> u32:
    r: u32 = 0
    for shift in (32, 16, 8, 4, 2, 1):
        if v >> shift:
            v >>= shift
            r += shift
    return r


def enter() -> None:
    if not only_pid or pid() == only_pid:
        starts[tid()] = ktime()


def leave(op: Op) -> None:
    began = starts.pop(tid(), None)
    if began is None:
        return
    delta = (ktime() - began) // (1_000_000 if in_ms else 1000)
    hists[op].slots[min(log2(delta), SLOTS - 1)] += 1


@kprobe("ext4_file_read_iter")
def read_enter() -> None:
    enter()


@kretprobe("ext4_file_read_iter")
def read_leave() -> None:
    leave(Op.READ)


@kprobe("ext4_file_write_iter")
def write_enter() -> None:
    enter()


@kretprobe("ext4_file_write_iter")
def write_leave() -> None:
    leave(Op.WRITE)


@kprobe("ext4_file_open")
def open_enter() -> None:
    enter()


@kretprobe("ext4_file_open")
def open_leave() -> None:
    leave(Op.OPEN)


@kprobe("ext4_sync_file")
def fsync_enter() -> None:
    enter()


@kretprobe("ext4_sync_file")
def fsync_leave() -> None:
    leave(Op.FSYNC)
