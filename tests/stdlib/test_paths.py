"""Full paths by d_path(), where the kernel takes such programs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pybpf import L, LoadError, NotPermitted, RingBuffer, Simulation, Struct, Text, d_path, fentry, load, pid, u32, var
from pybpf.kernel import file, path  # noqa: TC001 - read at run time

if TYPE_CHECKING:
    from pathlib import Path


class Seen(Struct):
    path: Text[L[128]]


only = var(u32, 0)
seen = RingBuffer[Seen](64 * 1024)


@fentry("vfs_fallocate")
def allocates(file: file) -> None:
    if pid() == only:
        seen.emit(Seen(path=d_path(file.f_path)))


@fentry("vfs_truncate")
def truncates(path: path) -> None:
    if pid() == only:
        seen.emit(Seen(path=d_path(path)))


@pytest.mark.kernel
@pytest.mark.guest
@pytest.mark.skipif(os.geteuid() != 0, reason="loading programs needs root")
def test_the_path_of_a_file(tmp_path: Path) -> None:
    try:
        obj = load(allocates, truncates, only=os.getpid())
    except (LoadError, NotPermitted) as error:
        pytest.skip(f"this kernel refuses fentry: {str(error).splitlines()[0]}")
    short, long = tmp_path / "short", tmp_path / ("y" * 140)
    with obj, obj.attach():
        for file in (short, long):
            file.write_text("x")
            os.truncate(file, 100)
            with file.open("r+") as opened:
                os.posix_fallocate(opened.fileno(), 0, 10)
        found = [event.path for event in obj[seen].poll_for(0.5)]
    assert found[:2] == [str(short), str(short)]
    assert found[2:] == [str(long)[-127:], str(long)[-127:]]  # what does not fit is cut in front


def test_a_simulation_is_told_the_path() -> None:
    sim = Simulation(pid=7, only=7)
    sim.helper("bpf_d_path", lambda path, into, size: into.write(b"/etc/passwd".ljust(size, b"\0")))
    sim.run(allocates, file={"f_path": {}})
    assert [event.path for event in sim[seen]] == ["/etc/passwd"]
