"""E132x: functions of the kernel that programs call by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KfuncNotAllowed", "KfuncText", "KfuncUnsupported", "KfuncUntrusted"]


# How programs call functions for objects of their own, by how the names begin.
_WRITTEN = (
    ("bpf_obj_new", "`obj_new(Job, due=1)`"), ("bpf_obj_drop", "`obj_drop(job)`"),
    ("bpf_refcount_acquire", "`refcount_acquire(job)`"),
    ("bpf_list_", "a method of a ListHead: `jobs.queue.pop_front()`"),
    ("bpf_rbtree_", "a method of an RbRoot: `jobs.tree.first()`"),
)  # fmt: skip


class KfuncNotAllowed(Diagnostic):
    """A kfunc that the kernel does not let this type of program call.

    Kfuncs are registered for types of programs (register_btf_kfunc_id_set).

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            mask = kfuncs.bpf_cpumask_create()        # fails: for tracing programs
            task = kfuncs.bpf_task_from_pid(1)        # works
    """

    name: str
    program: str
    allowed: tuple[str, ...]

    code = "E1320"
    title = "a program of type {program} can't call `{name}`"
    label = "not allowed here"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(
            f"the kernel has it for programs of the types {listed(tuple([n.lower() for n in self.allowed]), 20)}"
        )
        yield Note(f"the kernel would say: calling kernel function {self.name} is not allowed")


class KfuncUnsupported(Diagnostic):
    """A kfunc that takes, or returns, what a program of this language has no value for.

    Nodes and heads of lists and trees are fields of a Struct, which have methods.

        kfuncs.bpf_list_pop_front(jobs.queue)       # fails

        job = jobs.queue.pop_front()                # works
    """

    name: str
    argument: str
    problem: str

    code = "E1321"
    title = "`{name}` can't be called from a program written here"
    label = ""

    def texts(self) -> tuple[str, str]:
        if self.argument:
            return f"`{self.argument}` of `{self.name}` can't be given from a program", self.problem
        return super().texts()[0], self.problem

    def more(self) -> Iterator[Label | Note | Help]:
        written = next((text for start, text in _WRITTEN if self.name.startswith(start)), "")
        yield Help(f"write {written}" if written else "use a helper, or another kernel function")


class KfuncUntrusted(Advised):
    """A kfunc that wants an object of the kernel which is known to be there: an argument of the program, or acquired.

    What is found by way of another object may be gone, or being freed, when the function uses it.

        kfuncs.bpf_get_task_exe_file(task.real_parent)       # fails
        kfuncs.bpf_get_task_exe_file(task)                   # works: an argument of the BTF tracepoint
    """

    name: str
    text: str
    struct: str

    code = "E1322"
    title = "`{text}` is not known to be a live `{struct}`, as `{name}` needs"
    label = "found by way of another object"
    way_out = "give an argument of the program, or what a call acquired"
    why = "the kernel would say: R1 must be referenced or trusted"


class KfuncText(Advised):
    """A kfunc's parameter that takes a constant string only.

    The verifier reads the string when the program is loaded.

        kfuncs.bpf_get_file_xattr(file, name, value)                  # fails
        kfuncs.bpf_get_file_xattr(file, "user.origin", value)         # works
    """

    name: str
    argument: str

    code = "E1323"
    title = "`{argument}` of `{name}` must be a constant string"
    label = "not a literal"
    way_out = 'write it as a literal, or a string constant of the module: "..."'
