"""Calls of kernel helpers, and of functions that a helper fills memory for (`comm()`).

In: a HelperSpec or FillSpec and the call. Out: HelperCall or Fill, each argument checked against the helper's own
table row.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.access import check_writable, reference
from pybpf.compiler.frontend.convert import convert, materialize, maybe_none, number, stored, type_of
from pybpf.compiler.frontend.innermaps import as_map
from pybpf.compiler.frontend.known import ContextRef, Known
from pybpf.compiler.frontend.measure import range_of, within
from pybpf.compiler.frontend.moves import MOVES_PACKET, forget_packet, restart
from pybpf.compiler.frontend.operators import to_type
from pybpf.compiler.schema.core import type_after
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.specs import FillSpec, HelperSpec, MapSpec, permits
from pybpf.compiler.schema.types import (
    U64,
    ArrayType,
    BytesType,
    IntType,
    OptionalType,
    PtrType,
    Space,
    StructType,
    TextType,
    Type,
    is_aggregate,
    is_arena_pointer,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import ArgSpec

__all__ = ["as_argument", "check_allowed", "check_licence", "fill", "helper", "kernel_object"]

_GPL = ("GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL")  # linux/license.h


_LOCKS = (93, 94)  # bpf_spin_lock, bpf_spin_unlock: locks.py makes both for a `with` block


def check_licence(checker: Checker, name: str, span: Span) -> None:
    """Refuse a helper that only GPL-compatible programs may call."""
    if checker.session.target.license not in _GPL:
        checker.fail(errors.HelperNeedsGpl(span, name, checker.session.target.license))


def check_allowed(checker: Checker, spec: HelperSpec, span: Span) -> None:
    """Whether this program may call the helper: its type, its licence, the kernels it is for, whether it may sleep."""
    program = checker.session.program
    if spec.programs and program.prog_type != "EXT":  # which may what the program may that it replaces a part of
        key = permits(spec.programs, program)
        if key is None or not checker.has_release(spec.programs[key]):
            kind = program.prog_type
            if any([other.startswith(f"{kind}/") for other in spec.programs]):
                kind = f"{kind}/{program.attach_type}"
            allowed = sorted([other for other, since in spec.programs.items() if checker.has_release(since)])
            later = "" if key is None else spec.programs[key]
            checker.fail(errors.HelperNotAllowed(span, spec.name, spec.id, kind, tuple(allowed), later))
        places = spec.targets.get(key)
        if places is not None and program.section.partition("/")[2] not in places:
            checker.fail(errors.HelperNotThere(span, spec.name, program.section, tuple(sorted(places))))
        if program.void and spec.name == "bpf_set_retval":  # check_helper_call() in kernel/bpf/verifier.c
            checker.fail(errors.HelperNotThere(span, spec.name, program.section, ()))
    if spec.gpl:
        check_licence(checker, spec.name, span)
    checker.check_release(f"`{spec.name}`", spec.since, span)
    if spec.sleepable:
        from pybpf.compiler.frontend.references import in_region

        if not program.sleepable or in_region(checker):
            checker.fail(errors.HelperSleeps(span, spec.name, program.name))


def helper(checker: Checker, spec: HelperSpec, node: ast.Call, span: Span) -> Value:
    """`bpf_...(...)`."""
    check_allowed(checker, spec, span)
    if spec.id in _LOCKS:
        place = checker.text(checker.span(node.args[0])) if node.args else ""
        checker.fail(errors.LockByHand(span, spec.name, place.rpartition(".")[0] or "value"))
    if spec.body:
        from pybpf.compiler.frontend.helperloops import used_otherwise

        used_otherwise(checker, spec, node, span)
    names = [a.name for a in spec.args]
    variadic = 3 if "..." in spec.signature else 0  # what bpf_trace_printk() prints
    if node.keywords or not len(names) - variadic <= len(node.args) <= len(names):
        written, by_keyword = checker.text(checker.span(node.func)), bool(node.keywords)
        count = len(node.args)
        checker.fail(errors.HelperArguments(span, spec.name, written, tuple(names), count, by_keyword, spec.signature))
    if spec.name == "bpf_kptr_xchg":
        from pybpf.compiler.frontend.objects import by_helper as exchange

        return exchange(checker, node.args, span)
    if spec.name == "bpf_tail_call":
        from pybpf.compiler.frontend.tailcalls import by_helper

        return by_helper(checker, node.args, span)
    arguments: list[Any] = []
    first = spec.first.get(checker.session.program.prog_type)
    for i, (taken, given) in enumerate(zip(spec.args, node.args)):
        taken = taken if i or first is None else first
        if spec.dynptr == "data" and i == 2:
            part: Value = dynptrs().raw_slice(checker, spec, arguments, checker.expr(given), span)
            return part
        arguments.append(as_argument(checker, spec, taken, given, arguments, i))
    arguments += [tree.Const(U64, span, 0)] * (len(spec.args) - len(arguments))
    result: Type = reference(spec.result, Space.TRUSTED) if is_aggregate(spec.result) else kinds.host(spec.result)
    made = tree.HelperCall(OptionalType(result) if spec.nullable else result, span, spec, tuple(arguments))
    if spec.dynptr and not spec.releases:
        filled: Value = dynptrs().called(checker, made, spec, arguments)
        return filled
    if spec.releases or spec.release is not None:
        from pybpf.compiler.frontend.references import called

        return called(checker, made, arguments, 0 if spec.releases else -1, spec.release)
    if spec.id not in MOVES_PACKET:
        return made
    forget_packet(checker, f"{spec.name}()", span)
    return restart(checker, made)


def dynptrs() -> Any:
    """The module about dynptrs, which few programs have."""
    from pybpf.compiler.frontend import dynptrs as module

    return module


# What a program of the language has no value for, by the struct, or by the helper where C has no type.
_UNSUPPORTED = {
    "bpf_timer": "a timer",
    "bpf_per_cpu_ptr": "the address of a per-CPU variable", "bpf_this_cpu_ptr": "the address of a per-CPU variable",
}  # fmt: skip


def as_argument(
    checker: Checker, spec: HelperSpec, argument: ArgSpec, node: Any, before: list[Any], position: int
) -> Any:
    """One argument, by the kind that the helper's row gives."""
    struct = getattr(getattr(argument.type, "pointee", None), "name", "")
    lacking = _UNSUPPORTED.get(spec.name) or _UNSUPPORTED.get(struct)
    if argument.kind == "ptr" and lacking:
        checker.fail(errors.HelperUnsupported(checker.span(node), spec.name, argument.name, lacking))
    value = checker.expr(node, argument.type)
    if struct == "bpf_dynptr":
        fills = bool(spec.release) or spec.dynptr == "local"
        if spec.dynptr == "local":
            dynptrs().check_memory(checker, spec, before[0])
        return dynptrs().argument(checker, spec, argument.name, value, fills, before)
    what = f"`{argument.name}` of {spec.name}()"
    if argument.zero and argument.kind != "size" and isinstance(value, Known) and value.value is None:
        return tree.Const(U64, value.span, 0)
    match argument.kind:
        case "ctx":
            if not isinstance(value, ContextRef):
                checker.fail(errors.WrongType(value.span, kinds.spell(type_of(value)), "the context", what))
            return materialize(checker, value)
        case "map":
            schema = checker.schema(as_map(checker, value))
            if not isinstance(schema, MapSpec):
                checker.fail(errors.WrongType(value.span, kinds.spell(type_of(value)), "a map", what))
            if (spec.maps and schema.kind.name not in spec.maps) or schema.kind.name in spec.not_maps:
                named, takes = checker.text(value.span), tuple(sorted(spec.maps))
                checker.fail(errors.HelperMap(value.span, spec.name, named, schema.kind.name, takes))
            return schema
        case "key" | "value":
            spec_map = next((a for a in reversed(before) if isinstance(a, MapSpec)), None)
            kind = None if spec_map is None else spec_map.key if argument.kind == "key" else spec_map.value
            if kind is None:
                checker.fail(errors.HelperUnsupported(value.span, spec.name, argument.name, argument.kind))
            return stored(checker, value, kind, what)
        case "mem" if isinstance(value, Known) and isinstance(value.value, (str, bytes)):
            return _constant(value)
        case "fmt":
            if not isinstance(value, Known) or not isinstance(value.value, str):
                checker.fail(errors.HelperUnsupported(value.span, spec.name, argument.name, argument.kind))
            return _constant(value)
        case "mem" | "out":
            return _memory(checker, value, argument, what)
        case "slot":
            memory, table = _memory(checker, value, argument, what), before[-1]
            given = kinds.aggregate(memory.type)
            assert given is not None and isinstance(table, MapSpec) and table.value is not None
            if size_of(given) < size_of(table.value):
                checker.fail(errors.WrongType(memory.span, str(given), str(table.value), what))
            return memory
        case "size":
            role = spec.args[position - 1].kind if position else ""
            formats = [given for given in before if isinstance(given, tree.RodataText)]
            if formats and argument.name == "data_len":  # of the numbers that a format shows
                return _shown(checker, value, formats[0].value, what)
            return _size(checker, value, argument, before[position - 1] if position else None, what, role)
        case "ptr":
            return kernel_object(checker, spec, argument, value, what)
        case "address" if kinds.may_be_null(type_of(value)) or is_kernel(type_of(value)):
            return address_of(value)
        case "scalar" | "address":
            wanted = kinds.host(argument.type) if isinstance(argument.type, IntType) else U64
            return convert(checker, value, wanted, what)
    checker.fail(errors.HelperUnsupported(value.span, spec.name, argument.name, argument.kind))


