"""Functions of modules that are imported when they are first called.

Tables name the function for each of many cases; a compilation needs a few of them, and each module costs time.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["later"]


def later(module: str, name: str) -> Callable[..., Any]:
    """The function `name` of pybpf.compiler.`module`."""

    def call(*args: Any) -> Any:
        return getattr(__import__(f"pybpf.compiler.{module}", fromlist=(name,)), name)(*args)

    return call
