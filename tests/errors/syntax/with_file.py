from pybpf import HashMap, PtRegs, kprobe, u32, u64

counts = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    with open("/tmp/log") as log:
        log.write("read")