def kernel_object(
    checker: Checker, spec: HelperSpec, argument: ArgSpec, value: Value, what: str, *, tested: bool = False
) -> tree.Expr:
    """A pointer to an object of the kernel, for the argument of kind "ptr". `tested`: the call stands behind a test
    for NULL.
    """
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    if not isinstance(expr.type, PtrType):
        checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), str(argument.type), what))
    if isinstance(expr, tree.KernelPlace) and lies_inside(expr, Space.TRUSTED, Space.ARGUMENT):
        inside: tree.Expr = replace(expr, type=PtrType(expr.type.pointee, Space.TRUSTED), direct=True)
        _check_object(checker, spec, argument, inside, what)
        return inside
    if expr.type.space in (Space.KERNEL, Space.USER):
        given = f"the address of a {expr.type.pointee}, which the verifier knows nothing of"
        known = f"a {argument.type} of current_task() or of an argument of @tp_btf"
        checker.fail(errors.WrongType(expr.span, given, known, what))
    _check_object(checker, spec, argument, expr, what)
    if expr.type.space in (Space.UNTRUSTED, Space.RCU, Space.NULLABLE, Space.RCU_NULLABLE):
        from pybpf.compiler.frontend.trust import check_passed

        check_passed(checker, expr, getattr(argument.type, "pointee", None), spec.name, tested)
    return expr


