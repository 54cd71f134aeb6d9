"""Calls of kernel functions (kfuncs): each argument against the type that C gives the parameter.

In: a KfuncSpec and the call. Out: KfuncCall. The verifier's rules are those of check_kfunc_args() in
kernel/bpf/verifier.c; what the ends of parameters' names mean is in Documentation/bpf/kfuncs.rst.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, references, tree
from pybpf.compiler.frontend.access import check_writable
from pybpf.compiler.frontend.convert import convert, materialize, maybe_none, number, type_of
from pybpf.compiler.frontend.flow import exists_key
from pybpf.compiler.frontend.helpers import check_licence, dynptrs, is_kernel, lies_inside
from pybpf.compiler.frontend.known import ContextRef, Known
from pybpf.compiler.frontend.measure import range_of, within
from pybpf.compiler.frontend.operators import to_type
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.specs import IterSpec, KfuncSpec, permits
from pybpf.compiler.schema.types import (
    U64,
    EnumType,
    IntType,
    NoneType,
    OptionalType,
    PtrType,
    Space,
    TextType,
    Type,
    is_aggregate,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span

__all__ = ["check_kfunc", "iterator_arguments", "kfunc", "plain_name", "prototype"]

_MEMORY = (Space.STACK, Space.MAP, Space.PERCPU, Space.GLOBAL, Space.CONST, Space.RINGBUF)
_SIZES = ("__sz", "__szk")
# Programs that need not be sleepable for a function with the flag "wakeful": check_css_task_iter_allowlist() in
# kernel/bpf/verifier.c.
_WAKEFUL = {"LSM": "", "TRACING/BPF_TRACE_ITER": ""}
# Ends of names of parameters that take what a program can't give.
_UNSUPPORTED = {
    "__k": "a constant of the compiler's own", "__map": "a map",
    "__alloc": "an allocated object", "__refcounted_kptr": "a counted object", "__irq_flag": "a saved interrupt flag",
    "__const_str": "a constant string",
}  # fmt: skip
# Structs of the kernel that only the calls of their own kind may touch.
_OPAQUE = ("bpf_iter_", "bpf_list_head", "bpf_list_node", "bpf_rb_root", "bpf_rb_node", "bpf_wq")


def kfunc(checker: Checker, spec: KfuncSpec, node: ast.Call, span: Span) -> Value:
    """`bpf_...(...)`."""
    for flag in ("iter_new", "iter_next", "iter_destroy"):
        if flag in spec.flags:
            checker.fail(errors.IteratorByHand(span, spec.name, spec.name.rpartition("_")[0]))
    check_kfunc(checker, spec, span)
    arguments = _arguments(checker, spec, spec.name, spec.params, node, span)
    if spec.dynptr.startswith("slice"):
        part: Value = dynptrs().raw_slice(checker, spec, arguments, arguments[-1], span)
        return part
    made = tree.KfuncCall(_result(checker, spec, span), span, spec, tuple(arguments))
    if spec.dynptr:
        filled: Value = dynptrs().called(checker, made, spec, arguments)
        return filled
    releases = -1
    if "release" in spec.flags:
        releases = next(i for i, (_, kind) in enumerate(spec.params) if isinstance(kind, PtrType))
    if "acquire" in spec.flags and spec.release is None:
        checker.fail(errors.KfuncUnsupported(span, spec.name, "", "nothing is known that releases what it acquires"))
    if "leaves" in spec.flags:
        return references.left(checker, made, spec.name)
    if isinstance(spec.release, KfuncSpec) and not spec.release.params:
        return references.entered(checker, made, spec.release)
    return references.called(checker, made, arguments, releases, spec.release)


def iterator_arguments(checker: Checker, spec: IterSpec, node: ast.Call, span: Span) -> tuple[tree.Expr, ...]:
    """What a call of an iterator gives to the function that makes it, behind the iterator itself."""
    check_kfunc(checker, spec.new, span)
    return tuple(_arguments(checker, spec.new, spec.name, spec.new.params[1:], node, span))


def _arguments(
    checker: Checker, spec: KfuncSpec, called: str, taken: tuple[tuple[str, Type], ...], node: ast.Call, span: Span
) -> list[tree.Expr]:
    """An argument for each of the parameters `taken`."""
    params = [(name, kind) for name, kind in taken if not _is_hidden(name, kind)]
    names = tuple([plain_name(name) for name, _ in params])
    if node.keywords or len(node.args) != len(params):
        written = checker.text(checker.span(node.func))
        by_keyword, count = bool(node.keywords), len(node.args)
        checker.fail(errors.HelperArguments(span, called, written, names, count, by_keyword, prototype(spec)))
    given: list[Any] = []
    before: tree.Expr | None = None
    for position, ((name, kind), argument) in enumerate(zip(params, node.args)):
        follows = params[position + 1][0] if position + 1 < len(params) else ""
        value = checker.expr(argument)
        none = name.endswith("__nullable") and isinstance(value, Known) and value.value is None
        if _is_dynptr(kind) and not none:
            fills = name.endswith("__uninit")
            before = dynptrs().argument(checker, spec, plain_name(name), value, fills, given)
        else:
            before = _argument(checker, spec, name, kind, value, before, follows.endswith(_SIZES))
        given.append(before)
    arguments: list[tree.Expr] = []
    for name, kind in taken:
        arguments.append(tree.Const(U64, span, 0) if _is_hidden(name, kind) else given.pop(0))
    return arguments


def _is_dynptr(kind: Type) -> bool:
    """Whether C's type is `struct bpf_dynptr *`."""
    pointee = kind.pointee if isinstance(kind, PtrType) else None
    return getattr(pointee, "opaque", "") == "bpf_dynptr" or getattr(pointee, "name", "") == "bpf_dynptr"


