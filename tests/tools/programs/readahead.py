"""Pages read ahead: how many were used, and how soon. After readahead of libbpf-tools."""

from pybpf import Array, HashMap, L, Struct, kprobe, kretprobe, ktime, tid, u32, u64, var

SLOTS = 20


class Hist(Struct):
    unused: u32
    total: u32
    slots: Array[u32, L[SLOTS]]


inside = HashMap[u32, u64](max_entries=10_240)
birth = HashMap[u64, u64](max_entries=10_240)
hist = var(Hist)


def log2(v: u64) -> u32:
    r: u32 = 0
    for shift in (32, 16, 8, 4, 2, 1):
        if v >> shift:
            v >>= shift
            r += shift
    return r


@kprobe("do_page_cache_ra")
def enter() -> None:
    inside[tid()] = 0


@kretprobe("do_page_cache_ra")
def leave() -> None:
    del inside[tid()]


@kretprobe("filemap_alloc_folio")
def allocated(folio: u64) -> None:
    if tid() not in inside:
        return
    birth[folio] = ktime()
    hist.unused += 1
    hist.total += 1


@kprobe("folio_mark_accessed")
def accessed(folio: u64) -> None:
    began = birth.pop(folio, None)
    if began is None:
        return
    hist.unused -= 1
    hist.slots[min(log2((ktime() - began) // 1_000_000), SLOTS - 1)] += 1
