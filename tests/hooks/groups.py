"""A cgroup of a test's own, and functions that run in a process inside it."""

from __future__ import annotations

import os
import pickle
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pybpf.runtime.links.cgroups import cgroup_mounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["inside", "own_cgroup"]


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
