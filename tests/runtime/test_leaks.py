"""Round after round of load, attach, use, detach, close leaves descriptors and memory where they were.

300 rounds by default; PYBPF_ROUNDS=10000 for the long run.
"""

from __future__ import annotations

import gc
import os
from typing import Any

import pytest

from pybpf.runtime import PybpfError, load_object, open_elf

pytestmark = pytest.mark.kernel
ROUNDS = int(os.environ.get("PYBPF_ROUNDS", "300"))


def resident() -> int:
    """This process's resident memory in KiB, anonymous pages only."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))


def mappings() -> int:
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        return sum(1 for _ in maps)


def measure() -> tuple[int, int, int]:
    gc.collect()
    return len(os.listdir("/proc/self/fd")), mappings(), resident()


def settled(round: Any, rounds: int) -> None:
    """Run `round` that often. Descriptors may not change; mappings and memory not grow over the second half."""
    round()
    first = len(os.listdir("/proc/self/fd"))
    for _ in range(rounds // 2):
        round()
    before = measure()
    for _ in range(rounds - rounds // 2):
        round()
    after = measure()
    assert first == before[0] == after[0]
    assert after[1] <= before[1] + 8
    assert after[2] <= before[2] + 1024, f"{after[2] - before[2]} KiB more after {rounds} rounds"


def test_load_attach_read_close(kit: Any) -> None:
    """Raw tracepoints, which detach in no time."""

    def round() -> None:
        with load_object(kit, globals={"only_pid": os.getpid()}) as obj:
            with obj.programs["raw"].attach():
                os.getppid()
            assert obj["events"].read() == []
            assert dict(obj["hash"]) == {1: 1} and obj["total"] == 0

    settled(round, ROUNDS)


def test_perf_links(kit: Any) -> None:
    """Tracepoints and uprobes: the kernel waits for all its CPUs at each detaching, tens of milliseconds."""

    def round() -> None:
        with load_object(kit, globals={"only_pid": os.getpid()}).attach(ingress=None, raw=None) as obj:
            os.getppid()
            assert len(obj["events"].read()) == 1

    settled(round, ROUNDS // 50)


def test_failures(build_c: Any) -> None:
    elf = build_c("rejected")

    def round() -> None:
        with pytest.raises(PybpfError):
            open_elf(elf)

    settled(round, ROUNDS // 3)
