from pybpf import PtRegs, HashMap, kprobe, pid, u32, u64


class Settings:
    limit = 10


totals = [0, 0]
settings = Settings()
counts = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    totals[0] += 1
    settings.limit = 5
    totals[1] = pid()
