"""Kernel functions, raw tracepoints, security hooks, iterators and struct_ops, with arguments from BTF."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pybpf.attachable import Row
from pybpf.attachable.matching import is_plain, matching, regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.btf.kernel import KernelTypes, Prototype

__all__ = [
    "entries", "iterators", "operations", "probes", "raw_tracepoints", "security_hooks", "signature",
    "typed_tracepoints",
]  # fmt: skip


def _types() -> KernelTypes | None:
    """The running kernel's; None where there is no BTF."""
    from pybpf.stdlib.kernel.names import running

    return running()


def _named(pattern: str, kind: type[Any], before: str = "") -> list[str]:
    """Names of types of a kind that begin with `before` and then fit the pattern, without `before`."""
    types = _types()
    if types is None:
        return []
    if is_plain(pattern):
        return [pattern] if types.btf.find(before + pattern, kind) else []
    found = re.finditer(rb"(?<=\0)" + re.escape(before.encode()) + b"(" + regex(pattern) + rb")(?=\0)", types.btf.texts)
    names = {match[1].decode("utf-8", "replace") for match in found}
    if pattern == "*" and not before:  # nearly all of them: a walk is faster than looking each up
        return sorted(names.intersection([name for _, name in types.btf.names(kind)]))
    return sorted([name for name in names if types.btf.find(before + name, kind)])


def signature(found: Prototype | None, names: tuple[str, ...] = (), result: bool = True) -> tuple[str, ...]:
    """`name: type` of each argument, and what is returned."""
    from pybpf.compiler.schema.types import NoneType

    if found is None:
        return ()
    shown = []
    for index, (name, kind) in enumerate(found.params):
        given = names[index] if index < len(names) else name or f"arg{index}"
        shown.append(f"{given}: {_spelled(kind)}")
    if result and not isinstance(found.result, NoneType):
        shown.append(f"-> {_spelled(found.result)}")
    return tuple(shown)


def _spelled(kind: Any) -> str:
    """A type as an annotation has it: a struct's name for a pointer to it."""
    from pybpf.compiler.schema.kernel import KernelType
    from pybpf.compiler.schema.types import PtrType

    if isinstance(kind, PtrType):
        return kind.pointee.name if isinstance(kind.pointee, KernelType) else "u64"
    return str(kind)


def _tracepoint_names(pattern: str) -> list[str]:
    from pybpf.compiler.btf import types as t

    if _types() is not None:
        return _named(pattern, t.Typedef, "btf_trace_")
    from pybpf.stdlib.tracepoints import raw_names

    return matching(pattern, raw_names())


def _raw_signature(name: str) -> tuple[str, ...]:
    from pybpf.stdlib.kernel.functions import raw_tracepoint
    from pybpf.stdlib.tracepoints import raw_arguments

    known = raw_arguments(name) or ()
    found = raw_tracepoint(name)
    if found is None:
        return tuple([f"{argument}: u64" for argument in known])
    return signature(found, known if len(known) == len(found.params) else (), False)


def raw_tracepoints(pattern: str, details: bool) -> Iterator[Row]:
    for name in _tracepoint_names(pattern):
        yield Row("raw_tp", name, _raw_signature(name) if details else (), f'@raw_tp("{name}")')


def typed_tracepoints(pattern: str, details: bool) -> Iterator[Row]:
    if _types() is not None:
        for name in _tracepoint_names(pattern):
            yield Row("tp_btf", name, _raw_signature(name) if details else (), f'@tp_btf("{name}")')


def entries(pattern: str, details: bool) -> Iterator[Row]:
    """Functions that BTF describes. The kernel refuses some of them: those in its own machinery of tracing."""
    from pybpf.compiler.btf import types as t
    from pybpf.stdlib.kernel.functions import function

    for name in _named(pattern, t.Func):
        if name.startswith("bpf_lsm_") or (name.startswith("bpf_iter_") and _is_iterator(name[len("bpf_iter_") :])):
            continue
        yield Row("fentry", name, signature(function(name)) if details else (), f'@fentry("{name}")')


def probes(pattern: str, details: bool) -> Iterator[Row]:
    """Functions that can be traced, as tracefs lists them; else all that the kernel has symbols of."""
    from pybpf.stdlib.kernel.functions import function

    for name in matching(pattern, _traceable()):
        yield Row("kprobe", name, signature(function(name)) if details else (), f'@kprobe("{name}")')


def _traceable() -> list[str]:
    import os

    from pybpf.runtime.errors import PybpfError
    from pybpf.runtime.tracefs import tracefs

    try:
        with tracefs() as root:
            fd = os.open("available_filter_functions", os.O_RDONLY | os.O_CLOEXEC, dir_fd=root)
            with open(fd, encoding="utf-8", errors="replace") as file:
                return [line.split(None, 1)[0] for line in file if not line.startswith("__ftrace_invalid")]
    except (OSError, PybpfError):
        pass
    try:
        with open("/proc/kallsyms", "rb") as table:
            text = table.read()
    except OSError:
        return []
    return [name.decode() for name in re.findall(rb"^\S+ [tT] (\S+)", text, re.MULTILINE)]


def security_hooks(pattern: str, details: bool) -> Iterator[Row]:
    from pybpf.compiler.btf import types as t
    from pybpf.stdlib.kernel.functions import function

    for name in _named(pattern, t.Func, "bpf_lsm_"):
        yield Row("lsm", name, signature(function(f"bpf_lsm_{name}")) if details else (), f'@lsm("{name}")')


def _is_iterator(name: str) -> bool:
    from pybpf.compiler.btf import types as t

    types = _types()
    return types is not None and bool(types.btf.find(f"bpf_iter__{name}", t.Struct))


def iterators(pattern: str, details: bool) -> Iterator[Row]:
    """By the struct that each gives its programs, beside the function that the kernel registers it with."""
    from pybpf.compiler.btf import types as t

    types = _types()
    for name in _named(pattern, t.Struct, "bpf_iter__"):
        if types is None or not types.btf.find(f"bpf_iter_{name}", t.Func):
            continue
        shown: tuple[str, ...] = ()
        if details:
            kind = types.struct("struct", f"bpf_iter__{name}")
            members = kind.members if kind is not None else ()
            shown = tuple([f"{one.name}: {_spelled(one.type)}" for one in _flat(members) if one.name != "meta"])
        yield Row("iter", name, shown)


def _flat(members: Any) -> Iterator[Any]:
    """Members, those of unions without a name in their place."""
    for member in members:
        if member.name:
            yield member
        else:
            yield from _flat(member.type.members)


def operations(pattern: str, details: bool) -> Iterator[Row]:
    from pybpf.compiler.btf import types as t

    types = _types()
    for name in _named(pattern, t.Struct, "bpf_struct_ops_"):
        if types is None or not types.btf.find(name, t.Struct):
            continue
        shown: tuple[str, ...] = ()
        if details:
            kind = types.struct("struct", name)
            found = [(m.name, types.operation(name, m.name)) for m in _flat(kind.members if kind is not None else ())]
            shown = tuple([f"{member}({', '.join(signature(p))})" for member, p in found if p is not None])
        yield Row("struct_ops", name, shown)