def _constant(value: Known) -> tree.RodataText:
    """Constant bytes, and a NUL after them, which a string's size counts."""
    text = value.value.encode() if isinstance(value.value, str) else value.value
    return tree.RodataText(PtrType(None, Space.GLOBAL), value.span, text)


def lies_inside(place: tree.KernelPlace, *spaces: str) -> bool:
    """Whether it is a part of an object in one of the spaces, as much trusted as that is: no pointer is read to get
    there.
    """
    base = place.base.type
    if not isinstance(base, PtrType) or base.space not in spaces or place.first or base.pointee is None:
        return False
    steps = [step for step in place.path if not isinstance(step, tree.Expr)]
    return len(steps) == len(place.path) and isinstance(type_after(base.pointee, steps), KernelType)


def address_of(value: Value) -> tree.Expr:
    """A pointer of the kernel, or a reference into its memory, as the number that a probe read takes."""
    assert isinstance(value, tree.Expr)
    return tree.Cast(U64, value.span, value)


def is_kernel(kind: Type) -> bool:
    """Whether it is a pointer into the kernel's memory or the process's."""
    return isinstance(kind, PtrType) and kind.space in (*Space.OBJECTS, Space.KERNEL, Space.USER)


_LENT = (Space.CTX, Space.OWNED, Space.BORROWED, Space.RCU)  # what helpers don't take for memory
# What passes for a struct of that name too.
_SOCKETS = ("bpf_sock", "bpf_sock_common", "bpf_tcp_sock")
_ALIKE = {"bpf_sock": _SOCKETS, "bpf_sock_common": _SOCKETS, "sock_common": _SOCKETS}


def _check_object(checker: Checker, spec: HelperSpec, argument: ArgSpec, expr: tree.Expr, what: str) -> None:
    """A pointer to an object is one to the struct that the helper wants."""
    assert isinstance(expr.type, PtrType)
    wanted = argument.type.pointee if isinstance(argument.type, PtrType) else None
    name = wanted.name if isinstance(wanted, StructType) else ""
    given = getattr(expr.type.pointee, "name", "")
    inner = expr.type.pointee
    if name == "sock_common":
        while isinstance(inner, KernelType) and given != name and inner.members:
            inner = inner.members[0].type  # an object is one of its first member's type too
            given = getattr(inner, "name", "")
    if name and given != name and given not in _ALIKE.get(name, ()):
        checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), f"a {name}", what))


