"""A name of the kernel -> the object that stands for it, out of the BTF that there is.

Common structures come from a bundled BTF (data/kernel/, made by tools/make_kernel.py), so that the same source gives
the same object on any machine. What it lacks comes from the running kernel and its modules. `use(path)`, or the
environment variable PYBPF_BTF, names a file that takes the place of all these.
"""

from __future__ import annotations

import os
from keyword import iskeyword

from pybpf.compiler.btf.kernel import KernelTypes
from pybpf.compiler.btf.types import BtfError
from pybpf.compiler.schema.errors import DeclarationError, DeclarationTypeError, DeclarationValueError
from pybpf.stdlib.kernel.classes import class_for
from pybpf.stdlib.kernel.files import MODULES, RUNNING, open_btf, open_bundled, open_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pybpf.compiler.btf.kernel import Prototype
    from pybpf.compiler.schema.kernel import KernelMember, KernelType
    from pybpf.compiler.schema.types import EnumType

__all__ = ["UnknownAttribute", "UnknownImport", "candidates", "chosen", "function", "lookup", "use"]

BUNDLED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "kernel", "vmlinux.btf")


class UnknownAttribute(DeclarationError, AttributeError):
    """`kernel.tsk_struct`: no such name."""


class UnknownImport(DeclarationError, ImportError):
    """`from pybpf.kernel import tsk_struct`: no such name."""


class _Names:
    """The names of one choice of sources; `path` is the file that was chosen, or ""."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.objects: dict[str, Any] = {}
        self._first: KernelTypes | None = None
        self._running: KernelTypes | None = None
        self._modules: list[KernelTypes] | None = None

    def sources(self) -> Iterator[KernelTypes]:
        """The sources in the order in which a name is looked for; each is opened when its turn comes."""
        yield self.first()
        if not self.path:
            running = self.running()
            if running is not None:
                yield running
        if self.path in ("", RUNNING):
            yield from self.modules()

    def first(self) -> KernelTypes:
        """The chosen file, or the bundle. Raises DeclarationValueError where that can't be read."""
        if self._first is None:
            if self.path:
                try:
                    self._first = KernelTypes(open_btf(self.path))
                except BtfError as error:
                    raise DeclarationValueError(f"no kernel types in {self.path}: {error}", help=_FILES) from None
                except OSError as error:
                    raise DeclarationValueError(f"can't read {self.path}: {error.strerror}", help=_FILES) from None
            else:
                self._first = KernelTypes(open_bundled(BUNDLED), declared=self._declared)
        return self._first

    def running(self) -> KernelTypes | None:
        """The running kernel's; None where it has none, or this is no Linux."""
        if self._running is None:
            try:
                self._running = KernelTypes(open_btf(RUNNING), self.first().struct)
            except (OSError, BtfError):
                return None
        return self._running

    def modules(self) -> list[KernelTypes]:
        """Those of the modules that are loaded."""
        if self._modules is None:
            self._modules = []
            base = self.first() if self.path else self.running()
            if base is None:
                return self._modules
            known = None if self.path else self.first().struct
            for name in sorted(os.listdir(MODULES)):
                if name != "vmlinux":
                    try:
                        btf = open_module(name, base.btf)
                    except (OSError, BtfError):
                        continue
                    self._modules.append(KernelTypes(btf, known, base=base))
        return self._modules

    def lookup(self, name: str) -> Any:
        if name not in self.objects:
            try:
                self.objects[name] = self._object(name)
            except BtfError as error:
                raise DeclarationValueError(f"can't read `{name}` of {self.path or 'the kernel'}: {error}") from None
            if self.objects[name] is None and name.endswith("_") and iskeyword(name[:-1]):
                self.objects[name] = self._object(name[:-1])
        return self.objects[name]

    def _object(self, name: str) -> Any:
        for types in self.sources():
            kind = types.named(name)
            if kind is not None:
                return class_for(kind, name)
            found = types.enumerator(name)
            if found is not None:
                enum, value = found
                # As in C, the constants of an enum without a name are plain numbers.
                return self.lookup(enum.name)[name] if self._is_enum(enum) else value
        return None

    def _is_enum(self, enum: EnumType) -> bool:
        owner = self.lookup(enum.name) if enum.name else None
        return bool(getattr(owner, "__bpf__", None) == enum)

    def _declared(self, tag: str, name: str) -> tuple[int, tuple[KernelMember, ...]]:
        """A struct that the bundle only declares, by the running kernel."""
        running = self.running()
        sources = [running, *self.modules()] if running is not None else []
        for types in sources:
            found = types.layout(tag, name)
            if found is not None:
                return found
        where = "the running kernel has it not either" if running is not None else "there is no kernel BTF here"
        raise DeclarationTypeError(
            f"the members of {tag} {name} are not known: {where}",
            help=f"the bundle of kernel types only declares it; name a kernel's BTF: --btf {RUNNING}",
        )


_FILES = "a file such as /sys/kernel/btf/vmlinux, or a vmlinux with debug information, is meant"
_names: _Names | None = None


def _current() -> _Names:
    global _names
    if _names is None:
        _names = _Names(os.environ.get("PYBPF_BTF", ""))
    return _names


