from pybpf import PtRegs, Target, u64, uprobe

TARGET = Target(kernel=(5, 15))


@uprobe("libc", "labs")
def collatz(ctx: PtRegs, n: u64) -> None:
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1


@uprobe("libc", "labs")
def spin(ctx: PtRegs, n: u64) -> None:
    while True:
        n += 1
        if n % 7 == 0:
            break


@uprobe("libc", "labs")
def length(ctx: PtRegs, n: u64) -> None:
    i = 0
    while i < n:
        i += 1
