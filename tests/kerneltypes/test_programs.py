"""Programs with kernel types: the same bytes on any machine, and taken by this kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pybpf import build, load
from pybpf.cli.module import import_file
from pybpf.stdlib.kernel import names
from tests.loaders.libbpf import need_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
from __future__ import annotations

from pybpf import Embedded, KernelStruct, Pointer, cdef, const, i32, kernel_str, printk, tp_btf, u32, u64
from pybpf.kernel import BPF_MAP_TYPE_HASH, TCP_ESTABLISHED, path, task_struct

wanted = const(u32, 0)


class task_struct___short(KernelStruct):
    tgid: i32
    real_parent: task_struct___short
    mm: mm_struct___short


class mm_struct___short(KernelStruct):
    exe_file: file___short
    total_vm: u64


class file___short(KernelStruct):
    f_path: Embedded[path]


cred = cdef("struct cred___c { struct { unsigned val; } uid; };", kernel=True)


@tp_btf("sched_switch")
def switched(preempt: bool, prev: task_struct, next: task_struct) -> None:
    if prev.tgid != wanted or not next.mm:
        return
    short = task_struct___short(next)
    total = short.real_parent.tgid + short.mm.total_vm + prev.nsproxy.net_ns.ns.inum
    total += cred(prev.cred).uid.val + BPF_MAP_TYPE_HASH + TCP_ESTABLISHED
    printk(f"{total} {short.mm.exe_file.f_path.dentry.d_inode.i_ino}")
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes the program anew, as a fresh process would."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(names, "_names", names._names)  # is put back: other modules have classes of it
    count = 0

    def made() -> Any:
        nonlocal count
        count += 1
        names._names = None
        path = tmp_path / f"program{count}.py"
        path.write_text(PROGRAM)
        module: Any = import_file(str(path))
        return module.switched

    yield made


def test_the_same_bytes_with_and_without_a_kernel(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = build(program()).elf
    monkeypatch.setattr(names, "RUNNING", "/nowhere")
    monkeypatch.setattr(names, "MODULES", "/nowhere")
    without = build(program()).elf
    assert here.replace(b"program1", b"program2") == without


@pytest.mark.kernel
def test_this_kernel_takes_them(program: Any) -> None:
    need_root()
    with load(program(), wanted=0xFFFFFFFF) as obj:
        assert list(obj.programs) == ["switched"]
