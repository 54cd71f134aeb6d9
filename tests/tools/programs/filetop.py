"""Reads and writes by file and process. After filetop of libbpf-tools."""

from pybpf import HashMap, L, Struct, Text, comm, const, kernel_str, kprobe, pid, tid, u32, u64
from pybpf.kernel import file

S_IFMT, S_IFREG = 0o170000, 0o100000


class FileId(Struct):
    inode: u64
    dev: u32
    pid: u32
    tid: u32


class FileStat(Struct):
    reads: u64
    read_bytes: u64
    writes: u64
    write_bytes: u64
    comm: Text[L[16]]
    name: Text[L[32]]


only_pid = const(u32, 0)
regular_only = const(bool, True)
files = HashMap[FileId, FileStat](max_entries=10_240)


def account(f: file, count: u64, write: bool) -> None:
    if only_pid and pid() != only_pid:
        return
    inode = f.f_inode
    if regular_only and inode.i_mode & S_IFMT != S_IFREG:
        return
    key = FileId(inode=inode.i_ino, dev=inode.i_sb.s_dev, pid=pid(), tid=tid())
    stat = files.get(key)
    if stat is None:
        name = f.f_path.dentry.d_name.name
        files[key] = FileStat(reads=0, read_bytes=0, writes=0, write_bytes=0, comm=comm(), name=kernel_str(name))
        stat = files.get(key)
        if stat is None:
            return
    if write:
        stat.writes += 1
        stat.write_bytes += count
    else:
        stat.reads += 1
        stat.read_bytes += count


@kprobe("vfs_read")
def on_read(file: file, count: u64) -> None:
    account(file, count, False)


@kprobe("vfs_write")
def on_write(file: file, count: u64) -> None:
    account(file, count, True)
