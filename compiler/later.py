"""Functions and modules that are imported when they are first called.

Tables name the function for each of many cases; a compilation needs a few of them, and each module costs time. A module
that simple programs do without is not imported at the top of those that call it:

    if TYPE_CHECKING:
        from pybpf.compiler.frontend import assignment
        from pybpf.compiler.frontend.conditions import condition
    else:
        assignment = module("frontend.assignment")
        condition = later("frontend.conditions", "condition")
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["later", "module"]


def later(module: str, name: str) -> Callable[..., Any]:
    """The function `name` of pybpf.compiler.`module`."""
    found: Callable[..., Any] | None = None

    def call(*args: Any, **keywords: Any) -> Any:
        nonlocal found
        function = found
        if function is None:
            function = found = getattr(__import__(f"pybpf.compiler.{module}", fromlist=(name,)), name)
        return function(*args, **keywords)

    return call


class module:
    """pybpf.compiler.`name`, of which only functions can be asked for, each as `later` gives it."""

    def __init__(self, name: str) -> None:
        self.__module = name

    def __getattr__(self, name: str) -> Any:
        found = later(self.__module, name)
        setattr(self, name, found)
        return found
