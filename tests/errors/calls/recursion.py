from pybpf import TracepointContext, pid, tracepoint, u32, u64


def factorial(n: u32) -> u64:
    if n < 2:
        return 1
    return n * factorial(n - 1)


def is_even(n: u32) -> bool:
    return n == 0 or is_odd(n - 1)


def is_odd(n: u32) -> bool:
    return n != 0 and is_even(n - 1)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    product = factorial(5)
    even = is_even(pid())
