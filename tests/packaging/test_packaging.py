"""What `pip install` gives: a wheel and an sdist with all our files as real ones, that work on every Python found."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[2]
PARTS = {"pybpf": "pybpf", "compiler": "pybpf/compiler", "stdlib": "pybpf/stdlib"}  # folder -> its place

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

HELLO = """
from pybpf import PerCpuHash, TracepointContext, pid, printk, tracepoint, u32, u64

seen = PerCpuHash[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_enter_openat")
def hello(ctx: TracepointContext) -> None:
    seen[pid()] += 1
    printk(f"hello from {pid()}")
"""


def prepare() -> ModuleType:
    """tools/prepare.py as a module, without running it."""
    text = (ROOT / "tools" / "prepare.py").read_text().replace("\nmain()\n", "\n")
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("prepare", None))  # type: ignore[arg-type]
    module.__file__ = str(ROOT / "tools" / "prepare.py")
    exec(compile(text, module.__file__, "exec"), module.__dict__)
    return module


PYTHONS = [f"{sys.version_info[0]}.{sys.version_info[1]}", *(version for version, _ in prepare().others())]


def ours(root: Path) -> Iterator[tuple[str, Path]]:
    """(path inside the package, file) of everything that users need."""
    for folder, inside in PARTS.items():
        for path in sorted((root / folder).rglob("*")):
            wanted = path.suffix in (".py", ".pyi", ".lark") or path.name == "py.typed" or "data" in path.parts
            if path.is_file() and wanted and "__pycache__" not in path.parts:
                inner = path.relative_to(root / folder)
                if folder != "pybpf" or inner.parts[0] not in ("compiler", "stdlib"):  # those are the symlinks
                    yield f"{inside}/{inner}", path


@pytest.fixture(scope="module")
def dists(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(sdist, wheel, tree): the wheel is built from the sdist, which is built from a copy of the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in PARTS:
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy)
    subprocess.run([sys.executable, "-m", "build", "-o", copy / "dist", copy], check=True, capture_output=True)
    (sdist,), (wheel,) = (copy / "dist").glob("*.tar.gz"), (copy / "dist").glob("*.whl")
    return sdist, wheel, copy


def test_symlinks_are_relative_and_point_at_the_floors() -> None:
    for floor in ("compiler", "stdlib"):
        assert os.readlink(ROOT / "pybpf" / floor) == f"../{floor}"


def test_wheel_holds_our_files_and_nothing_else_at_top_level(dists: tuple[Path, Path, Path]) -> None:
    with zipfile.ZipFile(dists[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert names == {inside for inside, _ in ours(dists[2])}
        assert {name.split("/")[0].split("-")[0] for name in wheel.namelist()} == {"pybpf"}
        for inside, path in ours(dists[2]):
            assert wheel.read(inside) == path.read_bytes(), inside
        licences = [name.split("/")[-1] for name in wheel.namelist() if ".dist-info/licenses/" in name]
        assert sorted(licences) == ["LICENSE", "NOTICE"]


def test_sdist_holds_real_files(dists: tuple[Path, Path, Path]) -> None:
    with tarfile.open(dists[0]) as sdist:
        members = sdist.getmembers()
        assert [m.name for m in members if m.issym() or m.islnk()] == []
        inner = {m.name.partition("/")[2] for m in members if m.isfile()}
        assert {inside for inside, _ in ours(dists[2])} <= inner
        assert not {name for name in inner if name.startswith(("compiler/", "stdlib/"))}


def interpreter(version: str) -> str:
    return sys.executable if version == PYTHONS[0] else dict(prepare().others())[version]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The object that this checkout makes of HELLO."""
    here = tmp_path_factory.mktemp("expected")
    (here / "hello.py").write_text(HELLO)
    command = [sys.executable, "-m", "pybpf.cli", "build", "hello.py", "-o", "-"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    made = subprocess.run(command, cwd=here, env=environment, check=True, capture_output=True)
    return made.stdout


@pytest.mark.parametrize("version", PYTHONS)
def test_wheel_works_in_a_fresh_environment(
    version: str, dists: tuple[Path, Path, Path], expected: bytes, tmp_path: Path
) -> None:
    """Installed with nothing of ours around; the same source gives the same bytes on every Python."""
    venv = tmp_path / "venv"
    subprocess.run([interpreter(version), "-m", "venv", venv], check=True)
    pip = [venv / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    # Compiling needs no dependency; the full set is resolved once.
    subprocess.run([*pip, *([] if version == PYTHONS[0] else ["--no-deps"]), dists[1]], check=True)
    (tmp_path / "hello.py").write_text(HELLO)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    made = subprocess.run(
        [venv / "bin" / "pybpf", "build", "hello.py"], cwd=tmp_path, env=clean, capture_output=True, text=True
    )
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    assert (tmp_path / "hello.bpf.o").read_bytes() == expected
    origin = "import pybpf.compiler, pybpf.stdlib, sys; print(pybpf.compiler.__file__, pybpf.stdlib.__file__)"
    command = [venv / "bin" / "python", "-c", origin]
    where = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert all(path.startswith(str(venv)) for path in where.stdout.split()), where


def test_editable_install_costs_nothing_at_start(tmp_path: Path) -> None:
    """A path entry, not setuptools' import hook, which would take longer than a compilation."""
    site = subprocess.run(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    ).stdout.strip()
    for path in Path(site).glob("__editable__*pybpf*"):
        assert path.suffix == ".pth" and path.read_text().strip() == str(ROOT)
