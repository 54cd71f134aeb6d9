"""What a program asks about the running kernel's types: `exists(task.mm)`, `sizeof(task_struct)`, `enum_value(...)`.

Each is a KernelFact, which the loader answers (CO-RE relocations of kinds 0 to 12). It is never a constant here: the
side of an `if` that depends on it is compiled, and the verifier leaves out what the running kernel does not need.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import type_of
from pybpf.compiler.frontend.known import Known, describe
from pybpf.compiler.schema import core
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.specs import KfuncSpec
from pybpf.compiler.schema.types import BOOL, U32, U64, EnumType, IntType, PtrType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import NoReturn

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.core import CoreFact
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type

__all__ = ["ask", "container", "size_of_type"]

_FIELDS = {
    "exists": (core.FIELD_EXISTS, BOOL),
    "field_size": (core.BYTE_SIZE, U32),
    "offsetof": (core.BYTE_OFFSET, U32),
    "field_signed": (core.SIGNED, BOOL),
}
_TYPES = {
    "type_exists": (core.TYPE_EXISTS, BOOL),
    "type_matches": (core.TYPE_MATCHES, BOOL),
    "type_id_local": (core.TYPE_ID_LOCAL, U64),
    "type_id_target": (core.TYPE_ID_TARGET, U64),
}
_ENUMS = {"enum_exists": core.ENUM_EXISTS, "enum_value": core.ENUM_VALUE}


def ask(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """The call of a function that asks."""
    callee = checker.expr(node.func)
    assert isinstance(callee, Known)
    name = callee.value.__bpf__.name
    values = [checker.expr(argument) for argument in node.args]
    if node.keywords or not 1 <= len(values) <= 2:
        example = f'{name}(task_struct, "mm")' if name in _FIELDS else f"{name}(task_struct)"
        checker.fail(errors.CallArguments(span, f"{name}()", "takes what it asks about", example))
    return _RULES[name](checker, name, values, span)


def _field(checker: Checker, name: str, values: list[Value], span: Span) -> Value:
    kind, result = _FIELDS[name]
    first = values[0]
    if len(values) == 2:
        struct, member = _struct(checker, first), values[1]
        if struct is None or not (isinstance(member, Known) and isinstance(member.value, str)):
            _no_field(checker, name, first if struct is None else member)
        from pybpf.compiler.frontend.kernel import path_of

        return _fact(result, span, core.field_fact(kind, struct, path_of(checker, struct, member.value, member.span)))
    if name == "exists" and isinstance(first, Known):
        schema = checker.schema(first)
        if isinstance(schema, KfuncSpec):
            checker.check_release("exists() of a kernel function", "6.4", span)
            return tree.KfuncExists(BOOL, span, schema)
        if _struct(checker, first) is not None:
            return _type(checker, "type_exists", values, span)
        if isinstance(getattr(type(first.value), "__bpf__", None), EnumType):
            return _enum(checker, "enum_exists", values, span)
    if not isinstance(first, tree.KernelPlace) or not first.path:
        _no_field(checker, name, first)
    steps = [step for step in first.path if not isinstance(step, tree.Expr)]
    root = first.base.type
    assert isinstance(root, PtrType) and root.pointee is not None
    if len(steps) != len(first.path) or not isinstance(first.first, int):
        _no_field(checker, name, first)
    return _fact(result, span, core.field_fact(kind, root.pointee, steps, first.first))


def _type(checker: Checker, name: str, values: list[Value], span: Span) -> Value:
    kind, result = _TYPES[name]
    schema = checker.schema(values[0])
    if len(values) != 1 or not isinstance(schema, (KernelType, EnumType)) or not _is_class(values[0]):
        _no_type(checker, name, values[0], "a type of the kernel", f"{name}(task_struct)")
    return _fact(result, span, core.type_fact(kind, schema))


def _enum(checker: Checker, name: str, values: list[Value], span: Span) -> Value:
    """Of an enumerator, `bpf_func_id.BPF_FUNC_map_lookup_elem`."""
    kind, given = _ENUMS[name], values[0]
    member = given.value if isinstance(given, Known) else None
    schema = getattr(type(member), "__bpf__", None)
    label = getattr(member, "name", "")
    if len(values) != 1 or not isinstance(schema, EnumType) or all(label != known for known, _ in schema.members):
        _no_type(checker, name, given, "an enumerator of the kernel", f"{name}(bpf_map_type.BPF_MAP_TYPE_ARENA)")
    result = BOOL if kind == core.ENUM_EXISTS else schema.base
    return _fact(result, span, core.enum_fact(kind, schema, label))


def container(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`container_of(node, task_struct, "tasks")`."""
    from pybpf.compiler.frontend.kernel import container as made

    values = [checker.expr(argument) for argument in node.args]
    struct = _struct(checker, values[1]) if len(values) == 3 else None
    member = values[2] if len(values) == 3 else None
    if struct is None or node.keywords or not (isinstance(member, Known) and isinstance(member.value, str)):
        takes = "takes a pointer, a kernel struct, and the name of a member"
        checker.fail(errors.CallArguments(span, "container_of()", takes, 'container_of(node, task_struct, "tasks")'))
    return made(checker, values[0], struct, member.value, span)


def size_of_type(checker: Checker, value: Value, span: Span) -> tree.Expr | None:
    """`sizeof` of a kernel struct, or of a value of one; None for anything else."""
    schema = checker.schema(value)
    if schema is None and isinstance(value, tree.Expr):
        schema = kinds.aggregate(value.type)
    return _fact(U32, span, core.type_fact(core.TYPE_SIZE, schema)) if isinstance(schema, KernelType) else None


def _fact(kind: Type, span: Span, fact: CoreFact) -> tree.Expr:
    return tree.KernelFact(IntType(kind.bits, kind.signed) if isinstance(kind, IntType) else kind, span, fact)


def _struct(checker: Checker, value: Value) -> KernelType | None:
    schema = checker.schema(value) if isinstance(value, Known) else None
    return schema if isinstance(schema, KernelType) else None


def _is_class(value: Value) -> bool:
    return isinstance(value, Known) and isinstance(value.value, type)


def _described(checker: Checker, value: Value) -> str:
    return describe(value.value) if isinstance(value, Known) else kinds.spell(type_of(value))


def _no_field(checker: Checker, name: str, value: Value) -> NoReturn:
    checker.fail(errors.NotKernelField(value.span, name, _described(checker, value)))


def _no_type(checker: Checker, name: str, value: Value, wanted: str, example: str) -> NoReturn:
    checker.fail(errors.NotKernelType(value.span, name, _described(checker, value), wanted, example))


_RULES: dict[str, Callable[[Checker, str, list[Value], Span], Value]] = {
    **dict.fromkeys(_FIELDS, _field),
    **dict.fromkeys(_TYPES, _type),
    **dict.fromkeys(_ENUMS, _enum),
}
