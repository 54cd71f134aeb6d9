"""Values that the loader supplies: of the kernel's configuration, `kconfig()`, and its symbols, `ksym()`.

    hz = kconfig(u32, "CONFIG_HZ")
    version = kconfig(u32, "LINUX_KERNEL_VERSION")
    compressed = kconfig(bool, "CONFIG_MODULE_COMPRESS_XZ", weak=True)
    banner = ksym("linux_banner")

To a type checker each is a value of its type. At run time they are declarations, whose `__bpf__` is a GlobalSpec; the
program reads them, and nothing is folded: the object fits every kernel. In a simulation they are set as other globals.
"""

from __future__ import annotations

from enum import IntEnum

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.specs import GlobalSpec
from pybpf.compiler.schema.types import U64, BoolType, EnumType, IntType, TextType, size_of
from pybpf.stdlib.naming import check_symbol
from pybpf.stdlib.types import enum_type, type_of, why_not
from pybpf.stdlib.variables import Variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, overload

    from pybpf.compiler.schema.types import Type

    T = TypeVar("T")

__all__ = ["Extern", "Tristate", "kconfig", "ksym"]

_OWN = ("LINUX_KERNEL_VERSION", "LINUX_HAS_BPF_COOKIE", "LINUX_HAS_SYSCALL_WRAPPER")  # libbpf's, beside CONFIG_...


_specs: dict[tuple[object, ...], GlobalSpec] = {}


class Tristate(IntEnum):
    """A configuration value that may be `m`: `enum libbpf_tristate`."""

    NO = 0
    YES = 1
    MODULE = 2


_kind = enum_type(Tristate)
Tristate.__bpf__ = EnumType("libbpf_tristate", IntType(32), _kind.members)  # type: ignore[attr-defined]


class Extern(Variable):
    """A declared extern. `section` is that of the object; `how` says what is read of a symbol (GlobalSpec)."""

    __slots__ = ("how", "section", "symbol", "weak")

    def __init__(self, kind: Type, symbol: str, section: str, weak: bool, how: str = "") -> None:
        super().__init__(kind, 0, True, "")
        self.symbol = symbol
        self.section = section
        self.weak = weak
        self.how = how

    def spec(self, fallback: str = "") -> GlobalSpec:
        if self._spec is None:
            key = (self.symbol, self.kind, self.section, self.weak, self.how)
            if key not in _specs:  # several modules may declare the same one
                init = bytes(size_of(self.kind))
                _specs[key] = GlobalSpec(self.symbol, self.kind, init, True, self.section, self.weak, self.how)
            self._spec = _specs[key]
        return self._spec

    def __repr__(self) -> str:
        return f"<{'kconfig' if self.section == '.kconfig' else 'ksym'} {self.symbol}: {self.kind}>"


if TYPE_CHECKING:

    def kconfig(kind: type[T], name: str, *, weak: bool = False) -> T:
        """A value of the kernel's configuration, `CONFIG_HZ`; or `LINUX_KERNEL_VERSION`, as 0x60c00 for 6.12.

        `kind` is an integer's type, bool, Tristate, or Text[L[n]]. A `weak` one that is not set reads as 0, False or
        an empty text; the program does not load where one that is not weak is missing.
        """
        ...

    @overload
    def ksym(name: str, /, *, weak: bool = False) -> int: ...
    @overload
    def ksym(kind: type[T], name: str, /, *, percpu: bool = False, weak: bool = False) -> T: ...
    def ksym(*given: Any, percpu: bool = False, weak: bool = False) -> Any:
        """A symbol of the kernel: its address, `ksym("linux_banner")`, as /proc/kallsyms has it; or the value of a
        variable that the kernel's BTF describes, `ksym(i32, "bpf_prog_active", percpu=True)`.

        `percpu`: it is a per-CPU variable, of which this CPU's is read. A `weak` one that the kernel lacks has address
        0.
        """
        ...

else:

    def kconfig(kind, name, *, weak=False):
        """A value of the kernel's configuration, `CONFIG_HZ`; or `LINUX_KERNEL_VERSION`, as 0x60c00 for 6.12."""
        found = _checked(kind, "kconfig", (IntType, BoolType, EnumType, TextType))
        if not isinstance(name, str) or not (name.startswith("CONFIG_") or name in _OWN):
            raise DeclarationValueError(
                f"kconfig(): {name!r} is no name of a configuration value",
                help=f"CONFIG_HZ and the like, or one of {', '.join(_OWN)}",
            )
        if isinstance(found, EnumType) and found is not Tristate.__bpf__:
            raise DeclarationTypeError("kconfig(): of the enumerations only Tristate is a type of the configuration")
        return Extern(found, check_symbol(name, "kconfig value"), ".kconfig", weak)

    def ksym(*given, percpu=False, weak=False):
        """A symbol of the kernel: its address, or the value of a variable."""
        if len(given) == 1 and isinstance(given[0], str) and not percpu:
            return Extern(U64, check_symbol(given[0], "symbol"), ".ksyms", weak, "address")
        if len(given) != 2 or not isinstance(given[1], str):
            raise DeclarationTypeError(
                'ksym() takes a name, or a type and a name: ksym("linux_banner"), ksym(i32, "bpf_prog_active")'
            )
        found = _checked(given[0], "ksym", (IntType, BoolType))
        return Extern(found, check_symbol(given[1], "symbol"), ".ksyms", weak, "percpu" if percpu else "")


def _checked(annotation: Any, what: str, kinds: tuple[type, ...]) -> Any:
    kind = type_of(annotation)
    if kind is None:
        raise DeclarationTypeError(f"{what}(): {why_not(annotation)}")
    if not isinstance(kind, kinds) or (isinstance(kind, IntType) and kind.big):
        raise DeclarationTypeError(f"{what}(): a value cannot be of type {kind}", help="an integer's type, or bool")
    return kind
