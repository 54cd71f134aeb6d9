"""Signatures of kernel functions, and what the kernel says of its kfuncs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpf import kernel
from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import decode_btf
from pybpf.compiler.btf.kernel import KernelTypes
from pybpf.compiler.schema.types import BOOL, I32, NONE, U32, PtrType, Space
from pybpf.stdlib.kernel import files, names
from pybpf.stdlib.kernel.functions import function, kfunc, kfuncs, raw_tracepoint


def task() -> PtrType:
    return PtrType(kernel.task_struct.__bpf__, Space.KERNEL)


def test_kfuncs() -> None:
    found = kfunc("bpf_task_from_pid")
    assert found is not None
    assert (found.params, found.result) == ((("pid", I32),), task())
    assert found.flags == {"acquire", "ret_null"} and found.since == "6.2"
    assert found.programs["XDP"] == "" and found.programs["TRACEPOINT"] == "6.12"
    release = kfunc("bpf_task_release")
    assert release is not None and (release.result, release.flags) == (NONE, {"release"})
    lock = kfunc("bpf_rcu_read_lock")
    assert lock is not None and lock.programs == {}, "UNSPEC: all programs may"
    new = kfunc("bpf_iter_num_new")
    assert new is not None and "iter_new" in new.flags
    assert new.params[0][1] == PtrType(kernel.bpf_iter_num.__bpf__, Space.KERNEL)
    assert kfunc("vfs_read") is kfunc("no_such_kfunc") is None


def test_every_kfunc_of_the_table_that_is_bundled_has_a_signature() -> None:
    bundled = names._current().first()
    known = [name for name in kfuncs() if bundled.btf.find(name, t.Func)]
    assert len(known) > 190
    for name in known:
        found = kfunc(name)
        assert found is not None and found.name == name
    tags = bundled.function("bpf_task_acquire")
    assert tags is not None and tags.tags == ("bpf_kfunc",)


def test_bundled_signatures_are_the_running_kernel_s() -> None:
    if not Path(files.RUNNING).exists():
        pytest.skip(f"this kernel has no {files.RUNNING}")
    running = KernelTypes(decode_btf(Path(files.RUNNING).read_bytes()))
    compared = 0
    for name in kfuncs():
        here, there = names._current().first().function(name), running.function(name)
        if here is not None and there is not None and "bpf_kfunc" in there.tags:
            assert [p for p, _ in here.params] == [p for p, _ in there.params], name
            assert [str(k) for _, k in here.params] == [str(k) for _, k in there.params], name
            compared += 1
    assert compared > 150 or "6.18" not in Path("/proc/sys/kernel/osrelease").read_text()


def test_functions_that_tools_probe() -> None:
    connect = function("tcp_connect")
    assert connect is not None
    assert (connect.params, connect.result) == ((("sk", PtrType(kernel.sock.__bpf__, Space.KERNEL)),), I32)
    assert function("no_such_function") is None


def test_raw_tracepoints() -> None:
    switch = raw_tracepoint("sched_switch")
    assert switch is not None
    assert [kind for _, kind in switch.params] == [BOOL, task(), task(), U32]
    assert raw_tracepoint("no_such_tracepoint") is None
