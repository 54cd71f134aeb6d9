"""Kernel structs that the user declares: what they become, and what is refused."""

from __future__ import annotations

import pytest

from pybpf import Array, Bits, Embedded, KernelStruct, L, Pointer, Text, be16, i32, i64, kernel, u32, u64
from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelMember, KernelType
from pybpf.compiler.schema.types import I32, I64, U32, U64, ArrayType, IntType, PtrType, Space, TextType
from pybpf.kernel import path


class task_struct___old(KernelStruct):
    state: i64
    pid: i32
    real_parent: task_struct___old
    comm: Text[L[16]]
    early: Bits[u32, L[3]]
    late: Bits[u32, L[5]]
    stack: Pointer[None]
    counts: Pointer[u64]
    text: Pointer[str]


class file___mine(KernelStruct):
    f_path: Embedded[path]
    f_pos: i64


class both(KernelStruct, union=True):
    port: be16
    table: Array[u32, L[3]]


def test_members_are_laid_out_as_c_does() -> None:
    kind = task_struct___old.__bpf__
    assert isinstance(kind, KernelType) and task_struct___old.__bpf__ is kind
    assert (kind.name, kind.tag, kind.size) == ("task_struct___old", "struct", 72)
    assert kind.members == (
        KernelMember("state", I64, 0, 0),
        KernelMember("pid", I32, 8, 1),
        KernelMember("real_parent", PtrType(kind, Space.KERNEL), 16, 2),
        KernelMember("comm", TextType(16), 24, 3),
        KernelMember("early", U32, 40, 4, 3, 0),
        KernelMember("late", U32, 40, 5, 5, 3),
        KernelMember("stack", PtrType(None, Space.KERNEL), 48, 6),
        KernelMember("counts", PtrType(U64, Space.KERNEL), 56, 7),
        KernelMember("text", PtrType(TextType(0), Space.KERNEL), 64, 8),
    )


def test_embedded_structs_and_unions() -> None:
    assert [(m.name, m.type, m.offset) for m in file___mine.__bpf__.members] == [
        ("f_path", path.__bpf__, 0), ("f_pos", I64, path.__bpf__.size),
    ]  # fmt: skip
    kind = both.__bpf__
    assert (kind.tag, kind.size) == ("union", 12)
    assert [(m.type, m.offset) for m in kind.members] == [(IntType(16, big=True), 0), (ArrayType(U32, 3), 0)]


def test_classes_of_functions_point_to_themselves_and_their_neighbours() -> None:
    class qstr(KernelStruct):
        name: Pointer[str]

    class dentry(KernelStruct):
        d_parent: dentry
        d_name: Embedded[qstr]

    kind = dentry.__bpf__
    assert [m.type for m in kind.members] == [PtrType(kind, Space.KERNEL), qstr.__bpf__]


def test_a_struct_of_the_user_s_does_not_change_the_kernel_s() -> None:
    assert kernel.file.__bpf__ is not file___mine.__bpf__
    assert issubclass(kernel.file, KernelStruct)


def refused(cls: type[KernelStruct], message: str) -> None:
    for _ in range(2):  # and the second look says the same
        with pytest.raises(DeclarationTypeError, match=message):
            cls.__bpf__  # noqa: B018


def test_a_pointer_where_the_kernel_has_a_struct() -> None:
    class file___p(KernelStruct):
        f_path: path

    refused(
        file___p,
        r"\.f_path is declared as a pointer, but the kernel has a struct in place there\nwrite:\n.*Embedded\[path\]",
    )


def test_a_struct_where_the_kernel_has_a_pointer() -> None:
    inner = kernel.inode

    class file___e(KernelStruct):
        f_inode: Embedded[inner]

    refused(
        file___e,
        r"file___e\.f_inode is declared to be in place, but the kernel has a pointer there\nwrite:\n    f_inode: inode",
    )


def test_wrong_declarations() -> None:
    class empty(KernelStruct):
        pass

    class number(KernelStruct):
        n: int

    class itself(KernelStruct):
        me: Embedded[itself]

    class plain(KernelStruct):
        n: Embedded[u32]

    class nobody(KernelStruct):
        x: nowhere_to_be_found  # type: ignore[name-defined]  # noqa: F821

    refused(empty, "empty has no members")
    refused(number, r"number\.n: int has no width")
    refused(itself, "itself contains itself")
    refused(plain, r"Embedded\[\.\.\.\] takes a kernel struct")
    refused(nobody, "the name `nowhere_to_be_found`")


def test_kernel_structs_have_no_subclasses() -> None:
    with pytest.raises(DeclarationTypeError, match="can't inherit from task_struct"):

        class more(kernel.task_struct):  # type: ignore[misc]
            pid: i32


def test_none_is_made_in_plain_python() -> None:
    with pytest.raises(RuntimeError):
        task_struct___old(0)
