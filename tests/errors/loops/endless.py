from pybpf import PtRegs, kprobe, u64


@kprobe("do_unlinkat")
def spin(ctx: PtRegs, n: u64) -> None:
    while True:
        n += 1
        if n % 7 == 0:
            continue


@kprobe("do_unlinkat")
def from_beyond(ctx: PtRegs, n: u64) -> None:
    total = 0
    for i in range(n, 0, -1):
        total += i
