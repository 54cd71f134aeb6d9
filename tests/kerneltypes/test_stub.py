"""The stub of kernel types: its text, and that checkers take the one of a whole kernel."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybpf.cli import main
from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import decode_btf
from pybpf.compiler.btf.encode import btf_section, encode_types
from pybpf.compiler.btf.kernel import KernelTypes
from pybpf.compiler.btf.strings import StringTable
from pybpf.stdlib.kernel import files, names
from pybpf.stdlib.kernel.stub import stub, stub_files

ROOT = Path(__file__).parents[2]

TYPES = [
    t.VOID,
    t.Int("int", 4, t.INT_SIGNED, 32),
    t.Int("char", 1, 0, 8),
    t.Int("_Bool", 1, t.INT_BOOL, 8),
    t.Array(2, 1, 16),
    t.Ptr(2),
    t.Ptr(7),
    t.Struct("task", 8, tuple([t.Member(name, kind, 0) for name, kind in (
        ("task", 6), ("comm", 4), ("text", 5), ("up", 3), ("in", 1), ("__state", 1), ("_more", 1), ("", 9),
        ("named", 10), ("color", 11), ("hidden", 13), ("any", 14), ("numbers", 15), ("1st", 1), ("at", 1),
    )])),
    t.Struct("__private", 4, (t.Member("x", 1, 0),)),
    t.Union("", 4, (t.Member("left", 1, 0), t.Member("comm", 1, 0))),
    t.Struct("", 4, (t.Member("deep", 1, 0), t.Member("inner", 8, 0))),
    t.Enum("color", 4, False, (("RED", 0), ("name", 1), ("None", 2))),
    t.Fwd("opaque"),
    t.Ptr(12),
    t.Ptr(0),
    t.Array(16, 1, 2),
    t.Ptr(1),
    t.Typedef("task_t", 7),
    t.Typedef("number_t", 1),
    t.Enum("", 4, False, (("LONELY", 5),)),
    t.Struct("class", 4, (t.Member("x", 1, 0),)),
    t.Struct("empty", 0, ()),
    t.Enum("hidden_ones", 4, False, (("__A", 0),)),
    t.Typedef("callback_t", 14),
]  # fmt: skip

TEXT = """
class class_(_KernelStruct):
    x: _int

class color(_IntEnum):
    RED = 0

class empty(_KernelStruct): ...

class hidden_ones(_int): ...
number_t = _int

class opaque(_KernelStruct): ...

class task(_KernelStruct):
    class _in_named(_KernelStruct):
        deep: _int
        inner: private__private
    task: _k.task
    comm: _Text[_L[16]]
    text: _Pointer[_str]
    up: _bool
    in_: _int
    left: _int
    named: _in_named
    color: _k.color
    hidden: opaque
    any: _Pointer[None]
    numbers: _Array[_Pointer[_int], _L[2]]
    at: _int  # type: ignore[assignment]
    def __getattr__(self, name: _L["__state", "_more"]) -> _int: ...  # type: ignore[misc]
task_t = task
LONELY: _int
RED: color
name: color
"""


def small() -> KernelTypes:
    strings = StringTable()
    return KernelTypes(decode_btf(btf_section(encode_types(TYPES, strings), strings)))


def test_text() -> None:
    text = stub([small()], "Of a test.")
    ast.parse(text)
    assert text.startswith('"""The kernel\'s types, as type checkers see them. Of a test."""\n')
    body = text[text.index("pyright: ignore[reportIncompleteStub]\n") :].partition("\n")[2]
    private, body = body.partition("\nclass color")[0], "".join(body.partition("\nclass color")[1:])
    assert "class private__private(_KernelStruct):\n    x: _int\n" in text
    del private
    shown = [line for line in TEXT.strip().split("\n") if "class_" not in line]
    assert [line for line in shown if line not in text.split("\n")] == []
    assert body.index("class task(") < body.index("LONELY") < body.index("RED: color")


def test_files_hold_the_same_names() -> None:
    made = stub_files([small()], "Of a test.")
    assert list(made) == ["kernel/part00.pyi", "kernel/__init__.pyi"]
    for text in made.values():
        ast.parse(text)
    assert "    task as task,\n" in made["kernel/__init__.pyi"]
    assert "    hidden: _k.opaque\n" in made["kernel/part00.pyi"]


def test_the_bundled_stub_is_that_of_the_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_names", None)
    monkeypatch.setattr(names, "RUNNING", "/nowhere")
    monkeypatch.setattr(names, "MODULES", "/nowhere")
    text = (ROOT / "pybpf" / "kernel.pyi").read_text()
    origin = text.split('"""')[1].partition("see them. ")[2]
    assert stub([names._Names("").first()], origin) == text


