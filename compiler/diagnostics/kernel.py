"""E11xx: the kernel's structs, and what is asked about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ArgumentOther", "NoKernelMember", "NotKernelField", "NotKernelType"]


class NoKernelMember(Diagnostic):
    """A kernel struct has no member of that name, in the BTF that pybpf was given.

    Members come and go with kernel releases. One that only other kernels have is reached through a flavour: a struct
    of the same name with `___` and a word behind it, which declares the members that you need. `exists()` asks the
    running kernel.

    Fails:

        state = task.state

    Works:

        class task_struct___old(KernelStruct):
            state: i64

        if exists(task_struct___old, "state"):
            state = task_struct___old(task).state
        else:
            state = task.__state
    """

    name: str
    struct: str
    names: tuple[str, ...]
    near: str

    code = "E1101"
    title = "{struct} has no member `{name}`"
    label = "unknown member"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.near:
            yield Help(f"did you mean `{self.near}`?")
        elif not self.names:
            yield Note(f"the kernel's BTF does not say what is in {self.struct}")
        else:
            if len(self.names) <= 12:
                yield Note(f"its members are {listed(self.names)}")
            yield Help(
                "for a member that only other kernels have, declare a flavour:",
                (f"class {self.struct.partition('___')[0]}___other(KernelStruct):", f"    {self.name}: u64"),
            )


class ArgumentOther(Diagnostic):
    """A parameter is annotated with another struct than the kernel passes there, or as a wider number.

    The kernel's BTF says what the arguments of a tracepoint or function are. What a register holds beyond the width of
    a number that is passed in it is not part of the number.

    Fails:

        @tp_btf("sched_switch")
        def switch(preempt: bool, prev: mm_struct, next: task_struct) -> None:

    Works:

        @tp_btf("sched_switch")
        def switch(preempt: bool, prev: task_struct, next: task_struct) -> None:
    """

    name: str
    said: str
    known: str
    section: str

    code = "E1104"
    title = "`{name}` of {section} is {known}, not {said}"
    label = "the kernel passes {known} here"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.known.isidentifier():
            yield Help("write:", (f"{self.name}: {self.known}",))


class NotKernelField(Diagnostic):
    """What is asked about is no member of a kernel struct.

    `exists`, `field_size` and their like take a member, as an expression or by its name.

    Fails:

        if exists(task):

    Works:

        if exists(task.mm):

        if exists(task_struct, "mm"):
    """

    function: str
    found: str

    code = "E1102"
    title = "{function}() takes a member of a kernel struct"
    label = "this is {found}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(
            "write one of:",
            (f"{self.function}(task.mm)", f'{self.function}(task_struct, "mm")'),
        )


class NotKernelType(Diagnostic):
    """What is asked about is no type of the kernel.

    `type_exists`, `type_matches` and their like take a struct, a union or an enumeration of `pybpf.kernel`, or a
    flavour of one; `enum_exists` and `enum_value` take an enumerator.

    Fails:

        if type_exists(u32):

    Works:

        if type_exists(bpf_iter_num):
    """

    function: str
    found: str
    wanted: str
    example: str

    code = "E1103"
    title = "{function}() takes {wanted}"
    label = "this is {found}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("for example:", (self.example,))
