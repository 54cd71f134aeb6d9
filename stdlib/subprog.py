"""`@subprog`: functions that programs call, where plain functions are inlined.

    @subprog
    def record(key: Key, bytes: u32) -> None: ...

    @subprog(global_=True)
    def checksum(header: iphdr | None) -> u16: ...

In plain Python, and in a simulation, a subprogram is the function that it is made of.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.specs import SubprogSpec
from pybpf.stdlib.naming import check_symbol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Concatenate, Generic, TypeVar, overload

    from typing_extensions import ParamSpec

    P = ParamSpec("P")
    Q = ParamSpec("Q")
    R = TypeVar("R", covariant=True)
    S = TypeVar("S")

    class _Callable(Generic[P, R]):
        """The types of the function that a Subprogram wraps."""

else:

    class _Callable:
        __slots__ = ()

        def __class_getitem__(cls, params):
            return cls


__all__ = ["Subprogram", "subprog"]


class Subprogram(_Callable["P", "R"]):
    """A function that is called, by programs and by other subprograms. `name` is its symbol."""

    __slots__ = ("__bpf__", "__wrapped__", "function", "name")

    def __init__(self, function: Callable[P, R], global_: bool = False) -> None:
        if not hasattr(function, "__code__"):
            raise DeclarationTypeError(f"@subprog decorates a function, not {function!r}")
        if function.__name__ == "<lambda>":
            raise DeclarationTypeError("@subprog: a lambda has no name to be called by", help="define it with def")
        self.function = self.__wrapped__ = function
        self.name: str = check_symbol(function.__name__, "subprogram") if global_ else function.__name__
        self.__bpf__ = SubprogSpec(self.name, function, global_)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any, /) -> Subprogram[P, R]: ...
        @overload
        def __get__(self: Subprogram[Concatenate[S, Q], R], instance: S, owner: Any, /) -> Callable[Q, R]: ...
        def __get__(self, instance: Any, owner: Any, /) -> Any:
            """As a method of a Struct."""

    else:

        def __get__(self, instance, owner, /):
            return self if instance is None else self.function.__get__(instance, owner)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.function.__doc__

    def __repr__(self) -> str:
        return f"<Subprogram {self.name}>"


if TYPE_CHECKING:

    @overload
    def subprog(function: Callable[P, R], /) -> Subprogram[P, R]: ...
    @overload
    def subprog(*, global_: bool = False) -> Callable[[Callable[P, R]], Subprogram[P, R]]: ...
    def subprog(function: Callable[P, R] | None = None, /, *, global_: bool = False) -> Any:
        """Call a function instead of inlining it: smaller objects, and what is verified on its own is verified once.

        It takes at most five arguments: numbers, references to Structs (and arrays, texts, bytes), the context. It
        returns a number or nothing; a static one also a reference to an entry of a map, to a global or into the
        packet, or None.

        Static (as it is): the verifier follows each call into it, with what it knows of the arguments there. There is
        one in the object for each set of argument types.

        Global: verified once, on its own, for any arguments: every parameter is annotated with a type of a width, and
        what the caller knows of a number's range is not known inside. A reference may be None on kernels before 6.8,
        and is annotated `T | None`; from 6.8 on (`Target(kernel=(6, 8))`) `T` will do. Memory that is only read,
        such as a `const()`, can't be given. In the object it returns an int where it returns nothing.
        """

else:

    def subprog(function=None, /, *, global_=False):
        """Call a function instead of inlining it."""
        return Subprogram(function, global_) if function is not None else lambda f: Subprogram(f, global_)
