"""The examples' logic, tested as a user would: without root, without a kernel."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from typing import Any

import pytest

from pybpf import XDP
from pybpf.net import ipv6
from pybpf.simulator import Simulation
from tests.stdlib import frames

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_hello() -> None:
    hello = example("hello")
    result = hello.hello.simulate()
    assert result.printed == ["simulated [1000] opens a file"]
    assert result.retval == 0


def test_opensnoop() -> None:
    snoop = example("opensnoop")
    with Simulation(pid=7, tid=8, comm="cat") as sim:
        snoop.enter.simulate(filename=sim.user.put("/etc/passwd"))
        assert list(snoop.paths) == [8]
        snoop.leave.simulate(ret=3)
        snoop.leave.simulate(ret=4)  # an open that began before
        snoop.enter.simulate(filename=0xBAD)
        snoop.leave.simulate(ret=-14)
    assert sim[snoop.opens] == [
        snoop.Open(pid=7, ret=3, comm="cat", path="/etc/passwd"),
        snoop.Open(pid=7, ret=-14, comm="cat", path=""),
    ]
    assert dict(sim[snoop.paths]) == {}


def test_opensnoop_of_one_process() -> None:
    snoop = example("opensnoop")
    sim = Simulation(pid=7, only_pid=9)
    sim.run(snoop.enter, filename=1)
    assert len(sim[snoop.paths]) == 0
    sim[snoop.only_pid] = 7
    sim.run(snoop.enter, filename=1)
    assert dict(sim[snoop.paths]) == {7: 1}


def test_runqlat() -> None:
    lat = example("runqlat")
    task, other = (lat.task_struct(pid=pid, tgid=pid, __state=state) for pid, state in ((7, 1), (9, 0)))
    with Simulation(time=1_000_000) as sim:
        lat.woken.simulate(task=task)
        sim.time = 1_010_000
        lat.switched.simulate(preempt=True, before=other, after=task)  # `other` must wait for its turn now
        lat.switched.simulate(preempt=False, before=task, after=task)  # it was not waiting
        assert list(sim[lat.began]) == [9]
        assert [bucket for bucket in sim[lat.waits].buckets() if bucket.count] == [(8, 16, 1)]  # 9 microseconds


def test_runqlat_of_one_process() -> None:
    lat = example("runqlat")
    sim = Simulation(only_pid=7)
    for pid in (7, 8):
        sim.run(lat.born, task=lat.task_struct(pid=pid, tgid=pid))
    assert list(sim[lat.began]) == [7]


def test_execsnoop() -> None:
    snoop = example("execsnoop")
    sim = Simulation(pid=3, uid=1000, comm="sh")
    sim.run(snoop.on_exec, filename="/bin/true")
    sim.run(snoop.on_exec, filename="/" + "x" * 300)
    assert sim[snoop.execs] == [
        snoop.Exec(pid=3, uid=1000, comm="sh", file="/bin/true"),
        snoop.Exec(pid=3, uid=1000, comm="sh", file="/" + "x" * 126),
    ]


def test_malloc_sizes() -> None:
    malloc = example("malloc_sizes")
    sim = Simulation(pid=5)
    for size, address in ((100, 0x1000), (50, 0), (7, 0x2000)):
        sim.run(malloc.on_malloc, size=size)
        sim.run(malloc.on_return, address=address)
    sim.run(malloc.on_return, address=1)  # of a call that began before
    assert dict(sim[malloc.usage]) == {5: malloc.Usage(calls=3, bytes=157, failed=1)}


def test_syscount() -> None:
    count = example("syscount")
    program = next(p for p in vars(count).values() if type(p).__name__ == "Program")
    sim = Simulation(pid=11, comm="busy")
    for _ in range(3):
        sim.run(program)
    assert sim[count.calls].most_common() == [(count.Process(pid=11, comm="busy"), 3)]


@pytest.mark.parametrize(
    ("packet", "protocol"),
    [
        (bytes(12) + b"\x08\x00" + bytes(9) + b"\x06" + bytes(10), 6),
        (bytes(12) + b"\x08\x00" + bytes(9) + b"\x11" + bytes(9), None),  # one byte short of an IP header
        (bytes(12) + struct.pack(">HIHB", 0x86DD, 0, 0, 58) + bytes(33), 58),
        (bytes(12) + b"\x08\x06" + bytes(40), None),
        (bytes(13), None),
    ],
)
def test_xdp_count(packet: bytes, protocol: int | None) -> None:
    xdp = example("xdp_count")
    result = xdp.count.simulate(packet)
    assert result.retval == XDP.PASS
    assert result.packet == packet
    assert {k: v.sum() for k, v in result[xdp.packets].items() if v.sum()} == ({protocol: 1} if protocol else {})


def test_xdp_firewall() -> None:
    wall = example("xdp_firewall")

    def frame(source: int, port: int) -> bytes:
        return frames.ethernet(0x800, frames.ipv4(17, frames.udp(dport=port, source=source), source=source))

    sim = Simulation()
    sim[wall.blocked][ipv6("::ffff:10.0.0.9")] = 1
    assert sim.run(wall.firewall, frame(0x0A000009, 53)).retval == XDP.DROP
    assert sim.run(wall.firewall, frame(0x0A000008, 53)).retval == XDP.PASS
    assert [sim.run(wall.firewall, frame(0x0A000008, 9999)).retval for _ in range(7)] == [2, 2, 2, 2, 2, 1, 1]
    assert sim.run(wall.firewall, frame(0x0A000007, 9999)).retval == XDP.PASS
    assert sim.run(wall.firewall, bytes(60)).retval == XDP.PASS
    assert [(ipv6(flow.saddr), flow.dport, count) for flow, count in sim[wall.dropped].most_common()] == [
        ("::ffff:10.0.0.8", 9999, 2), ("::ffff:10.0.0.9", 53, 1),
    ]  # fmt: skip