def prototype(spec: KfuncSpec) -> str:
    """C's, for messages."""
    params = ", ".join([f"{_c(kind)}{name}" for name, kind in spec.params]) or "void"
    return f"{_c(spec.result)}{spec.name}({params})"


def _c(kind: Type) -> str:
    """A type as C has it, with the space before the name."""
    if isinstance(kind, PtrType):
        if isinstance(kind.pointee, TextType):
            return "char *"
        inner = "void " if kind.pointee is None else _c(kind.pointee)
        return f"{inner}*"
    if isinstance(kind, KernelType):
        return f"struct {kind.name} "
    if isinstance(kind, EnumType):
        return f"enum {kind.name} "
    return "void " if isinstance(kind, NoneType) else f"{kind} "


def check_kfunc(checker: Checker, spec: KfuncSpec, span: Span) -> None:
    """Whether this program may call it: its type, its licence, the kernels it is for, whether it may sleep."""
    program, state = checker.session.program, checker.state or {}
    found = state.get(exists_key(spec.name))
    here = found is not None and found.assigned  # behind `if exists(...)`
    since = spec.since
    if spec.programs:
        own = permits(spec.programs, program)
        if own is None:
            checker.fail(errors.KfuncNotAllowed(span, spec.name, program.prog_type, tuple(sorted(spec.programs))))
        since = max(since, spec.programs[own], key=lambda text: [*map(int, text.split("."))] if text else [])
    check_licence(checker, spec.name, span)
    if not here:
        checker.check_release(f"`{spec.name}`", since or "5.13", span)  # the first that had any
    if "sleepable" in spec.flags and (not program.sleepable or references.in_region(checker)):
        checker.fail(errors.HelperSleeps(span, spec.name, program.name))
    if "destructive" in spec.flags:
        checker.fail(errors.KfuncUnsupported(span, spec.name, "", "it needs a capability to reboot the machine"))
    if "bound" in spec.flags:
        checker.fail(errors.KfuncUnsupported(span, spec.name, "", "it is for programs that are bound to a device"))
    if "rcu_protected" in spec.flags and program.sleepable and not references.in_region(checker, "bpf_rcu_read_unlock"):
        checker.fail(errors.KfuncNeedsRegion(span, spec.name, program.name, "bpf_rcu_read_lock"))
    if "wakeful" in spec.flags and not program.sleepable and permits(_WAKEFUL, program) is None:
        checker.fail(errors.KfuncNeedsSleep(span, spec.name, program.prog_type))
    if len(spec.params) > 5:
        checker.fail(errors.KfuncUnsupported(span, spec.name, "", "it takes more than five arguments"))


