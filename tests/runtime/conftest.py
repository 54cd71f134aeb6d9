"""Objects to load: programs/kit.py, compiled by ourselves, and what no Python says, from clang-19."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import build
from pybpf.compiler.schema.record import replace
from pybpf.runtime import load_object
from tests.hooks.network import make_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.compiler.object import Object
    from pybpf.runtime import LoadedObject
    from tests.hooks.network import Network

SOURCES = Path(__file__).parent / "programs"


@pytest.fixture(scope="session")
def build_c(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """Object bytes of `programs/NAME.bpf.c`."""
    if shutil.which("clang-19") is None:
        pytest.skip("no clang-19 to build the test objects with")
    made: dict[str, bytes] = {}
    directory = tmp_path_factory.mktemp("objects")

    def build(name: str) -> bytes:
        if name not in made:
            out = directory / f"{name}.o"
            command = ["clang-19", "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-I/usr/include/x86_64-linux-gnu",
                       "-c", str(SOURCES / f"{name}.bpf.c"), "-o", str(out)]  # fmt: skip
            subprocess.run(command, check=True, cwd=SOURCES)
            made[name] = out.read_bytes()
        return made[name]

    return build


@pytest.fixture(scope="session", autouse=True)
def needs_root() -> None:
    """All of these tests but those of plain functions load programs."""
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")


@pytest.fixture(scope="session")
def programs() -> Any:
    """The module programs/kit.py."""
    spec = importlib.util.spec_from_file_location("pybpf_test_kit", SOURCES / "kit.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def compiled(programs: Any) -> Object:
    names = ("enter", "raw", "on_labs", "on_labs_return", "ingress")
    return build(*[getattr(programs, name) for name in names], name="kit")


@pytest.fixture
def kit(compiled: Object) -> Object:
    """programs/kit.py compiled, with dictionaries of the test's own."""
    return replace(compiled, maps=dict(compiled.maps), globals=dict(compiled.globals))


@pytest.fixture
def obj(kit: Object) -> Iterator[LoadedObject]:
    """The kit in the kernel, whose programs see this process only."""
    with load_object(kit, globals={"only_pid": os.getpid()}) as loaded:
        yield loaded


@pytest.fixture
def ring(obj: LoadedObject) -> Iterator[Any]:
    """The ring buffer, with an event for each os.getppid() of this process; each carries the number of the call."""
    with obj.programs["enter"].attach():
        yield obj["events"]


@pytest.fixture
def network() -> Iterator[Network]:
    """A network namespace with a pair of interfaces, `left` and `right`."""
    yield from make_network()
