"""What hooks share.

A hook of one context and one kind of answer is a ContextHook, and needs no class of its own.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.specs import ProgramSpec
from pybpf.compiler.schema.types import BOOL, I32, NONE
from pybpf.program import Program, annotation_of
from pybpf.stdlib.naming import check_symbol
from pybpf.stdlib.sections import SECTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.schema.specs import ContextSpec
    from pybpf.compiler.schema.types import Type

__all__ = ["ArgumentsHook", "ContextHook", "Family", "Hook", "Simple", "needs_target", "site_in"]


class Hook:
    """A place where programs run. `spec(function)` is the ProgramSpec of a function that runs there."""

    __slots__ = ("attach", "name", "row", "section")

    def __init__(self, name: str, pattern: str, target: str, attach: dict[str, Any]) -> None:
        self.name = name
        self.row = SECTIONS[pattern]
        self.section = pattern.removesuffix("+") + (f"/{target}" if target else "")
        self.attach: dict[str, Any] = {"kind": name, **attach}

    def __call__(self, function: Callable[..., Any]) -> Program[..., Any]:
        return Program(function, self)

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        """The context of a function's first parameter, the kernel's struct, and the offsets of the other parameters."""
        raise NotImplementedError

    def returns(self, function: Callable[..., Any]) -> Type:
        """What the function returns: a number for the kernel, or nothing."""
        said = annotation_of(function, "return")
        if said is None or said is type(None):
            return NONE
        return I32

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        context, struct, offsets = self.context(function)
        return ProgramSpec(
            name=check_symbol(function.__name__, "program"),
            function=function,
            section=self.section,
            prog_type=self.row[0],
            context=context,
            context_struct=struct,
            attach_type=self.row[1],
            arg_offsets=offsets,
            returns=self.returns(function),
            sleepable="SLEEPABLE" in self.row[2],
            since=self.row[3],
            attach=self.attach,
        )

    def first(self, function: Callable[..., Any]) -> tuple[str, Any]:
        """Name and annotation of the first parameter; ("", None) without one."""
        code = function.__code__
        if not code.co_argcount:
            return "", None
        name = code.co_varnames[0]
        return name, annotation_of(function, name)

    def wrong_context(self, function: Callable[..., Any], said: Any, wanted: str) -> DeclarationTypeError:
        code = function.__code__
        count = code.co_argcount
        name = code.co_varnames[0] if count else "ctx"
        result = annotation_of(function, "return") or getattr(self, "result", None)
        lines = (f"def {function.__name__}({name}: {wanted}) -> {getattr(result, '__name__', result)}:",)
        if count > 1 and not isinstance(self, ArgumentsHook):
            return DeclarationTypeError(
                f"@{self.name}: {function.__name__}() takes one parameter, the context, not {count}",
                lines=lines,
                site=site_in(function, code.co_varnames[1]),
            )
        spelled = "no parameter" if said is None and not count else (
            f"`{name}` without an annotation" if said is None else f"`{name}: {getattr(said, '__name__', said)}`"
        )  # fmt: skip
        return DeclarationTypeError(
            f"@{self.name}: {function.__name__}() must take `{name}: {wanted}`, not {spelled}",
            lines=lines,
            site=site_in(function, name),
        )


def site_in(function: Callable[..., Any], part: str) -> tuple[str, int, str]:
    """The site of a declaration's parameter, or of its "return"."""
    return function.__code__.co_filename, function.__code__.co_firstlineno, part


def needs_target(hook: str, name: Any, what: str, example: str) -> None:
    """Refuse a hook that is not given the name of its target: `@tracepoint` alone would decorate with the function."""
    if not isinstance(name, str) or not name:
        raise DeclarationTypeError(f"@{hook} needs {what}", help="write:", lines=(example,))


class ArgumentsHook(Hook):
    """A hook whose function takes a context, or arguments, or a context and then arguments."""

    __slots__ = ("offsets", "wanted")

    def __init__(
        self, name: str, pattern: str, target: str, attach: dict[str, Any], wanted: Any, offsets: tuple[int, ...]
    ) -> None:
        super().__init__(name, pattern, target, attach)
        self.wanted = wanted
        self.offsets = offsets

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        from pybpf.stdlib.contexts.base import Context

        spec: ContextSpec = self.wanted.__bpf__
        _, said = self.first(function)
        has_context = isinstance(said, type) and issubclass(said, self.wanted)
        is_base = isinstance(said, type) and said is not Context and issubclass(self.wanted, said)
        if is_base and not has_context and issubclass(said, Context):  # the context is one of those too
            has_context, spec = True, getattr(said, "__bpf__")  # noqa: B009 - set outside of what type checkers see
        if isinstance(said, type) and not has_context and issubclass(said, Context):
            raise self.wrong_context(function, said, self.wanted.__name__)
        count = function.__code__.co_argcount - has_context
        if count > len(self.offsets):
            what = "the result" if len(self.offsets) == 1 else f"at most {len(self.offsets)} arguments"
            code = function.__code__
            raise DeclarationTypeError(
                f"@{self.name}: {function.__name__}() takes {count} values, but the hook gives {what}",
                help="leave this parameter out",
                site=site_in(function, code.co_varnames[has_context + len(self.offsets)]),
            )
        return (spec if has_context else None), spec.struct, self.offsets