def _memory(checker: Checker, value: Value, argument: ArgSpec, what: str) -> tree.Expr:
    """A reference to an object; for "out" one that may be written."""
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    if kinds.aggregate(expr.type) is None or kinds.is_dynptr(expr.type):
        checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), "a struct, array, text or bytes object", what))
    if isinstance(expr.type, PtrType) and expr.type.space in _LENT:
        part = "part of the context" if expr.type.space == Space.CTX else "part of an object of obj_new()"
        checker.fail(errors.WrongType(expr.span, part, "an object of the program's own: a copy", what))
    if is_arena_pointer(expr.type):  # which helpers know nothing of
        wanted = "an object of the program's own: a copy"
        checker.fail(errors.WrongType(expr.span, "an object in the arena", wanted, what))
    if argument.kind == "out":
        check_writable(checker, expr, expr.span)
    fixed = argument.type.pointee if isinstance(argument.type, PtrType) else None
    given = kinds.aggregate(expr.type)
    if (
        fixed is not None
        and given is not None
        and is_aggregate(fixed)
        and size_of(fixed)
        and size_of(given) < size_of(fixed)
    ):
        checker.fail(errors.WrongType(expr.span, str(given), str(fixed), what))
    return expr


def _size(checker: Checker, value: Value, argument: ArgSpec, memory: Any, what: str, role: str) -> tree.Expr:
    """The byte count of the memory before it: not more than there is."""
    size = number(checker, value)
    pointee = kinds.aggregate(memory.type) if isinstance(memory, tree.Expr) else None
    most = size_of(pointee) if pointee is not None else 0
    least = 0 if argument.zero else 1
    if isinstance(memory, tree.RodataText):
        most = len(memory.value) + 1
        least = most if role == "fmt" else least
    lo, hi = (size, size) if isinstance(size, int) else range_of(checker, size)
    if lo < least or hi > most:
        text, of = checker.text(value.span), checker.text(memory.span) if pointee is not None else "None"
        checker.fail(errors.SizeOutOfRange(value.span, text, what, of, least, most, lo, hi))
    return within(to_type(checker, size, U64, value.span), least, most)


def _shown(checker: Checker, value: Value, format: bytes, what: str) -> tree.Expr:
    """The size of the array of what a format shows: 8 bytes for each conversion (bpf_bprintf_prepare())."""
    size = number(checker, value)
    most = 8 * format.replace(b"%%", b"").count(b"%")
    lo, hi = (size, size) if isinstance(size, int) else range_of(checker, size)
    if (lo, hi) != (most, most):
        checker.fail(errors.HelperFormat(value.span, what, format.decode(), most // 8, lo, hi))
    return to_type(checker, size, U64, value.span)


def _check_memory(checker: Checker, spec: FillSpec, address: tree.Expr, span: Span) -> None:
    """Warn where an argument of a system call, which is the process's, is read as if it were the kernel's."""
    context = checker.session.program.context
    while isinstance(address, tree.Convert):
        address = address.value
    if context is not None and context.user and isinstance(address, tree.CtxLoad) and spec.name.startswith("kernel_"):
        text = checker.text(span)
        fixed = text.replace("kernel_", "user_", 1)
        checker.report(errors.UserAddress(span, checker.text(address.span), spec.name, fixed))


def fill(checker: Checker, spec: FillSpec, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`comm()`, `user_str(address)`: as large as where it is kept."""
    check_allowed(checker, spec.helper, span)
    if node.keywords or len(node.args) != len(spec.params):
        shown = ", ".join(spec.params)
        takes = f"takes ({shown})" if shown else "takes no arguments"
        checker.fail(errors.CallArguments(span, f"{spec.name}()", takes, f"{spec.name}({shown})"))
    arguments = []
    for index, (name, given) in enumerate(zip(spec.params, node.args)):
        value = checker.expr(given)
        taken = spec.helper.args[spec.call.index(index)] if index in spec.call else None
        if taken is not None and taken.kind == "ptr":
            arguments.append(kernel_object(checker, spec.helper, taken, value, f"`{name}` of {spec.name}()"))
        elif isinstance(value, tree.Expr) and is_kernel(value.type):
            arguments.append(address_of(value))
        else:
            arguments.append(convert(checker, value, U64, f"`{name}` of {spec.name}()"))
            _check_memory(checker, spec, arguments[-1], span)
    wanted = want.inner if isinstance(want, OptionalType) else want
    wanted = wanted.pointee if isinstance(wanted, PtrType) else wanted
    if spec.element is not None:
        fits = isinstance(wanted, ArrayType) and kinds.same(wanted.element, spec.element)
        arguments.append(tree.Context(PtrType(None, Space.CTX), span))
    else:
        fits = isinstance(wanted, (TextType, BytesType))
    kind = wanted if fits else spec.default
    if kind is None:
        local, wanted_kind = ("raw", "Bytes[L[64]]") if spec.name.endswith("_bytes") else ("text", "Text[L[64]]")
        if spec.element is not None:
            local, wanted_kind = "frames", f"Array[{spec.element}, L[32]]"
        checker.fail(errors.FillNeedsSize(span, spec.name, checker.text(span), wanted_kind, local))
    made = tree.Fill(PtrType(kind, Space.STACK), span, spec, tuple(arguments))
    checker.made(made)
    return made
