"""The command line as a person meets it: what it prints, where, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pybpf as surface
from pybpf import net
from pybpf.cli import COMMANDS, command, main
from pybpf.cli.clickapp import app
from pybpf.cli.explain_names import name_page
from pybpf.cli.table import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

HELLO = """\
from pybpf import PerCpuHash, TracepointContext, const, pid, printk, tracepoint, u32, u64

only = const(u32, 0)
seen = PerCpuHash[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_enter_openat")
def hello(ctx: TracepointContext) -> None:
    if only and pid() != only:
        return
    seen[pid()] += 1
    printk(f"hello from {pid()}")


if __name__ == "__main__":
    raise AssertionError("the file was run as a script")
"""
WRONG = """\
from pybpf import HashMap, TracepointContext, pid, tracepoint, u32, u64

seen = HashMap[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_enter_openat")
def first(ctx: TracepointContext) -> None:
    n = seen.get(pid())
    seen[pid()] = n


@tracepoint("syscalls:sys_enter_openat")
def second(ctx: TracepointContext) -> None:
    nothing()
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with hello.py and wrong.py as the current one; imports of them are forgotten afterwards."""
    (tmp_path / "hello.py").write_text(HELLO)
    (tmp_path / "wrong.py").write_text(WRONG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYBPF_TRACEBACK", raising=False)
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def pybpf(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """A process of its own, as from a shell."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", "pybpf.cli", *words], capture_output=True, text=True, env=environment, **options
    )


class Said:
    """Exit code, stdout and stderr of a command line run in this process."""

    def __init__(self, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
        capsys.readouterr()
        self.code = main(words)
        self.out, self.err = capsys.readouterr()
        assert "Traceback" not in self.err + self.out


# ------------------------------------------------------------------------------------------------ reading command lines


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said((name, "--help"), capsys)
    assert said.code == 0
    assert said.out.startswith(f"Usage: pybpf {name}")
    for option in command(name).options:
        assert option.names[-1] in said.out


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(("--help",), capsys)
    assert said.code == 0
    assert all(name in said.out for name in COMMANDS)
    assert Said(("--version",), capsys).out.startswith("pybpf 0.")
    assert "Usage: pybpf" in (nothing := Said((), capsys)).err + nothing.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("buidl", "x.py"), "Did you mean 'build'?"),
        (("hello.py",), "pybpf build hello.py"),
        (("build",), "Missing argument 'FILE.py'"),
        (("build", "a.py", "b.py"), "unexpected extra argument"),
        (("build", "--outptu", "x", "hello.py"), "No such option"),
        (("build", "hello.py", "-o"), "requires an argument"),
        (("build", "hello.py", "--cpu", "v9"), "'v9' is not one of"),
    ],
)
def test_wrong_command_lines_are_explained(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said(words, capsys)
    assert said.code == 2
    assert told in said.err


@pytest.mark.parametrize(
    "line",
    [
        "build x.py",
        "build x.py -o out.o --target 6.1 --cpu v2",
        "build --output=out.o --set a=1 x.py --set b=2 --emit ir",
        "build -o - -- -x.py",
        "check x.py --format json",
        "run x.py --set only_pid=7 --seconds 3 --maps --attach a=lo",
        "explain",
        "explain E0203",
        "doctor",
    ],
)
def test_the_quick_reader_reads_as_click_does(line: str) -> None:
    """What table.parse understands, click understands in the same way."""
    name, *words = line.split()
    quick = parse(command(name), words)
    found = app().get_command(None, name)  # type: ignore[arg-type]
    assert found is not None
    context = found.make_context(name, list(words))
    assert quick == {key: list(v) if isinstance(v, tuple) else v for key, v in context.params.items()}


@pytest.mark.parametrize("line", ["build", "build -h", "build x.py -ofoo", "build x.py -o", "check x.py --format xml"])
def test_the_quick_reader_leaves_what_it_does_not_know(line: str) -> None:
    name, *words = line.split()
    assert parse(command(name), words) is None


# ------------------------------------------------------------------------------------------------ the user's file


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("gone.py", None, "error: no such file: gone.py"),
        ("helo.py", None, "help: did you mean hello.py?"),
        ("nowhere/x.py", None, "help: there is no directory nowhere"),
        ("bad.py", "def f(:\n    pass\n", "error[E0001]: "),
        ("nul.py", "x = 1\0", "error[E0001]: "),
        ("coding.py", "# coding: klingon\n", "error[E0001]: "),
        ("latin.py", b"x = '\xe9'\n", "error[E0001]: "),
        ("raises.py", "def f():\n    return {}['k']\nf()\n", "importing the file raised KeyError: 'k'"),
        ("missing.py", "import nosuchmodule\n", "raised ModuleNotFoundError: there is no module `nosuchmodule`"),
        ("exits.py", "raise SystemExit(3)\n", 'if __name__ == "__main__":'),
        ("deep.py", "def f(n): return f(n + 1)\nf(0)\n", "importing the file raised RecursionError"),
        ("empty.py", "", "error: no programs in empty.py"),
        ("plain.py", "def f(): pass\n", "a program is a function with a hook above it"),
        ("declares.py", "from pybpf import Array, u8\nm = Array[u8, 0]\n", "error[E0003]: "),
    ],
)
@pytest.mark.parametrize("verb", ["build", "check", "dis"])
def test_files_that_can_not_be_read(
    verb: str, name: str, text: str | bytes | None, told: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (here / name).write_bytes(text.encode() if isinstance(text, str) else text)
    said = Said((verb, name), capsys)
    assert said.code == 1
    assert told in said.err
    assert "site-packages" not in said.err and "/pybpf/" not in said.err
    assert not (here / name).with_suffix(".bpf.o").exists()


def test_a_directory_is_no_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "error: . is a directory" in Said(("build", "."), capsys).err


def test_frames_of_the_users_own_modules_are_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "beside.py").write_text("def limit(n):\n    return 1 // n\n")
    (here / "top.py").write_text("import beside\n\nLIMIT = beside.limit(0)\n")
    said = Said(("check", "top.py"), capsys)
    assert "--> beside.py:2:" in said.err
    assert "::: top.py:3:" in said.err


