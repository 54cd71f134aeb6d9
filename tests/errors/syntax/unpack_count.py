from pybpf import PtRegs, kprobe, pid, tid

PORTS = (80, 443, 8080)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    a, b, c = pid(), tid()
    plain, tls = PORTS
