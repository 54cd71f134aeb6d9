from pybpf import HashMap, PtRegs, Array, L, Struct, kprobe, pid, u32, u64


class Row(Struct):
    cells: Array[u64, L[8]]


rows = HashMap[u32, Row](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    row = rows.get(0)
    if row is None:
        return
    row.cells[8] = 1
    row.cells[-9] = 1
