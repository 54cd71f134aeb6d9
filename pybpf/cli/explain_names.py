"""`pybpf explain HashMap`, `ethhdr`, `TcContext`, `task_struct`: a name of pybpf, pybpf.net or pybpf.kernel.

A function or class is shown by its signature and docstring, a struct or context by its fields.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pybpf.compiler.schema.kernel import KernelType
    from pybpf.compiler.schema.specs import ContextSpec
    from pybpf.compiler.schema.types import EnumType, StructType, Type

__all__ = ["name_page", "near_names"]


def name_page(name: str) -> str | None:
    """What is known of a name; None where there is no such one."""
    import pybpf
    from pybpf import net

    name = name.removeprefix("pybpf.").removeprefix("net.").removeprefix("kernel.")
    for module in (pybpf, net):
        if name in module.__all__:
            return _page(f"{module.__name__}.{name}", getattr(module, name))
    return _kernel_page(name)


def near_names(name: str) -> list[str]:
    """Names that look like one that there is not, best first."""
    from difflib import get_close_matches

    import pybpf
    from pybpf import net

    return get_close_matches(name, [*pybpf.__all__, *net.__all__], 3, 0.7)


def _page(name: str, value: Any) -> str:
    from pybpf.compiler.schema.specs import ContextSpec
    from pybpf.compiler.schema.types import EnumType, StructType

    said = "" if isinstance(value, (int, str)) and not isinstance(value, type) else _said(value)
    schema = getattr(value, "__bpf__", None)
    lines = [f"from {name.rpartition('.')[0]} import {name.rpartition('.')[2]}", "", said or _told(value)]
    members = getattr(value, "__members__", None)
    if isinstance(schema, StructType):
        lines += ["", *_fields(schema)]
    elif isinstance(schema, ContextSpec):
        lines += ["", *_context(schema)]
    elif isinstance(schema, EnumType) or members:
        lines += ["", *[f"    {each} = {int(number)}" for each, number in (members or {}).items()]]
    elif not said.startswith("`"):  # which says how it is written
        lines[2:2] = _signature(name.rpartition(".")[2], value)
    lines += _decorated(value)
    if isinstance(value, type) and not isinstance(schema, (StructType, ContextSpec, EnumType)) and not members:
        lines += _methods(value)
    return "\n".join(lines).rstrip()


def _said(value: Any) -> str:
    """The docstring; of a decorator without one that of its call."""
    import inspect

    return inspect.getdoc(value) or inspect.cleandoc(_of_call(value))


def _of_call(value: Any) -> str:
    return getattr(vars(type(value)).get("__call__"), "__doc__", None) or ""


def _told(value: Any) -> str:
    """Of what has no docstring: what it is."""
    return f"{int(value)} ({int(value):#x})" if isinstance(value, int) and not isinstance(value, type) else ""


def _decorated(value: Any) -> Iterator[str]:
    """How a program at a hook looks that takes a context and gives one kind of answer, and at those beside it."""
    from pybpf.hooks.base import ContextHook, Family, Simple

    if isinstance(value, Family):
        for name in (each for each in dir(value) if not each.startswith("_")):
            yield from _decorated(getattr(value, name))
        value = value.__dict__["_bare"]
    hook = value._make() if isinstance(value, Simple) else None
    if isinstance(hook, ContextHook):
        answer = getattr(hook.result, "__name__", "None")
        yield from ("", f"    @{value.name}", f"    def program(ctx: {hook.wanted.__name__}) -> {answer}: ...")


def _signature(name: str, value: Any) -> list[str]:
    import inspect

    try:
        made = inspect.signature(value)
    except (TypeError, ValueError):
        return []
    given = [each for each in made.parameters.values() if each.name != "self"]
    if [each.name for each in given[:1]] in (["args"], ["given"], ["function"], ["values"]):
        return []  # what a type checker sees says more
    bare = [each.replace(annotation=_bare(each.annotation)) for each in given]
    return [f"    {name}{made.replace(parameters=bare, return_annotation=_bare(made.return_annotation))}", ""]


class _Bare(str):
    """An annotation as it is written, which older Pythons show in quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _bare(annotation: Any) -> Any:
    return _Bare(annotation) if isinstance(annotation, str) else annotation


