"""A cgroup of a test's own, programs attached to it, and functions that run in a process inside it."""

from __future__ import annotations

import os
import pickle
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pybpf import load
from pybpf.runtime.links.cgroups import cgroup_mounts
from tests.proofs import prove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.runtime.object import LoadedObject

__all__ = ["HERE", "attached", "failing", "fired", "inside", "listener", "own_cgroup"]

HERE = "127.0.0.1"


@contextmanager
def own_cgroup() -> Iterator[str]:
    """The directory of a new cgroup below the mount of cgroup2; empty, and removed at the end."""
    path = tempfile.mkdtemp(prefix="pybpf-test-", dir=cgroup_mounts()[0])
    try:
        yield path
    finally:
        os.rmdir(path)


def inside(cgroup: str, work: Callable[[], Any]) -> Any:
    """What `work` gives in a child process that is moved into the cgroup first; an OSError that it raises is raised."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            (Path(cgroup) / "cgroup.procs").write_text(str(os.getpid()))
            try:
                outcome: Any = (True, work())
            except OSError as error:
                outcome = (False, error.errno)
            os.write(writer, pickle.dumps(outcome))
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    assert answer, "the process in the cgroup ended early"
    done, value = pickle.loads(answer)
    if not done:
        raise OSError(value, os.strerror(value))
    return value


@contextmanager
def attached(section: str, program: Any, **options: Any) -> Iterator[tuple[LoadedObject, str]]:
    """The program at a cgroup of its own. That it ran is what `fired` says afterwards."""
    with own_cgroup() as path, load(program) as obj:
        prove("hook", section, "loaded")
        with obj.attach(**{program.name: {"target": path, **options}}):
            prove("hook", section, "attached")
            yield obj, path


def fired(section: str) -> None:
    prove("hook", section, "fired")


@contextmanager
def listener(family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> Iterator[socket.socket]:
    """A socket that is bound to a free port of this machine, outside the cgroup."""
    with socket.socket(family, kind) as sock:
        sock.bind((HERE if family == socket.AF_INET else "::1", 0))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        sock.settimeout(5)
        yield sock


def failing(work: Callable[[], Any]) -> int:
    """The error number that a call ends with; 0 where it does not fail."""
    try:
        work()
    except OSError as error:
        return error.errno or 0
    return 0
