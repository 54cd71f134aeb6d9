"""The same source gives the same bytes: wherever it lies, wherever pybpf lies, on every Python, on every run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
VERSIONS = ("3.10", "3.11", "3.12", "3.13")


def python(version: str) -> str:
    """An interpreter of that version, without any package: the running one, one on PATH, or pyenv's."""
    if version == "{}.{}".format(*sys.version_info):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places = [path / "bin" / f"python{version}" for path in sorted(pyenv.glob(f"versions/{version}.*"))]
    for place in (shutil.which(f"python{version}"), *map(str, places)):
        if place and subprocess.run([place, "-c", ""], stderr=subprocess.DEVNULL).returncode == 0:
            return place
    pytest.skip(f"needs Python {version}, which is not here")


def build(
    source: str, folder: Path, *, interpreter: str = sys.executable, root: Path = ROOT, **variables: str
) -> bytes:
    """The bytes that `pybpf build SOURCE -o x.bpf.o`, run in `folder`, writes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [interpreter, "-m", "pybpf.cli", "build", source, "-o", "x.bpf.o"],
        cwd=folder, env={**environment, "PYTHONPATH": str(root), **variables},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    made = folder / "x.bpf.o"
    content = made.read_bytes()
    made.unlink()
    return content


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("version", VERSIONS)
def test_on_every_python(version: str, example: str, objects: dict[str, Path], tmp_path: Path) -> None:
    interpreter = python(version)
    shutil.copy(ROOT / "examples" / f"{example}.py", tmp_path)
    wanted = objects[example].read_bytes()
    seed = str(VERSIONS.index(version))
    assert build(f"{example}.py", tmp_path, interpreter=interpreter, PYTHONHASHSEED=seed) == wanted


@pytest.mark.parametrize("example", ["opensnoop", "xdp_count"])
def test_on_every_run(example: str, objects: dict[str, Path], tmp_path: Path) -> None:
    """However Python hashes and optimises, and whatever the user's language."""
    source = str(ROOT / "examples" / f"{example}.py")
    wanted = objects[example].read_bytes()
    changes: list[dict[str, Any]] = [
        {"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "4294967295"}, {"PYTHONOPTIMIZE": "2"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"TZ": "Asia/Tokyo", "USER": "somebody"},
    ]  # fmt: skip
    for variables in changes:
        assert build(source, tmp_path, **variables) == wanted, variables


def test_in_every_directory(objects: dict[str, Path], tmp_path: Path) -> None:
    """No path is in the object: not the source's, not the current directory's, not pybpf's own."""
    elsewhere = tmp_path / "another place" / "pybpf"
    for package in ("pybpf", "compiler", "stdlib"):
        shutil.copytree(ROOT / package, elsewhere / package, symlinks=True)
    one, two = tmp_path / "one", tmp_path / "two" / "très loin"
    for folder in (one, two):
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "examples" / "xdp_count.py", folder)
    wanted = objects["xdp_count"].read_bytes()
    assert build("xdp_count.py", one) == wanted
    assert build("../two/très loin/xdp_count.py", one) == wanted
    assert build(str(two / "xdp_count.py"), two, root=elsewhere) == wanted
    for path in (ROOT, tmp_path, Path.home()):
        assert str(path).encode() not in wanted
    for example in objects.values():
        content = example.read_bytes()
        assert str(ROOT).encode() not in content and str(example.parent).encode() not in content


def test_the_object_of_the_api_is_that_of_the_command_line(objects: dict[str, Path]) -> None:
    code = (
        "import sys, opensnoop; from pybpf import build\n"
        "sys.stdout.buffer.write(build(opensnoop.enter, opensnoop.leave).elf)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "examples", env=environment, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == objects["opensnoop"].read_bytes()