def _fields(struct: StructType) -> Iterator[str]:
    """The fields of a Struct at their offsets."""
    from pybpf.compiler.frontend.kinds import written

    for field in struct.fields:
        kind = f"Bits[{field.type}, L[{field.bits}]]" if field.bits else written(field.type)
        yield f"    {field.name}: {kind}".ljust(44) + f"# at {field.offset}"


def _context(context: ContextSpec) -> Iterator[str]:
    """The fields that a program reads, which of them it may change, and the methods that it calls."""
    from pybpf.compiler.frontend.kinds import written
    from pybpf.compiler.schema.types import PtrType

    for field in context.fields:
        notes = ["may be changed"] if field.writable else []
        notes += [f"Linux {field.since}"] if field.since else []
        line = f"    {field.name}: {'address' if isinstance(field.type, PtrType) else written(field.type)}"
        yield line.ljust(44) + f"# {', '.join(notes)}" if notes else line
    yield from _methods(context.owner)


def _methods(owner: type) -> Iterator[str]:
    """What can be called on its objects, with the first line of what each says of itself."""
    import inspect

    for name in dir(owner):
        method = getattr(owner, name)
        if not name.startswith("_") and inspect.isfunction(method) and method.__module__ != "pybpf.stdlib.maps.base":
            yield ""
            yield from _signature(name, method)[:1] or [f"    {name}(...)"]
            yield from [f"        {line}" for line in (inspect.getdoc(method) or "").split("\n")[:1] if line]


def _kernel_page(name: str) -> str | None:
    """A struct, union, enum or number of the kernel, with its members as a KernelStruct would declare them."""
    from pybpf.compiler.schema.kernel import KernelType
    from pybpf.compiler.schema.types import EnumType
    from pybpf.stdlib.kernel import names

    found = names.lookup(name)
    if found is None:
        return None
    schema = getattr(found, "__bpf__", None)
    lines = [f"from pybpf.kernel import {name}", ""]
    if isinstance(schema, KernelType):
        where = names.chosen() or ("the bundle" if names.struct(schema.tag, schema.name) is schema else "this kernel")
        lines += [f"{schema.tag} {schema.name}, {schema.size} bytes, as {where} has it:", "", *_members(schema, 1)]
        if not schema.members:
            lines[-1:] = [f"{schema.tag} {schema.name}: {where} does not say what is in it"]
    elif isinstance(schema, EnumType):
        lines += [f"enum {name}:", "", *_enumerators(schema)]
    else:
        lines.append(f"{found}" if not isinstance(found, int) else f"{int(found)} ({int(found):#x})")
    return "\n".join(lines)


def _enumerators(kind: EnumType) -> Iterator[str]:
    for each, number in kind.members:
        yield f"    {each} = {number}"


def _members(struct: KernelType, depth: int, start: int = 0) -> Iterator[str]:
    """Members at their offsets; those of a struct or union without a name are indented below it."""
    from pybpf.compiler.schema.kernel import KernelType
    from pybpf.compiler.schema.types import ArrayType

    margin = "    " * depth
    for member in struct.members:
        if member.name.startswith("__cacheline_group_"):
            continue
        inner = member.type
        while isinstance(inner, ArrayType):
            inner = inner.element
        nameless = isinstance(inner, KernelType) and not inner.name
        said = f"{member.name}: {_declared(member.type)}" if member.name else f"({_declared(member.type)})"
        bits = f", {member.bits} bits" if member.bits else ""
        yield f"{margin}{said}".ljust(52) + f" # at {start + member.offset}{bits}"
        if nameless and isinstance(inner, KernelType):
            yield from _members(inner, depth + 1, start + member.offset)


def _declared(kind: Type) -> str:
    """A member's type as a KernelStruct declares it."""
    from pybpf.compiler.schema.kernel import KernelType
    from pybpf.compiler.schema.types import ArrayType, PtrType, TextType

    if isinstance(kind, KernelType):
        return f"Embedded[{kind.name}]" if kind.name else kind.tag
    if isinstance(kind, ArrayType):
        return f"Array[{_declared(kind.element)}, L[{kind.length}]]"
    if isinstance(kind, TextType):
        return f"Text[L[{kind.size}]]"
    if not isinstance(kind, PtrType):
        return str(kind)
    inner = kind.pointee
    if isinstance(inner, KernelType):
        return inner.name or inner.tag
    return f"Pointer[{'None' if inner is None else 'str' if isinstance(inner, TextType) else _declared(inner)}]"
