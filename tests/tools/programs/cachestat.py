"""Hits and misses of the page cache. After cachestat of libbpf-tools."""

from pybpf import TracepointContext, i64, kprobe, tracepoint, var

total = var(i64, 0)  # accesses
misses = var(i64, 0)
dirtied = var(i64, 0)


@kprobe("folio_mark_accessed")
def accessed() -> None:
    global total
    total += 1


@kprobe("mark_buffer_dirty")
def buffer_dirty() -> None:
    global total, dirtied
    total -= 1
    dirtied += 1


@kprobe("filemap_add_folio")
def added() -> None:
    global misses
    misses += 1


@tracepoint("writeback:writeback_dirty_folio")
def folio_dirty(ctx: TracepointContext) -> None:
    global misses, dirtied
    misses -= 1
    dirtied += 1
