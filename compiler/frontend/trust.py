"""What the verifier makes of pointers that lie in objects of the kernel, and what takes them.

By default what is found by way of a trusted object is an object to load from (Space.UNTRUSTED). Helpers take it where a
test has shown that it is not NULL: by way of NULL zero is read, and the verifier follows that path too. Since Linux 6.4
the verifier names members that it trusts as much as the object around them, and others that it trusts behind a test:
the BTF_TYPE_SAFE_ lists of kernel/bpf/verifier.c, by the struct that the path starts at. In a program that may sleep it
trusts nothing else, and no helper takes that (check_ptr_to_btf_access()).

In: the path that a pointer was read by; an expression that is passed to a helper or function of the kernel. Out: the
Space of the pointer; a diagnostic where the verifier would refuse it.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow
from pybpf.compiler.frontend.measure import underlying
from pybpf.compiler.schema.types import PtrType, Space, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.types import Type

__all__ = ["check_passed", "check_present", "of_argument", "of_member"]

# A member -> the space of the pointer in it, where the object around it is trusted; and the first release where it is
# for programs that take nothing else. An object is for all releases from its target on, so refusals hold for all.
_MEMBERS = {
    ("linux_binprm", "file"): (Space.TRUSTED, "6.4"), ("file", "f_inode"): (Space.TRUSTED, "6.4"),
    ("socket", "sk"): (Space.NULLABLE, ""), ("dentry", "d_inode"): (Space.NULLABLE, ""),
    ("vm_area_struct", "vm_mm"): (Space.NULLABLE, "6.19"), ("vm_area_struct", "vm_file"): (Space.NULLABLE, "6.19"),
    ("mm_struct", "exe_file"): (Space.RCU_NULLABLE, ""), ("sk_buff", "sk"): (Space.RCU_NULLABLE, ""),
    ("request_sock", "sk"): (Space.RCU_NULLABLE, ""),
}  # fmt: skip

# Programs on a function that is traced: their arguments are not trusted, nor is what is found by way of them.
_TRACED = (
    "BPF_TRACE_FENTRY", "BPF_TRACE_FEXIT", "BPF_MODIFY_RETURN", "BPF_TRACE_FSESSION", "BPF_TRACE_FENTRY_MULTI",
    "BPF_TRACE_FEXIT_MULTI", "BPF_TRACE_FSESSION_MULTI",
)  # fmt: skip


def of_argument(attach_type: str) -> str:
    """The space of what a program gets that BTF describes."""
    return Space.ARGUMENT if attach_type in _TRACED else Space.TRUSTED


def of_member(checker: Checker, space: str, struct: str, member: str) -> str:
    """The space of the pointer in a member, by that of the object that the path starts at, and that one's struct."""
    if space in (Space.TRUSTED, Space.RCU, Space.NULLABLE, Space.RCU_NULLABLE):
        found, since = _MEMBERS.get((struct, member), (Space.UNTRUSTED, ""))
        if found == Space.TRUSTED and (space != Space.TRUSTED or not checker.has_release(since)):
            return Space.NULLABLE  # zero by way of NULL, and earlier verifiers think of that
        if checker.has_release(since) or not checker.session.program.sleepable:
            return found
    return Space.UNTRUSTED


def check_passed(checker: Checker, expr: tree.Expr, wanted: Type | None, name: str, tested: bool) -> None:
    """Refuse a pointer that the verifier does not let be passed to a helper: as an object of the struct `wanted`.
    `tested`: the call stands behind a test for NULL.
    """
    assert isinstance(expr.type, PtrType)
    program, space, text = checker.session.program, expr.type.space, checker.text(expr.span)
    untrusted = space in (Space.UNTRUSTED, Space.RCU_NULLABLE)
    if untrusted and program.sleepable and program.attach_type not in _TRACED:
        checker.fail(errors.FoundInSleeper(expr.span, text, name))
    sockets = isinstance(wanted, StructType) and wanted.name == "sock_common"
    if space in (Space.RCU, Space.RCU_NULLABLE) and sockets:
        checker.fail(errors.SocketFound(expr.span, text, name))
    if not tested and space != Space.RCU:
        check_present(checker, expr, name)


def check_present(checker: Checker, expr: tree.Expr, name: str) -> None:
    """Refuse a pointer that may be NULL for all that the program has tested."""
    var = underlying(checker, expr)
    fact = checker.state.get(var.name) if var is not None and checker.state is not None else None
    if fact is not None and fact.presence == flow.PRESENT:
        return
    known = "" if var is None or var.name.startswith("%") else var.name
    checker.fail(errors.NullPassed(expr.span, checker.text(expr.span), known, name))
