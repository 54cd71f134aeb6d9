"""An object that programs use as one thing and that keeps what it knows in a map of its own.

Its `slots` are a map declaration, named as the module's variable that holds the object. Methods for programs are plain
functions of the language that use `self.slots`. `__bpf_view__(maps)` is what `obj[it]` gives in user space, and
`sim[it]` in a simulation: `maps` is the loaded object or the simulation.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationError, DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.types import size_of
from pybpf.stdlib.naming import check_call, check_symbol, declared_here, symbol_of
from pybpf.stdlib.types import instead, type_of, why_not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic, Protocol, TypeVar

    K = TypeVar("K")
    W_co = TypeVar("W_co", covariant=True)

    class Viewed(Protocol[W_co]):
        """What user space sees in another form than as a map."""

        def __bpf_view__(self, maps: Any, /) -> W_co: ...

__all__ = ["ByKey", "Summary", "whole_number"]


class Summary:
    """Base of what has one map. A subclass says in `_declare()` which."""

    what = "summary"
    __bpf_declares__ = "a summary"  # calling the class makes a declaration, which a program can't
    _example = ""

    if not TYPE_CHECKING:

        def __new__(cls, *given, **options):
            check_call(cls.__init__, cls.__name__, given, options, cls._example)
            return object.__new__(cls)

    def __init__(self, name: str = "") -> None:
        self._name = check_symbol(name, "map") if name else ""
        self._home, self._site = declared_here()
        self._slots: Any = None

    @property
    def slots(self) -> Any:
        """The declaration of its map. Made when first asked for, when the module's variables have their values."""
        if self._slots is None:
            try:
                made = self._declare(self._name or symbol_of(self, self._home, self.what))
            except DeclarationError as error:
                error.site = error.site or self._site
                raise
            made._home, made._site = self._home, self._site
            self._slots = made
        return self._slots

    def _declare(self, name: str) -> Any:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name or 'without a name'}>"


if TYPE_CHECKING:

    class _Keyed(Generic[K]):
        """The type variable of what is kept by key."""

else:

    class _Keyed(Summary):
        def __class_getitem__(cls, given):
            return cls


class ByKey(_Keyed["K"], Summary):
    """Base of what is kept by key: `StatsBy[u32](max_entries=1024)`."""

    _key: object = None

    if not TYPE_CHECKING:

        def __class_getitem__(cls, given):
            if isinstance(given, str):  # a type variable's name, as in `class A(ByKey["K"])`
                return cls
            if cls._key is not None:
                raise DeclarationTypeError(f"{cls.__name__} has its type already")
            if isinstance(given, tuple):
                raise DeclarationTypeError(
                    f"{cls.__name__} takes the type of its key only", help="write:", lines=(cls._example,)
                )
            return type(cls.__name__, (cls,), {"_key": given, "__module__": cls.__module__, "__doc__": cls.__doc__})

        def __new__(cls, *given, **options):
            if cls._key is None:
                raise DeclarationTypeError(
                    f"{cls.__name__} needs the type of its key", help="write:", lines=(cls._example,)
                )
            return super().__new__(cls, *given, **options)

    def __init__(self, max_entries: int, name: str = "") -> None:
        super().__init__(name)
        self.max_entries = whole_number(self, "max_entries", max_entries, 1, (1 << 32) - 1)

    def _key_type(self, name: str) -> Any:
        """The type of the keys, as an annotation. Raises DeclarationTypeError."""
        kind = type_of(self._key)
        if kind is None:
            better = instead(self._key)
            raise DeclarationTypeError(
                f"{self.what} {name}, its key: {why_not(self._key)}",
                help=f"declare the key as {better}" if better else "",
            )
        assert size_of(kind) > 0
        return self._key


def whole_number(owner: Summary, what: str, given: object, least: int, most: int) -> int:
    """An int of a declaration. Raises DeclarationTypeError, DeclarationValueError."""
    label = type(owner).__name__
    example = owner._example
    if isinstance(given, bool) or not isinstance(given, int):
        raise DeclarationTypeError(f"{label}: {what} must be an int, not {given!r}", help="write:", lines=(example,))
    if not least <= given <= most:
        raise DeclarationValueError(
            f"{label}: {what} must lie between {least} and {most}, not {given}", help="as in:", lines=(example,)
        )
    return int(given)
