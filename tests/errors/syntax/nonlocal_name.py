from pybpf import PtRegs, kprobe


def counting():
    total = 0

    @kprobe("vfs_read")
    def count(ctx: PtRegs) -> None:
        nonlocal total
        total += 1

    return count


probe = counting()
