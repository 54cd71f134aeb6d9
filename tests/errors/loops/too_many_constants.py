from pybpf import HashMap, TracepointContext, tracepoint, u32, u64

PRIMES = tuple(n for n in range(2, 400) if all(n % d for d in range(2, n)))
counts = HashMap[u32, u64](max_entries=128)


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    for prime in PRIMES:
        if ctx.next_pid % prime == 0:
            counts[prime] += 1
