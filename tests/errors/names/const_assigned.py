from pybpf import PtRegs, const, kprobe, pid, u32, Struct, u64


class Settings(Struct):
    limit: u64


only_pid = const(u32, 0)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    global only_pid
    only_pid = pid()
    only_pid += 1
