"""Pointers that lie in objects of the kernel, passed to its functions: what is let through, the verifier takes."""

from __future__ import annotations

from typing import Any

import pytest

from pybpf import (
    ArrayMap,
    NotPermitted,
    TaskIter,
    TaskStorage,
    bpf_iter,
    build,
    fentry,
    helpers,
    kfuncs,
    load,
    lsm,
    tp_btf,
    u32,
    u64,
)
from pybpf.compiler.diagnostics.base import CompileError
from pybpf.compiler.schema.specs import Target
from pybpf.kernel import linux_binprm, mm_struct, sk_buff, task_struct  # noqa: TC001 (hooks read them)

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

seen = ArrayMap[u64](4)
notes = TaskStorage[u64]()


@tp_btf("kfree_skb")
def members(skb: sk_buff, location: u64, reason: u32) -> None:
    seen[0] = skb.sk.__sk_common.skc_family
    seen[1] = skb.sk.__sk_common.skc_cookie.counter


@tp_btf("sched_pi_setprio")
def argument(tsk: task_struct, pi_task: task_struct) -> None:
    notes[pi_task] = 1  # tests for NULL itself
    if not pi_task or tsk is None:
        return
    note = helpers.bpf_task_storage_get(notes, pi_task, None, 0)
    if note is not None:
        seen[2] = u64(helpers.bpf_task_pt_regs(pi_task))


@tp_btf("exit_mmap")
def file_of_process(mm: mm_struct) -> None:
    file = mm.exe_file
    if file is None:
        return
    socket = helpers.bpf_sock_from_file(file)
    seen[3] = 0 if socket is None else 1


@bpf_iter("task")
def leaders(ctx: TaskIter) -> None:
    task = ctx.task
    if task is not None:
        leader = task.group_leader
        owner = task.mm.owner
        if leader and owner is not None:
            note = helpers.bpf_task_storage_get(notes, leader, None, 0)
            seen[3] = 0 if note is None else helpers.bpf_task_pt_regs(owner)


@pytest.mark.parametrize("program", [members, argument, file_of_process, leaders], ids=lambda p: p.name)
def test_loaded(program: Any) -> None:
    with load(program) as obj:
        assert list(obj.programs) == [program.name]


@fentry("wake_up_new_task")
def traced(p: task_struct) -> None:
    seen[0] = u64(helpers.bpf_task_pt_regs(p))
    leader = p.group_leader
    if leader is not None:
        note = helpers.bpf_task_storage_get(notes, leader, None, 0)
        seen[3] = 0 if note is None else 1


@lsm("bprm_check_security", sleepable=True)
def run(bprm: linux_binprm) -> int:
    """A file that lies in what an LSM hook is given is as much trusted."""
    file = bprm.file
    if file is None:
        return 0
    socket = helpers.bpf_sock_from_file(file)
    seen[3] = 0 if socket is None else 1
    return 0


@pytest.mark.parametrize("program", [traced, run], ids=lambda p: p.name)
def test_guests(program: Any) -> None:
    try:
        obj = load(program)
    except NotPermitted as error:
        assert "this kernel refuses" in str(error)
        pytest.skip("this kernel refuses programs inside its functions")
    with obj:
        assert list(obj.programs) == [program.name]


def test_arguments_of_functions() -> None:
    @fentry("wake_up_new_task")
    def acquires(p: task_struct) -> None:
        task = kfuncs.bpf_task_acquire(p)
        if task is not None:
            kfuncs.bpf_task_release(task)

    with pytest.raises(CompileError, match="is not known to be a live `task_struct`"):
        build(acquires, target=Target(kernel=(6, 12)))