def plain_name(name: str) -> str:
    """A parameter's name without what its end says."""
    plain = name.partition("__")[0] or name
    return f"{plain}_size" if name.endswith(_SIZES) else plain


def _is_hidden(name: str, kind: Type) -> bool:
    """What C code gives as NULL: the verifier fills it in."""
    return name in ("meta__ign", "aux__ign", "aux__prog")


def _result(checker: Checker, spec: KfuncSpec, span: Span) -> Type:
    kind = spec.result
    if isinstance(kind, PtrType):
        if "address" in spec.flags:
            return U64
        if not isinstance(kind.pointee, KernelType):
            checker.fail(errors.KfuncUnsupported(span, spec.name, "", "what it returns is memory without a type"))
        space = Space.TRUSTED if "acquire" in spec.flags else Space.UNTRUSTED
        made = PtrType(kind.pointee, space)
        return OptionalType(made) if spec.nullable and space == Space.TRUSTED else made
    return kinds.host(kind)


def _argument(
    checker: Checker, spec: KfuncSpec, name: str, kind: Type, value: Value, before: tree.Expr | None, sized: bool
) -> tree.Expr:
    """One argument. `sized`: the next one is the size of the memory that it points to."""
    what = f"`{plain_name(name)}` of {spec.name}()"
    for end, meaning in _UNSUPPORTED.items():
        if name.endswith(end):
            checker.fail(errors.KfuncUnsupported(value.span, spec.name, plain_name(name), f"it must be {meaning}"))
    if name.endswith(_SIZES):
        return _size(checker, value, before, what)
    if not isinstance(kind, PtrType):
        return convert(checker, value, kinds.host(kind), what)
    if name.endswith("__ign") and not isinstance(kind.pointee, TextType):  # an address of any kind
        expr = materialize(checker, value)
        return expr if isinstance(expr.type, PtrType) else convert(checker, value, U64, what)
    optional = name.endswith(("__nullable", "__opt"))
    if optional and isinstance(value, Known) and value.value is None:
        return tree.Const(U64, value.span, 0)
    pointee = kind.pointee
    if isinstance(pointee, TextType):
        return _text(checker, spec, name, value, what, sized)
    if isinstance(value, ContextRef):
        program = checker.session.program
        if isinstance(pointee, KernelType) and spec.cast and spec.contexts.get(program.context_struct) == pointee.name:
            checker.check_release(f"`{spec.cast.name}`", spec.cast.since, value.span)
            made = PtrType(pointee, Space.TRUSTED)
            return tree.KfuncCall(made, value.span, spec.cast, (materialize(checker, value),))
        if not isinstance(pointee, KernelType) or pointee.name != program.context_struct:
            checker.fail(errors.WrongType(value.span, "the context", _c(kind).strip(), what))
        return materialize(checker, value)
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        if optional:
            return expr
        maybe_none(checker, expr)
    if not isinstance(expr.type, PtrType):
        checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), _c(kind).strip(), what))
    if isinstance(pointee, KernelType) and not sized and expr.type.space not in _MEMORY:
        return _object(checker, spec, pointee, expr, what)
    if isinstance(pointee, KernelType) and pointee.name.startswith(_OPAQUE):
        problem = f"it must be a struct {pointee.name}"
        checker.fail(errors.KfuncUnsupported(value.span, spec.name, plain_name(name), problem))
    return _memory(checker, expr, pointee, what, sized)


