"""Full paths by d_path(), where the kernel takes such programs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pybpf import L, LoadError, NotPermitted, RingBuffer, Simulation, Struct, Text, d_path, fentry, load, pid, u32, var
from pybpf.kernel import file  # noqa: TC001 - read at run time

if TYPE_CHECKING:
    from pathlib import Path


class Closed(Struct):
    path: Text[L[128]]


only = var(u32, 0)
closed = RingBuffer[Closed](64 * 1024)


@fentry("filp_close")
def closes(filp: file) -> None:
    if pid() == only:
        closed.emit(Closed(path=d_path(filp.f_path)))


@pytest.mark.kernel
@pytest.mark.guest
@pytest.mark.skipif(os.geteuid() != 0, reason="loading programs needs root")
def test_the_path_of_a_file(tmp_path: Path) -> None:
    try:
        obj = load(closes, only=os.getpid())
    except (LoadError, NotPermitted) as error:
        pytest.skip(f"this kernel refuses fentry: {str(error).splitlines()[0]}")
    short, long = tmp_path / "short", tmp_path / ("y" * 140)
    with obj, obj.attach():
        for path in (short, long):
            path.write_text("x")
        found = [event.path for event in obj[closed].poll_for(0.5)]
    assert str(short) in found
    assert str(long) not in found and "" in found  # it does not fit, and then there is none


def test_a_simulation_is_told_the_path() -> None:
    sim = Simulation(pid=7, only=7)
    sim.helper("bpf_d_path", lambda path, into, size: into.write(b"/etc/passwd".ljust(size, b"\0")))
    sim.run(closes, filp={"f_path": {}})
    assert [event.path for event in sim[closed]] == ["/etc/passwd"]
