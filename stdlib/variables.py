"""Globals of a program: `const()`, set before it is loaded, and `var()`, changed while it runs.

    only_pid = const(u32, 0)
    dropped = var(u64, 0)
    hist = var(Hist)                    # zero, without a default

To a type checker both are values of their type. At run time they are declarations whose `__bpf__` is a GlobalSpec; the
symbol is the module variable that holds them, or `name=`.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationError, DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.specs import GlobalSpec
from pybpf.compiler.schema.types import (
    ArrayType,
    BoolType,
    BytesType,
    EnumType,
    IntType,
    OptionalType,
    StructType,
    TextType,
    opaque_in,
    size_of,
)
from pybpf.stdlib.naming import check_call, check_symbol, declared_here, symbol_of
from pybpf.stdlib.types import instead, type_of, why_not, zero

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import IntEnum
    from typing import Any, NoReturn, Protocol, TypeVar, overload

    from pybpf.compiler.schema.types import Type
    from pybpf.stdlib.struct import Struct
    from pybpf.stdlib.types import Array

__all__ = ["Variable", "const", "var"]


class Variable:
    """A declared global. `default` is the Python value it starts with, `kind` its type, `constant` tells const()."""

    __slots__ = ("_home", "_name", "_site", "_spec", "constant", "default", "kind")

    def __init__(self, kind: Type, default: object, constant: bool, name: str) -> None:
        self.kind = kind
        self.default = default
        self.constant = constant
        self._name = check_symbol(name, "global") if name else ""
        self._home, self._site = declared_here()
        self._spec: GlobalSpec | None = None

    @property
    def __bpf__(self) -> GlobalSpec:
        return self.spec()

    def spec(self, fallback: str = "") -> GlobalSpec:
        """The spec; `fallback` is the symbol of a declaration that no module variable holds."""
        if self._spec is None:
            try:
                name = self._name or symbol_of(self, self._home, "global", fallback)
            except DeclarationError as error:
                error.site = error.site or self._site
                raise
            self._spec = GlobalSpec(name, self.kind, encode(self.kind, self.default, name), self.constant)
        return self._spec

    def __repr__(self) -> str:
        return f"<{'const' if self.constant else 'var'} {self.kind} = {self.default!r}>"

    def _use(self, *_: object) -> NoReturn:
        raise RuntimeError(
            f"{self!r} is a declaration: read it from a loaded object, obj[...], or simulate() a program that uses it"
        )

    # It must not pass for a number (or for True) in user space by accident.
    __bool__ = __int__ = __index__ = __float__ = __len__ = __iter__ = _use
    __lt__ = __le__ = __gt__ = __ge__ = _use
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __and__ = __rand__ = __or__ = __ror__ = _use


if TYPE_CHECKING:
    E = TypeVar("E", bound=IntEnum)
    S = TypeVar("S", bound=Struct)
    A = TypeVar("A", bound=Array[Any, Any])

    class _Make(Protocol):
        """Types of const() and var(): overloads, since with one type variable a checker would take any default."""

        @overload
        def __call__(self, kind: type[bool], default: bool = ..., *, name: str = "") -> bool: ...
        @overload
        def __call__(self, kind: type[E], default: E = ..., *, name: str = "") -> E: ...
        @overload
        def __call__(self, kind: type[int], default: int = ..., *, name: str = "") -> int: ...
        @overload
        def __call__(self, kind: type[S], default: S = ..., *, name: str = "") -> S: ...
        @overload
        def __call__(self, kind: type[A], default: A = ..., *, name: str = "") -> A: ...
        @overload
        def __call__(self, kind: type[str], default: str = ..., *, name: str = "") -> str: ...
        @overload
        def __call__(self, kind: type[bytes], default: bytes = ..., *, name: str = "") -> bytes: ...

    const: _Make
    """A constant of the program, in .rodata: set with load(..., only_pid=7), fixed from then on."""
    var: _Make
    """A variable of the program, in .data or .bss: read and written by the program and through obj[...]."""

else:

    def const(*given, **options):
        """A constant of the program, in .rodata: set with load(..., only_pid=7), fixed from then on."""
        check_call(_declare, "const()", given, options, "only_pid = const(u32, 0)")
        return _declare(True, *given, **options)

    def var(*given, **options):
        """A variable of the program, in .data or .bss: read and written by the program and through obj[...]."""
        check_call(_declare, "var()", given, options, "total = var(u64, 0)")
        return _declare(False, *given, **options)


_ZERO = object()


# Calling them makes a declaration, which a program can't.
if not TYPE_CHECKING:
    const.__bpf_declares__ = var.__bpf_declares__ = "a global"


def _declare(constant: bool, /, kind: Any, default: object = _ZERO, *, name: str = "") -> Any:
    what = "const" if constant else "var"
    found = type_of(kind)
    if found is None:
        better, shown = instead(kind), "" if default is _ZERO else f", {default!r}"
        raise DeclarationTypeError(
            f"{what}(): {why_not(kind)}", help="write:", lines=(f"{what}({better}{shown})",) if better else ()
        )
    if opaque_in(found):
        from pybpf.stdlib.opaque import check_opaque

        check_opaque(f"{what}()", "", None, found)
    if default is _ZERO:
        default = zero(found)
    encode(found, default, f"{what}()")  # an impossible default is told where it stands
    return Variable(found, default, constant, name)


def encode(kind: Type, value: Any, where: str) -> bytes:
    """The bytes of an initial value. Raises a declaration error that names `where` if it doesn't fit."""
    match kind:
        case IntType() | EnumType():
            base = kind.base if isinstance(kind, EnumType) else kind
            if not isinstance(value, int):
                raise DeclarationTypeError(f"{where}: {value!r} is not an int, as {kind} needs")
            if not base.min <= value <= base.max:
                raise DeclarationValueError(
                    f"{where}: {int(value)} does not fit {kind}, which holds {base.min} to {base.max}"
                )
            return int(value).to_bytes(base.bits // 8, "big" if base.big else "little", signed=base.signed)
        case BoolType():
            return bytes([bool(value)])
        case OptionalType():
            if value is not None:
                raise DeclarationTypeError(f"{where}: a pointer starts as None: what it leads to is not there yet")
            return bytes(8)
        case TextType() | BytesType():
            raw = value.encode() if isinstance(value, str) else value
            if not isinstance(raw, (bytes, bytearray)):
                raise DeclarationTypeError(f"{where}: {value!r} is no text or bytes, as {kind} needs")
            exact = isinstance(kind, BytesType)
            if len(raw) > kind.size or (exact and len(raw) != kind.size):
                raise DeclarationValueError(f"{where}: {len(raw)} bytes do not fit {kind}")
            return bytes(raw).ljust(kind.size, b"\0")
        case ArrayType():
            items = list(value)
            if len(items) != kind.length:
                raise DeclarationValueError(f"{where}: {len(items)} elements do not fit {kind}")
            return b"".join([encode(kind.element, item, where) for item in items])
        case StructType():
            if type(value) is not kind.owner:
                raise DeclarationTypeError(f"{where}: {value!r} is not a {kind}")
            made = bytearray(size_of(kind))
            for field in kind.fields:
                raw = encode(field.type, getattr(value, field.name), f"{where}.{field.name}")
                made[field.offset : field.offset + len(raw)] = raw
            return bytes(made)
    raise DeclarationTypeError(f"{where}: a global cannot be of type {kind}")
