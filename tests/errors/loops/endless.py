from pybpf import PtRegs, u64, uprobe


@uprobe("libc", "labs")
def spin(ctx: PtRegs, n: u64) -> None:
    while True:
        n += 1
        if n % 7 == 0:
            continue


@uprobe("libc", "labs")
def from_beyond(ctx: PtRegs, n: u64) -> None:
    total = 0
    for i in range(n, 0, -1):
        total += i
