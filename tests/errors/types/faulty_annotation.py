from pybpf import Array, L, PtRegs, kprobe, pid, u8, Text


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    digits: Array[u8, L[0]] = Array[u8, L[0]]()
    name: Text[16] = "x"
