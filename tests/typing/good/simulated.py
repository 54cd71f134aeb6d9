"""A simulation in a test, as pyright and mypy see it."""

from pybpf import HashMap, PerCpuHash, RingBuffer, Simulation, Struct, TracepointContext, tracepoint, u32, u64


class Event(Struct):
    pid: u32


paths = HashMap[u32, u64](max_entries=16)
hits = PerCpuHash[u32, u64](max_entries=16)
events = RingBuffer[Event](4096)


@tracepoint("syscalls:sys_enter_openat")
def enter(ctx: TracepointContext) -> None:
    paths[1] = 2


def test() -> None:
    result = enter.simulate(filename=0x1000)
    code: int = result.retval
    address: int = result[paths][1]
    with Simulation(pid=7, comm="cat", user_memory={0x1000: "/etc/passwd"}) as sim:
        sim.run(enter, filename=0x1000)
        seen: Event = sim[events][0]
        total: int = sim[hits][1].sum()
        lines: list[str] = sim.printed
    print(code, address, seen.pid, total, lines)
