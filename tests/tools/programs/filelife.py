"""Files that are made and removed soon after. After filelife of libbpf-tools."""

from pybpf import HashMap, L, RingBuffer, Struct, Text, comm, kernel_str, kprobe, ktime, pid, u32, u64
from pybpf.kernel import dentry


class Life(Struct):
    age: u64
    pid: u32
    comm: Text[L[16]]
    file: Text[L[32]]


created = HashMap[u64, u64](max_entries=8192)  # dentry -> when
lives = RingBuffer[Life](64 * 1024)


@kprobe("vfs_create")
def on_create(dentry: dentry) -> None:
    created[u64(dentry)] = ktime()


@kprobe("vfs_unlink")
def on_unlink(dentry: dentry) -> None:
    began = created.pop(u64(dentry), None)
    if began is not None:
        lives.emit(Life(age=ktime() - began, pid=pid(), comm=comm(), file=kernel_str(dentry.d_name.name)))