def use(path: str) -> None:
    """Take kernel types from this file from now on: raw BTF, or an ELF file with a section .BTF. "": as if never told.

    Names that were imported before keep their meaning. Raises DeclarationValueError where the file can't be used.
    """
    global _names
    made = _Names(path)
    made.first()
    _names = made


def chosen() -> str:
    """The file that `use` or PYBPF_BTF named; "" for none."""
    return _current().path


def running() -> KernelTypes | None:
    """The types of the running kernel; None where it has none."""
    return _current().running()


def every_source() -> list[KernelTypes]:
    """All sources, in the order in which a name is looked for."""
    return list(_current().sources())


def lookup(name: str) -> Any:
    """The object for a name; None where there is none. The same object each time."""
    return _current().lookup(name)


def listed() -> list[str]:
    """Names of the structs, unions, enums and typedefs of the bundle or the chosen file, sorted."""
    from pybpf.compiler.btf import types as t

    found = _current().first().btf.names(t.Struct, t.Union, t.Enum, t.Enum64, t.Typedef)
    return sorted({name for _, name in found if name and not name.startswith("btf_trace_")})


def struct(tag: str, name: str) -> KernelType | None:
    """The "struct" or "union" of that name in the bundle or the chosen file; the running kernel is not asked."""
    return _current().first().struct(tag, name)


def function(name: str) -> Prototype | None:
    """The signature of a kernel function: of the bundle's kfuncs, else the running kernel's or a module's."""
    return _first_of(lambda types: types.function(name), name)


def running_function(name: str) -> Prototype | None:
    """The signature of a function of the running kernel or of one of its modules; None without BTF, or where a file was
    chosen in its place.
    """
    current = _current()
    running = current.running() if not current.path else None
    if running is None:
        return None
    for types in (running, *current.modules()):
        try:
            found = types.function(name)
        except BtfError:
            continue
        if found is not None:
            return found
    return None


def raw_tracepoint(name: str) -> Prototype | None:
    """The arguments of a raw tracepoint: of the bundle, else the running kernel's or a module's."""
    return _first_of(lambda types: types.raw_tracepoint(name), f"btf_trace_{name}")


def operation(struct: str, member: str) -> Prototype | None:
    """The signature of a function that a struct's member points to: of the running kernel's or a module's struct."""
    return _first_of(lambda types: types.operation(struct, member), struct)


def _first_of(look: Callable[[KernelTypes], Prototype | None], name: str) -> Prototype | None:
    """What the first source that has something gives. Raises DeclarationValueError where its BTF is broken."""
    for types in _current().sources():
        try:
            found = look(types)
        except BtfError as error:
            raise DeclarationValueError(f"can't read `{name}` of {_current().path or 'the kernel'}: {error}") from None
        if found is not None:
            return found
    return None


def functions_like(name: str) -> tuple[str, bool]:
    """The function whose name is most like `name`, "" for none; False where only the bundle can be asked."""
    from difflib import get_close_matches

    from pybpf.compiler.btf import types as t

    current = _current()
    if not current.path and current.running() is None:
        return "", False
    near: dict[str, None] = {}
    for types in current.sources():
        for _, other in types.btf.names(t.Func):
            if abs(len(other) - len(name)) < 5 and (other[:2] == name[:2] or other[-4:] == name[-4:]):
                near[other] = None
    return next(iter(get_close_matches(name, near, 1, 0.75)), ""), True


def candidates(name: str) -> list[str]:
    """Names that look like one that there is not, best first; at most three."""
    from difflib import get_close_matches

    from pybpf.compiler.btf import types as t

    near: dict[str, None] = {}
    lowered = name.lower()
    for types in _current().sources():
        for _, other in types.btf.names(t.Struct, t.Union, t.Enum, t.Enum64, t.Typedef):
            if other.startswith("btf_trace_"):
                continue
            if abs(len(other) - len(name)) < 4 and (other[:1].lower() == lowered[:1] or other[-4:] == name[-4:]):
                near[other] = None
    return get_close_matches(name, near, 3, 0.7)


def unknown(name: str, importing: bool) -> DeclarationError:
    """The exception for a name that stands for nothing."""
    kind = UnknownImport if importing else UnknownAttribute
    current = _current()
    where = current.path or "the kernel"
    for types in current.sources():
        if types.named(name) is not None:
            return kind(f"`{name}` of {where} is not a struct, union, enum or number")
    if function(name) is not None:
        from pybpf.stdlib.kernel.functions import kfunc

        way = f"programs may call it: kfuncs.{name}(...)" if kfunc(name) is not None else ""
        return kind(f"`{name}` is a function of {where}, not a type", help=way)
    near = candidates(name)
    help = f"did you mean `{near[0]}`?" if near else ""
    if near[1:]:
        help += f" (or {', '.join(f'`{other}`' for other in near[1:])})"
    if not help and name.isupper():
        help = "BTF has types and enumerators, but no macros: write the number, or take it from Python (socket, errno)"
    elif not help and current.running() is None:
        help = "only the bundled types are known here; name a kernel's BTF: --btf vmlinux"
    return kind(f"{where} has no type named `{name}`", label="not found", help=help)
