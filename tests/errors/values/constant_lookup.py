from pybpf import HashMap, PtRegs, kprobe, pid, u32, u64

counts = HashMap[u32, u64](max_entries=64)
PORTS = {"http": 80, "https": 443}
SIZES = (64, 128)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    counts[PORTS["ssh"]] += 1
    counts[SIZES[2]] += 1
    counts[int("0x10")] += 1
    counts[10**1000] += 1
