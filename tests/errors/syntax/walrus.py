from pybpf import PtRegs, kprobe, u64, var

hits = var(u64, 0)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    global hits
    if (hits := hits + 1) > 10:
        return
