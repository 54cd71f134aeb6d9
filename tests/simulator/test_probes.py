"""Probes in plain Python: arguments are given by name, also those that a program finds by way of its context."""

from __future__ import annotations

from pybpf import (
    HashMap,
    L,
    PerfEventContext,
    Simulation,
    Text,
    UsdtContext,
    i32,
    kprobe,
    kretprobe,
    ksyscall,
    perf_event,
    u32,
    u64,
    usdt,
    user_str,
)
from pybpf.kernel import filename  # noqa: TC001

numbers = HashMap[u32, u64](max_entries=8)
paths = HashMap[u32, Text[L[32]]](max_entries=8)


@kprobe("do_unlinkat")
def unlinking(name: filename, dfd: i32) -> None:
    numbers[0] = u64(dfd + 200)
    numbers[1] = u64(name.uptr)


@kretprobe("do_unlinkat")
def unlinked(result: i32) -> None:
    numbers[2] = u64(-result)


@ksyscall("openat")
def opening(filename: u64, flags: i32, dfd: i32) -> None:
    paths[0] = user_str(filename)
    numbers[3] = u64(flags)


@usdt("libc", "libc", "setjmp")
def jumping(ctx: UsdtContext, buffer: u64, value: i32) -> None:
    numbers[4] = buffer
    numbers[5] = u64(value)


@perf_event
def sampled(ctx: PerfEventContext) -> None:
    numbers[6] = ctx.addr + ctx.ip


def test_arguments_by_name() -> None:
    sim = Simulation()
    sim.run(unlinking, dfd=-100, name={"uptr": 0x7000})
    sim.run(unlinked, result=-2)
    sim.run(opening, filename=sim.user.put("/etc/passwd"), flags=0o101)
    sim.run(jumping, buffer=0x1234, value=-1 & 0xFFFFFFFF)
    sim.run(sampled, addr=5, ip=6)
    seen = sim[numbers]
    assert [seen[n] for n in (0, 1, 2, 3, 4)] == [100, 0x7000, 2, 0o101, 0x1234]
    assert seen[5] == (1 << 64) - 1 and seen[6] == 11
    assert sim[paths][0] == "/etc/passwd"
