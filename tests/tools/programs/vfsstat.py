"""Calls of the virtual file system by kind. After vfsstat of libbpf-tools."""

from enum import IntEnum

from pybpf import ArrayMap, kprobe, u64


class Call(IntEnum):
    READ = 0
    WRITE = 1
    FSYNC = 2
    OPEN = 3
    CREATE = 4


calls = ArrayMap[u64](5)


def count(call: Call) -> None:
    calls[call] += 1


@kprobe("vfs_read")
def on_read() -> None:
    count(Call.READ)


@kprobe("vfs_write")
def on_write() -> None:
    count(Call.WRITE)


@kprobe("vfs_fsync_range")
def on_fsync() -> None:
    count(Call.FSYNC)


@kprobe("vfs_open")
def on_open() -> None:
    count(Call.OPEN)


@kprobe("vfs_create")
def on_create() -> None:
    count(Call.CREATE)
