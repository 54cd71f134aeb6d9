from pybpf import HashMap, PtRegs, kprobe, pid, u32, u64, comm

LIMIT = 10


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    who: int = pid()
    name: str = comm()
    share: float = pid()
    seen: list[u32] = pid()
    most: LIMIT = pid()
    raw: bytes = comm()