def test_the_file_finds_its_neighbours_and_is_not_run_as_main(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "sub").mkdir()
    (here / "sub" / "numbers_here.py").write_text("N = 5\n")
    (here / "sub" / "uses.py").write_text("from numbers_here import N\nassert N == 5\nassert __name__ == 'uses'\n")
    assert "no programs in uses.py" in Said(("build", "sub/uses.py"), capsys).err


def test_a_file_with_the_name_of_a_library(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`json.py` of the user's does not take the place of Python's own."""
    (here / "json.py").write_text(HELLO)
    said = Said(("check", "--format", "json", "json.py"), capsys)
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out) == []


# ------------------------------------------------------------------------------------------------ the commands


def test_build_writes_the_object(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(("build", "hello.py"), capsys)
    assert (said.code, said.out, said.err) == (0, "", "")
    first = (here / "hello.bpf.o").read_bytes()
    assert first[:4] == b"\x7fELF"
    assert Said(("build", "hello.py", "-o", "other.o"), capsys).code == 0
    assert (here / "other.o").read_bytes() == first
    assert sorted(path.name for path in here.iterdir()) == ["hello.bpf.o", "hello.py", "other.o", "wrong.py"]


def test_build_to_stdout(here: Path) -> None:
    raw = subprocess.run(
        [sys.executable, "-m", "pybpf.cli", "build", "hello.py", "-o", "-"],
        capture_output=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert (raw.returncode, raw.stderr) == (0, b"")
    assert raw.stdout[:4] == b"\x7fELF"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-o", "no/such/x.o"), "error: can't write no/such/x.o: there is no directory no/such"),
        (("-o", "hello.py/x.o"), "error: can't write hello.py/x.o: "),
        (("-o", "."), "error: can't write ."),
        (("--set", "only"), "help: write it as --set only_pid=7"),
        (("--set", "onyl=7"), "onyl"),
        (("--set", "only=many"), "only"),
        (("--set", "only=-1"), "only"),
        (("--set", "only=1", "--set", "only=2"), "error: --set only is given twice"),
        (("--target", "six"), "help: write it as --target 6.1"),
        (("--emit", "nonsense"), "nonsense"),
        (("--emit", "ir:after-gvnn"), "did you mean 'ir:after-gvn'?"),
        (("--emit", "ir:during-gvn"), "error: there is no stage 'ir:during-gvn'"),
        (("--emit", "asm:after-latch"), "did you mean 'asm:after-latches'?"),
        (("--emit", "asm:before-gvn"), "error: there is no stage 'asm:before-gvn'"),
        (("--skip", "latche"), "did you mean 'latches'?"),
        (("--skip", "magic"), "help: passes are: simplify, "),
    ],
)
def test_build_refuses(words: tuple[str, ...], told: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(("build", "hello.py", *words), capsys)
    assert said.code == 1
    assert told in said.err
    assert sorted(path.name for path in here.iterdir()) == ["hello.py", "wrong.py"]


@pytest.mark.parametrize("stage", ["tree", "ir", "ir:before", "asm", "btf", "elf"])
def test_stages_print(stage: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(("build", "hello.py", "--emit", stage), capsys)
    assert (said.code, said.err) == (0, "")
    assert "hello" in said.out
    assert not (here / "hello.bpf.o").exists()


def test_passes_print_what_they_change(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = [
        Said(("build", "hello.py", "--emit", f"ir:{when}-dce"), capsys).out for when in ("before", "after")
    ]
    assert before.startswith("// dce changes hello, time 1: before\nfunc hello(")
    assert after.startswith("// dce changes hello, time 1: after\nfunc hello(")
    assert before.count("// dce") == after.count("// dce") and len(after) < len(before)
    said = Said(("build", "hello.py", "--emit", "ir:after-dce", "--skip", "dce"), capsys)
    assert said.out == "// dce changes nothing here\n"


def test_passes_over_machine_code_print_it_without_and_with_them(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(Path(__file__).parents[2] / "examples" / "opensnoop.py")
    stages = ("asm:before-endings", "asm:after-endings", "asm")
    before, after, usual = [Said(("build", file, "--emit", stage), capsys).out for stage in stages]
    assert after == usual and len(before) > len(after) > 0
    assert Said(("build", file, "--emit", "asm", "--skip", "endings"), capsys).out == before


def test_without_the_optimiser_there_is_more_code(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_all, without_any = [
        len(Said(("build", "hello.py", "--emit", "asm", *words), capsys).out)
        for words in ((), ("--skip", "dce", "--skip", "all"))
    ]
    assert with_all < without_any


def test_set_changes_the_object(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Said(("build", "hello.py", "--set", "only=0x1234567"), capsys).code == 0
    assert bytes.fromhex("67452301") in (here / "hello.bpf.o").read_bytes()


def test_check_says_everything(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(("check", "wrong.py"), capsys)
    assert said.code == 1
    assert said.out == ""
    assert said.err.count("error[") == 2
    assert "--> wrong.py:9:" in said.err and "--> wrong.py:14:" in said.err
    found = json.loads(Said(("check", "wrong.py", "--format", "json"), capsys).out)
    assert [(record["severity"], record["line"]) for record in found] == [("error", 9), ("error", 14)]
    assert Said(("check", "hello.py"), capsys).code == 0


def test_build_shows_diagnostics_and_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(("build", "wrong.py"), capsys)
    assert said.code == 1
    assert "--> wrong.py:9:" in said.err
    assert not (here / "wrong.bpf.o").exists()


def test_dis_shows_source_beside_bytecode(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(("dis", "hello.py"), capsys)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("hello: tracepoint/syscalls/sys_enter_openat, ")
    assert any("seen[pid()] += 1" in line and ": " in line for line in said.out.split("\n"))
    assert "call bpf_get_current_pid_tgid#14" in said.out
    assert said.out.rstrip().endswith("exit")
    Said(("build", "hello.py"), capsys)
    assert Said(("dis", "hello.bpf.o"), capsys).out == said.out


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    listed = Said(("explain",), capsys).out.split("\n")
    assert any(line.startswith("E0001  ") for line in listed)
    assert Said(("explain", "e0001"), capsys).out.startswith("error[E0001]: The file is not valid Python")
    missing = Said(("explain", "E9998"), capsys)
    assert missing.code == 1 and "no diagnostic has the code E9998" in missing.err


def test_explain_functions(capsys: pytest.CaptureFixture[str]) -> None:
    helper = Said(("explain", "bpf_sk_lookup_tcp"), capsys).out
    assert helper.startswith("bpf_sk_lookup_tcp: helper number 84\n") and "Since Linux 4.20." in helper
    assert "released, by bpf_sk_release()" in helper and "Programs: cgroup_skb" in helper
    function = Said(("explain", "bpf_task_from_pid"), capsys).out
    assert "struct task_struct *bpf_task_from_pid(i32 pid)" in function and "may be None" in function
    assert "released, by bpf_task_release()" in function and "GPL" in function
    body = Said(("explain", "bpf_find_vma"), capsys).out
    assert "    for vma in helpers.bpf_find_vma(task, addr, flags):\n" in body
    missing = Said(("explain", "bpf_sk_lookup_tpc"), capsys)
    assert missing.code == 1 and "did you mean `bpf_sk_lookup_tcp`?" in missing.err
    for name in ("bpf_iter_task", "bpf_iter_task_next"):
        looped = Said(("explain", name), capsys).out
        assert looped.startswith("bpf_iter_task: iterator of the kernel")
        assert "    for item in kfuncs.bpf_iter_task(task, flags):" in looped and "bpf_iter_task_destroy(" in looped


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ktime", "from pybpf import ktime\n\n    ktime() -> u64\n\nNanoseconds since boot"),
        ("HashMap", "\n    setdefault(key, default)\n"),
        ("ethhdr", "from pybpf.net import ethhdr\n"),
        ("pybpf.net.ethhdr", "\n    h_proto: be16                           # at 12\n"),
        ("XDP", "\n    DROP = 1\n"),
        ("TcContext", "\n    mark: u32                               # may be changed\n"),
        ("TcContext", "\n    vlan_push(proto: int, tci: int) -> bool\n"),
        ("sockops", "\n    @sockops\n    def program(ctx: SockOpsContext) -> bool: ...\n"),
        ("xdp", "\n    @xdp.devmap\n    def program(ctx: XdpDevmapContext) -> XDP: ...\n"),
        ("kprobe", "The entry of a kernel function, `@kprobe("),
        ("task_struct", "\n    real_parent: task_struct "),
        ("sk_buff", "\n                dev: net_device                      # at 16\n"),
        ("bpf_map_type", "\n    BPF_MAP_TYPE_HASH = 1\n"),
        ("TCP_LISTEN", "from pybpf.kernel import TCP_LISTEN\n\n10 (0xa)\n"),
    ],
)
def test_explain_names(name: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown in Said(("explain", name), capsys).out
    missing = Said(("explain", "HasMap"), capsys)
    assert missing.code == 1 and "did you mean `HashMap`?" in missing.err


def test_every_public_name_is_explained() -> None:
    for module in (surface, net):
        for name in module.__all__:
            page = name_page(name)
            assert page is not None and len(page.split("\n")) > 2, name


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(("doctor",), capsys)
    assert (said.code, said.err) == (0, "")
    for heading in ("pybpf", "kernel", "privileges", "libbpf", "programs"):
        assert f"{heading}\n" in said.out


def test_a_closed_pipe_is_no_error(here: Path) -> None:
    command = f"{sys.executable} -m pybpf.cli build hello.py --emit elf | head -1"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment)
    assert done.stderr == ""


def test_a_bug_of_ours_is_called_one(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pybpf.building

    def broken(*_: object, **__: object) -> None:
        raise AssertionError("values out of order")

    monkeypatch.setattr(pybpf.building, "build", broken)
    said = Said(("build", "hello.py"), capsys)
    assert said.code == 70
    assert "failed inside pybpf itself: AssertionError: values out of order" in said.err
    monkeypatch.setenv("PYBPF_TRACEBACK", "1")
    with pytest.raises(AssertionError):
        main(("build", "hello.py"))
