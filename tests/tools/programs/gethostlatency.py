"""How long look-ups of host names take. After gethostlatency of libbpf-tools."""

from pybpf import HashMap, L, RingBuffer, Struct, Text, comm, ktime, pid, tid, u32, u64, uprobe, uretprobe, user_str


class Lookup(Struct):
    time: u64
    pid: u32
    comm: Text[L[16]]
    host: Text[L[80]]


starts = HashMap[u32, Lookup](max_entries=4096)
lookups = RingBuffer[Lookup](64 * 1024)


def enter(name: u64) -> None:
    starts[tid()] = Lookup(time=ktime(), pid=pid(), comm=comm(), host=user_str(name))


def leave() -> None:
    lookup = starts.get(tid())
    if lookup is not None:
        lookup.time = ktime() - lookup.time
        lookups.emit(lookup)
        del starts[tid()]


@uprobe("c", "getaddrinfo")
def enter_getaddrinfo(name: u64) -> None:
    enter(name)


@uretprobe("c", "getaddrinfo")
def leave_getaddrinfo() -> None:
    leave()


@uprobe("c", "gethostbyname")
def enter_gethostbyname(name: u64) -> None:
    enter(name)


@uretprobe("c", "gethostbyname")
def leave_gethostbyname() -> None:
    leave()