def _object(checker: Checker, spec: KfuncSpec, wanted: KernelType, expr: tree.Expr, what: str) -> tree.Expr:
    """A reference to an object of the kernel, as much trusted as the function wants it."""
    assert isinstance(expr.type, PtrType)
    given = expr.type.pointee
    own = isinstance(given, KernelType) and wanted.name == f"__{given.name}"  # as programs see it: __sk_buff
    if not (isinstance(given, KernelType) and (own or _holds(given, wanted))):
        checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), f"struct {wanted.name}", what))
    if isinstance(expr, tree.KernelPlace) and lies_inside(expr, Space.TRUSTED):
        return replace(expr, type=PtrType(given, Space.TRUSTED), direct=True)
    space, wants = expr.type.space, spec.flags & {"trusted_args", "rcu", "release"}
    known = space in (Space.TRUSTED, Space.NULLABLE) or (space in (Space.RCU, Space.RCU_NULLABLE) and wants == {"rcu"})
    if not (known or (space in Space.OBJECTS and not wants)):
        checker.fail(errors.KfuncUntrusted(expr.span, spec.name, checker.text(expr.span), wanted.name))
    if space in (Space.NULLABLE, Space.RCU_NULLABLE):
        from pybpf.compiler.frontend.trust import check_present

        check_present(checker, expr, spec.name)
    return expr


def _holds(given: KernelType, wanted: KernelType) -> bool:
    """Whether an object of one type is one of another too: that is its first member, or its first member's."""
    while given.name != wanted.name:
        inner = given.members[0].type if given.members else None
        if not isinstance(inner, KernelType):
            return False
        given = inner
    return True


def _memory(checker: Checker, expr: tree.Expr, wanted: Type | None, what: str, sized: bool) -> tree.Expr:
    """A reference to an object of the program."""
    given = kinds.aggregate(expr.type)
    assert isinstance(expr.type, PtrType)
    least = 0 if sized or wanted is None else size_of(wanted)
    there = expr.type.space in (*_MEMORY, Space.PACKET) and not kinds.is_dynptr(expr.type)
    if given is None or not is_aggregate(given) or not there:
        checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), "a struct, array, text or bytes object", what))
    if size_of(given) < least:
        checker.fail(errors.WrongType(expr.span, str(given), f"at least {least} bytes", what))
    check_writable(checker, expr, expr.span)
    return expr


def _size(checker: Checker, value: Value, memory: tree.Expr | None, what: str) -> tree.Expr:
    """The byte count of the memory before it: not more than there is."""
    size = number(checker, value)
    if isinstance(memory, tree.Const):  # None
        return to_type(checker, size, U64, value.span)
    pointee = kinds.aggregate(memory.type) if memory is not None else None
    most = size_of(pointee) if pointee is not None else 0
    lo, hi = (size, size) if isinstance(size, int) else range_of(checker, size)
    if lo < 0 or hi > most:
        text, of = checker.text(value.span), checker.text(memory.span) if memory is not None else "None"
        checker.fail(errors.SizeOutOfRange(value.span, text, what, of, 0, most, lo, hi))
    return within(to_type(checker, size, U64, value.span), 0, most)


def _text(checker: Checker, spec: KfuncSpec, name: str, value: Value, what: str, sized: bool) -> tree.Expr:
    """`char *`: a constant string, a string that the kernel reads with care, or memory with its size."""
    if name.endswith("__str"):
        if not isinstance(value, Known) or not isinstance(value.value, str):
            checker.fail(errors.KfuncText(value.span, spec.name, plain_name(name)))
        return tree.RodataText(PtrType(None, Space.GLOBAL), value.span, value.value.encode())
    if name.endswith("__ign") and isinstance(type_of(value), (IntType, kinds.AnyInt)):
        return convert(checker, value, U64, what)
    if isinstance(value, Known) and isinstance(value.value, str):
        return tree.RodataText(PtrType(None, Space.GLOBAL), value.span, value.value.encode())
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    if name.endswith("__ign") and is_kernel(expr.type):
        return expr
    if not isinstance(expr.type, PtrType):
        checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), "a text", what))
    return _memory(checker, expr, None, what, sized)
