from pybpf import HashMap, PtRegs, Struct, kprobe, pid, u8, u16, u32, i32, u64


class Limits(Struct):
    ttl: u8
    offset: i32


limits = HashMap[u32, Limits](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    flags: u32 = -1
    port: u16 = 70000
    limits[0] = Limits(ttl=256, offset=0x80000000)
    limits[1 << 32] = Limits(ttl=1, offset=0)
    if pid() == 1 << 64:
        return
