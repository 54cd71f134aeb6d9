"""Each feature of the language, on the same packets in the kernel and in the simulator: all that can be seen agrees."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from pybpf import load
from pybpf.program import Program
from pybpf.simulator import Simulation
from tests.simulator import features

PROGRAMS = [value for value in vars(features).values() if isinstance(value, Program)]
MAPS = ("results", "seen", "names", "percpu", "counts", "big_map")


def head(
    kind: int, a: int = 7, b: int = 9, text: bytes = b"abc", wide: int = 5, small: int = -3, cells=(1, 2, 3)
) -> bytes:  # type: ignore[no-untyped-def]
    return struct.pack("<BI", kind, a) + struct.pack(">H9s5sI", b, text, bytes(range(5)), 0xDEADBEEF) + struct.pack(
        "<Qb3H", wide, small, *cells) + bytes(8)  # fmt: skip


def udp(options: int, version: int = 4) -> bytes:
    ip = bytes([version << 4 | 5 + options]) + bytes(19) + bytes(range(4 * options))
    return bytes(12) + b"\x08\x00" + ip + struct.pack(">HHHH", 53, 4000, 8, 0)


PACKETS = [
    bytes(14),
    *[head(kind) for kind in (0, 1, 2, 3, 10, 11, 12, 20, 21, 22, 200)],
    head(1, a=0xFFFF_FFFF, b=0xFFFF, text=b"123456789", wide=(1 << 64) - 1, small=127, cells=(65535, 5, 0)),
    head(6, a=0, b=1, text=b"12345678", wide=1 << 63, small=-128, cells=(3, 3, 3)),
    head(9, text=b"ab\0rest..", wide=30000, cells=(2, 1, 9)),
    head(27, text=b"", wide=999, cells=(9, 4, 1)),
    head(31, b=299, wide=1001, cells=(4, 9, 5)),
    *[udp(options) for options in (0, 1, 10)],
    udp(10)[:-1],
    udp(0, 6)[:40],
]


def plain(value: Any) -> Any:
    """Values of either world that compare equal."""
    return dict(sorted(value.items(), key=repr)) if hasattr(value, "items") else value


def seeded(maps: Any) -> None:
    maps[features.big_map][0] = features.Big(n=1, data=list(range(120)))
    maps[features.big_map][1] = features.Big(n=5, data=[0] * 120)


def simulate(program: Any) -> tuple[list[Any], Simulation]:
    from pybpf.runtime.mapops import possible_cpus

    sim = Simulation(cpus=possible_cpus())
    seeded(sim)
    return [(out.retval, out.packet) for out in [sim.run(program, packet) for packet in PACKETS]], sim


@pytest.mark.kernel
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_kernel_and_simulator_agree(program: Any) -> None:
    want, sim = simulate(program)
    with load(program) as obj:
        if "big_map" in obj.maps:
            seeded(obj)
        got = [obj.programs[program.name].test(packet) for packet in PACKETS]
        assert [(result.retval, result.packet) for result in got] == want
        for name in MAPS:
            if name not in obj.maps:
                continue
            declaration = getattr(features, name)
            held, expected = plain(obj[declaration]), plain(sim[declaration])
            if name == "percpu":  # the kernel chooses the CPU
                held = {key: sum(cpus) for key, cpus in held.items()}
                expected = {key: sum(cpus) for key, cpus in expected.items()}
            assert held == expected, name
        for name in ("events", "bigs"):
            if name in obj.maps:
                assert obj[getattr(features, name)].read() == list(sim[getattr(features, name)])


def test_something_happens() -> None:
    """The packets reach what the programs are for."""
    for program in PROGRAMS:
        results, sim = simulate(program)
        assert len({retval for retval, _ in results}) > 1, program
        if program.name == "prints":
            assert "abc         |-3|0xdeadbeef|True|00000007|100%" in sim.printed
