from pybpf import PtRegs, Target, kprobe, u64

TARGET = Target(kernel=(5, 15))


@kprobe("do_unlinkat")
def collatz(ctx: PtRegs, n: u64) -> None:
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1


@kprobe("do_unlinkat")
def spin(ctx: PtRegs, n: u64) -> None:
    while True:
        n += 1
        if n % 7 == 0:
            break


@kprobe("do_unlinkat")
def length(ctx: PtRegs, n: u64) -> None:
    i = 0
    while i < n:
        i += 1
