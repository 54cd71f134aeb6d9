"""What decorators look like to a type checker. Imported under TYPE_CHECKING only.

In: the type of the context C and that of the answer R. Out: a `Program[[C], R]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.program import Program

__all__ = ["Bare", "Called"]

C = TypeVar("C")
R = TypeVar("R")


class Bare(Protocol[C, R]):
    """A decorator."""

    def __call__(self, function: Callable[[C], R], /) -> Program[[C], R]: ...


class Called(Protocol[C, R]):
    """A decorator that is called, or not."""

    @overload
    def __call__(self, function: Callable[[C], R], /) -> Program[[C], R]: ...
    @overload
    def __call__(self) -> Bare[C, R]: ...
