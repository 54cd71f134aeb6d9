"""Operations of a file system that take longer than a limit, with the file's name. After ext4slower of BCC."""

from pybpf import (
    HashMap,
    L,
    RingBuffer,
    Struct,
    Text,
    comm,
    const,
    i32,
    i64,
    kernel_str,
    kprobe,
    kretprobe,
    ktime,
    pid,
    tid,
    u8,
    u32,
    u64,
)
from pybpf.kernel import file, kiocb


class Start(Struct):
    time: u64
    file: u64
    begin: i64
    end: i64


class Slow(Struct):
    delta_us: u64
    offset: i64
    size: i64
    pid: u32
    op: u8
    comm: Text[L[16]]
    file: Text[L[32]]


min_us = const(u64, 10_000)
starts = HashMap[u32, Start](max_entries=8192)
slow = RingBuffer[Slow](64 * 1024)


def enter(f: u64, begin: i64, end: i64) -> None:
    starts[tid()] = Start(time=ktime(), file=f, begin=begin, end=end)


def leave(op: u8, size: i64) -> None:
    start = starts.get(tid())
    if start is None:
        return
    delta_us = (ktime() - start.time) // 1000
    if delta_us > min_us:
        name = file(start.file).f_path.dentry.d_name.name
        slow.emit(
            Slow(delta_us=delta_us, offset=start.begin, size=size, pid=pid(), op=op, comm=comm(), file=kernel_str(name))
        )
    del starts[tid()]


@kprobe("ext4_file_read_iter")
def read_enter(iocb: kiocb) -> None:
    enter(u64(iocb.ki_filp), iocb.ki_pos, 0)


@kretprobe("ext4_file_read_iter")
def read_leave(ret: i64) -> None:
    leave(ord("R"), ret)


@kprobe("ext4_sync_file")
def sync_enter(file: file, start: i64, end: i64) -> None:
    enter(u64(file), start, end)


@kretprobe("ext4_sync_file")
def sync_leave(ret: i32) -> None:
    leave(ord("S"), ret)