PROGRAM = """
from pybpf import Struct, u32
from pybpf.kernel import task_struct, {outside}, BPF_MAP_TYPE_HASH

class Own(Struct):
    a: u32

def f(task: task_struct, other: {outside}) -> int:
    reveal_type(other)
    return task.real_parent.tgid + BPF_MAP_TYPE_HASH

def g(task: task_struct) -> int:
    return task.nothing_of_the_kind
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A project with the stub of this kernel, and the name of a struct that the bundle lacks."""
    if not Path(files.RUNNING).exists():
        pytest.skip(f"this kernel has no {files.RUNNING}")
    monkeypatch.setattr(names, "_names", None)
    monkeypatch.chdir(tmp_path)
    assert main(["stubs"]) == 0
    bundled = names._current().first().btf
    everything = decode_btf(Path(files.RUNNING).read_bytes())
    kinds = (t.Struct, t.Union, t.Fwd, t.Typedef, t.Enum)
    outside = next(
        name
        for _, name in everything.names(t.Struct)
        if name.isidentifier() and name[0] != "_" and not any(bundled.find(name, kind) for kind in kinds)
    )
    (tmp_path / "use.py").write_text(PROGRAM.format(outside=outside))
    return tmp_path, outside


def test_a_whole_kernel_s_stub_is_python(project: tuple[Path, str]) -> None:
    folder = project[0] / "typings" / "pybpf" / "kernel"
    parts = sorted(folder.iterdir())
    assert len(parts) > 8
    assert sum(path.read_text().count("\nclass ") for path in parts) > 8_000
    for path in (parts[0], parts[-1]):
        ast.parse(path.read_text())


@pytest.mark.slow
def test_pyright_takes_a_whole_kernel_s_stub(project: tuple[Path, str]) -> None:
    pytest.importorskip("pyright", reason="pyright is not installed (pip install pyright)")
    directory, outside = project
    config = {"include": ["."], "extraPaths": [str(ROOT)], "typeCheckingMode": "strict", "pythonVersion": "3.10"}
    (directory / "pyrightconfig.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "pyright", "-p", ".", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if not done.stdout.startswith("{"):
        pytest.skip(f"pyright does not run here: {done.stdout}{done.stderr}")
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = [(Path(d["file"]).name, d["range"]["start"]["line"] + 1) for d in found if d["severity"] == "error"]
    assert {place for place in errors if place[0] != "use.py"} == set()
    assert {line for name, line in errors if name == "use.py"} == {13}
    assert any(d["message"] == f'Type of "other" is "{outside}"' for d in found)


@pytest.mark.slow
def test_mypy_takes_a_whole_kernel_s_stub(project: tuple[Path, str]) -> None:
    """As `pybpf stubs --install` leaves it: beside pybpf."""
    pytest.importorskip("mypy", reason="mypy is not installed (pip install mypy)")
    directory, outside = project
    beside = directory / "beside"
    (beside / "pybpf").mkdir(parents=True)
    for path in (ROOT / "pybpf").iterdir():
        (beside / "pybpf" / path.name).symlink_to(path)
    (beside / "pybpf" / "kernel").symlink_to(directory / "typings" / "pybpf" / "kernel")
    (directory / "mypy.ini").write_text("[mypy]\nstrict = true\npython_version = 3.10\nfollow_imports = silent\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "use.py"],
        cwd=directory, capture_output=True, text=True, env={**os.environ, "MYPYPATH": str(beside)},
    )  # fmt: skip
    assert 'Revealed type is "pybpf.kernel.part' in done.stdout and f'.{outside}"' in done.stdout, done.stdout
    assert [line for line in done.stdout.splitlines() if "error:" in line and not line.startswith("use.py:")] == []


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(names, "_names", None)
    strings = StringTable()
    (tmp_path / "own.btf").write_bytes(btf_section(encode_types(TYPES, strings), strings))
    out = tmp_path / "out" / "pybpf" / "kernel"
    out.mkdir(parents=True)
    (out / "part07.pyi").write_text("of an earlier kernel")
    (out / "notes.txt").write_text("somebody's")
    assert main(["stubs", "-o", str(tmp_path / "out"), "--btf", str(tmp_path / "own.btf")]) == 0
    assert capsys.readouterr().out == f"{out}: 7 types\n"
    assert sorted(path.name for path in out.iterdir()) == ["__init__.pyi", "notes.txt", "part00.pyi"]
    assert "From own.btf, by pybpf stubs." in (out / "__init__.pyi").read_text()
    assert main(["stubs", "-o", "x", "--install"]) == 1
    assert "say two places" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["stubs", "-o", str(tmp_path / "file"), "--btf", str(tmp_path / "own.btf")]) == 1
    assert "can't write" in capsys.readouterr().err
    assert main(["stubs", "--btf", str(tmp_path / "none")]) == 1
    assert "No such file" in capsys.readouterr().err
    names.use("")


def test_btf_of_build_and_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(names, "_names", None)
    monkeypatch.chdir(tmp_path)
    strings = StringTable()
    Path("own.btf").write_bytes(btf_section(encode_types(TYPES, strings), strings))
    Path("probe.py").write_text(
        "from pybpf import printk, tracepoint, TracepointContext\nfrom pybpf.kernel import LONELY\n\n\n"
        '@tracepoint("syscalls:sys_enter_openat")\ndef hello(ctx: TracepointContext) -> None:\n'
        '    printk(f"{LONELY}")\n'
    )
    for command in (["build", "probe.py", "-o", "probe.o"], ["check", "probe.py"]):
        names.use("")
        assert main([*command, "--btf", "own.btf"]) == 0, capsys.readouterr().err
        names.use("")
        assert main(command) == 1
        assert "the kernel has no type named `LONELY`" in capsys.readouterr().err
        assert main([*command, "--btf", "probe.py"]) == 1
        assert "no kernel types in probe.py: .BTF: magic number" in capsys.readouterr().err
    names.use("")