class ContextHook(Hook):
    """A hook whose function takes the context and answers in one way.

    `wanted` is the context's class; a function may name a subclass of it. `result` is the enumeration of its answers,
    or `bool`, `int` or None; `also` has others that a function may be annotated with instead; `allowed` the least and
    the greatest number that the kernel takes, where `result` does not say so; `default` what a program without an
    answer gives; `maps` those that it is attached to.
    """

    __slots__ = ("allowed", "also", "default", "maps", "result", "wanted")

    def __init__(
        self,
        name: str,
        pattern: str,
        wanted: Any,
        result: Any,
        *,
        target: str = "",
        attach: dict[str, Any] | None = None,
        allowed: tuple[int, int] | None = None,
        default: int = 0,
        also: tuple[Any, ...] = (),
        maps: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(name, pattern, target, attach or {})
        self.wanted = wanted
        self.result = result
        self.also = also
        self.maps = maps
        self.allowed = (0, 1) if result is bool and allowed is None else allowed
        self.default = default

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        """A subclass will do that adds methods; one with fields of its own is the context of another hook."""
        _, said = self.first(function)
        spec: ContextSpec = self.wanted.__bpf__
        fits = isinstance(said, type) and issubclass(said, self.wanted) and said.__bpf__ is spec  # type: ignore[attr-defined]
        if function.__code__.co_argcount != 1 or not fits:
            raise self.wrong_context(function, said, self.wanted.__name__)
        return (spec if said is self.wanted else replace(spec, owner=said)), spec.struct, ()

    def returns(self, function: Callable[..., Any]) -> Type:
        said = annotation_of(function, "return")
        if said is None or said is type(None):
            if self.result in (None, int) or None in self.also:
                return NONE
        elif said is self.result or said in self.also or (self.result is int and is_number(said)):
            kind: Type = BOOL if said is bool else I32 if said is int else said.__bpf__
            return kind
        name = function.__code__.co_varnames[0]
        result = getattr(self.result, "__name__", "None")
        raise DeclarationTypeError(
            f"@{self.name}: {function.__name__}() must be annotated to return {result}",
            help="write:",
            lines=(f"def {function.__name__}({name}: {self.wanted.__name__}) -> {result}:",),
            site=site_in(function, "return"),
        )

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        return replace(super().spec(function), allowed=self.allowed, default_return=self.default, maps=self.maps)


class NoSuchHook(DeclarationTypeError, AttributeError):
    """`@tcx.outgoing`: no such member."""


# A decorator that may be called for its options, or not: `@xdp`, `@xdp()`, `@xdp(frags=True)`. `make(**options)` gives
# the hook, when it is first wanted. (No docstring: `__doc__` is the hook's own.)
class Simple:
    __slots__ = ("__doc__", "_make", "_options", "name")

    def __init__(self, name: str, make: Callable[..., Hook], options: tuple[str, ...] = (), doc: str = "") -> None:
        self.name = name
        self._make = make
        self._options = options
        self.__doc__ = doc

    def __call__(self, function: Any = None, /, **options: Any) -> Any:
        unknown = [option for option in options if option not in self._options]
        if unknown:
            takes = f"it takes {', '.join(self._options)}" if self._options else "write it without parentheses:"
            raise DeclarationTypeError(
                f"@{self.name} takes no {unknown[0]!r}", help=takes, lines=() if self._options else (f"@{self.name}",)
            )
        hook = self._make(**options)
        return hook if function is None else hook(function)

    def __repr__(self) -> str:
        return f"<decorator @{self.name}>"


# Decorators under one name: `@tcx.ingress`, `@xdp.devmap`; `bare` is the one of the name alone, where there is.
class Family:
    def __init__(self, name: str, bare: Simple | None = None, *, doc: str = "", **members: Any) -> None:
        self.__dict__.update(members)
        self._name = name
        self._bare = bare
        self._members = tuple(members)
        self.__doc__ = doc

    def __call__(self, function: Any = None, /, **options: Any) -> Any:
        if self._bare is not None:
            return self._bare(function, **options)
        raise DeclarationTypeError(f"@{self._name} has several places", help="name one:", lines=self._all())

    def _all(self) -> tuple[str, ...]:
        return tuple([f"@{self._name}.{member}" for member in self._members])

    if not TYPE_CHECKING:  # of a member that is none; a checker knows the members

        def __getattr__(self, name):
            if name.startswith("_"):
                raise AttributeError(name)
            from pybpf.compiler.frontend.scope import closest

            near = closest(name, list(self._members))
            what = f"did you mean @{self._name}.{near}?" if near else "there are:"
            raise NoSuchHook(f"there is no @{self._name}.{name}", help=what, lines=() if near else self._all())

    def __repr__(self) -> str:
        return f"<decorators @{self._name}: {', '.join(self._members)}>"


def is_number(annotation: Any) -> bool:
    """Whether an annotation says that an integer is returned."""
    from pybpf.stdlib.types import type_of

    return annotation is int or type(type_of(annotation)).__name__ == "IntType"
