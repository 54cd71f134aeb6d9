"""E11xx: the kernel's structs, and what is asked about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ArgumentOther", "FoundInSleeper", "NoKernelMember", "NotKernelField", "NotKernelType", "NullPassed", "SocketFound",
]  # fmt: skip


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
            else:
                yield Help(f"`pybpf explain {self.struct}` shows its members")
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


class FoundInSleeper(Diagnostic):
    """In a program that may sleep, an object that was found by way of another one is passed to a helper.

    Nothing keeps such an object from being freed while the program sleeps. What a program is given as an argument, and
    what it acquires, stays; so does what lies in an object in place.

    Fails:

        @lsm("file_open", sleepable=True)
        def probe(file) -> int:
            cgroup = helpers.bpf_task_storage_get(notes, current_task().group_leader, None, 0)

    Works:

            cgroup = helpers.bpf_task_storage_get(notes, current_task(), None, 0)
    """

    text: str
    name: str

    code = "E1105"
    title = "`{text}` may be gone while this program sleeps, and `{name}` needs it to be there"
    label = "found by way of another object"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("give an argument of the program, or what a call acquired; or let the program not sleep")
        yield Note("the kernel would say: R1 type=untrusted_ptr_ expected=ptr_, trusted_ptr_, rcu_ptr_")


class NullPassed(Diagnostic):
    """A pointer that may be NULL is passed to a function of the kernel.

    That is what lies in another object, and what the kernel says of some arguments of tracepoints. Reading by way of
    NULL gives zero; passing it on needs a test of the variable that holds it.

    Fails:

        @tp_btf("sched_pi_setprio")
        def probe(tsk, pi_task) -> None:
            seen = helpers.bpf_task_storage_get(notes, pi_task, None, 0)

    Works:

            if pi_task is None:
                return
            seen = helpers.bpf_task_storage_get(notes, pi_task, None, 0)
    """

    text: str
    variable: str
    name: str

    code = "E1106"
    title = "`{text}` may be None, and is passed to `{name}`"
    label = "not tested"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.variable:
            yield Help("test it before:", (f"if {self.variable} is not None:", "    ..."))
        else:
            yield Help("keep it in a variable, and test that:", (f"it = {self.text}", "if it is not None:", "    ..."))
        yield Note("the kernel would say: R1 type=ptr_or_null_ expected=ptr_, trusted_ptr_, rcu_ptr_")


class SocketFound(Diagnostic):
    """The socket of a packet or request, which nothing holds, is passed to a function of sockets.

    Since Linux 6.4 these take sockets that are arguments of the program, those in a `struct socket`, and what they gave
    themselves. Its members can be read.

    Fails:

        @tp_btf("kfree_skb")
        def probe(skb, location, reason) -> None:
            cookie = helpers.bpf_get_socket_cookie(skb.sk)

    Works:

            cookie = skb.sk.__sk_common.skc_cookie.counter
    """

    text: str
    name: str

    code = "E1107"
    title = "`{name}` does not take `{text}`, which may be gone already"
    label = "found by way of another object"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("read its members instead, or give a socket that is an argument of the program")
        yield Note("the kernel would say: R1 type=rcu_ptr_ expected=sock_common, sock, tcp_sock, xdp_sock, ptr_")
