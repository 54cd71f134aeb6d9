"""A decorated function: what `@tracepoint(...)`, `@xdp` and the other hooks make.

A Program is a value. The compiler reads its `__bpf__`; called in plain Python it is still the function; loading,
testing and simulating it are done by the runtime and the simulator, which are imported when first used.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationError, DeclarationTypeError
from pybpf.stdlib.simulation import TailCalled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Generic, TypeVar

    from typing_extensions import ParamSpec

    from pybpf.compiler.schema.specs import ProgramSpec
    from pybpf.hooks.base import Hook
    from pybpf.runtime.testing import TestResult
    from pybpf.simulator import Outcome

    P = ParamSpec("P")
    R = TypeVar("R", covariant=True)

    class _Callable(Generic[P, R]):
        """The types of the function that a Program wraps."""

else:

    class _Callable:
        __slots__ = ()

        def __class_getitem__(cls, params):
            return cls


__all__ = ["Program", "annotation_of"]


class Program(_Callable["P", "R"]):
    """A BPF program: a Python function and the hook that it runs at."""

    __slots__ = ("__wrapped__", "_spec", "function", "hook", "name")

    def __init__(self, function: Callable[P, R], hook: Hook) -> None:
        if not hasattr(function, "__code__"):
            raise _not_a_function(hook.name, function)
        if function.__name__ == "<lambda>":
            raise DeclarationTypeError(f"@{hook.name}: a lambda has no name to be loaded by", help="define it with def")
        self.function = self.__wrapped__ = function
        self.hook = hook
        self.name: str = function.__name__
        self._spec: ProgramSpec | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return self.function(*args, **kwargs)
        except TailCalled as called:  # in a simulation
            went_on: R = called.program(*args, **kwargs)
            return went_on

    @property
    def __bpf__(self) -> ProgramSpec:
        """The spec, worked out once. Raises DeclarationError, as for a tracepoint that does not exist."""
        if self._spec is None:
            self._spec = self.hook.spec(self.function)
        return self._spec

    @property
    def section(self) -> str:
        """libbpf's section name, `xdp` or `tracepoint/syscalls/sys_enter_openat`."""
        return self.hook.section

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.function.__doc__

    def __repr__(self) -> str:
        return f"<Program {self.name} ({self.section})>"

    def test(
        self, packet: bytes = b"", *, context: bytes | None = None, repeat: int = 1, **consts: Any
    ) -> TestResult:
        """Load the program and run it in the kernel on a packet or a context's bytes (BPF_PROG_TEST_RUN).

        `repeat` runs it so many times, for timing; `consts` set `const()`s and `var()`s.
        """
        from pybpf.runtime.testing import test_program

        return test_program(self, packet, context=context, repeat=repeat, **consts)

    def simulate(self, packet: bytes | None = None, *, context: bytes | None = None, **values: Any) -> Outcome:
        """Run the function in plain Python, over maps in memory: in the active simulation, or in one of its own.

        `values` are the context's fields, or the arguments, by name.
        """
        from pybpf.simulator import simulate

        return simulate(self, packet, context=context, **values)

    def _repr_html_(self) -> str:
        from pybpf.notebook import program_html

        return program_html(self)


def _not_a_function(hook: str, given: object) -> DeclarationTypeError:
    """The mistake of decorating, or calling the decorator with, something else."""
    if isinstance(given, Program):
        return DeclarationTypeError(
            f"@{hook}: `{given.name}` has a hook already, @{given.hook.name}",
            help="give each hook a program of its own; what they share goes into a plain function that both call",
        )
    if isinstance(given, type):
        return DeclarationTypeError(
            f"@{hook} decorates a function, not a class", help="decorate a plain function at module level"
        )
    if isinstance(given, str):
        return DeclarationTypeError(
            f"@{hook} takes no target, such as {given!r}",
            help="say where it is attached when you attach it:",
            lines=(f'load(program).attach(program="{given}")',),
        )
    return DeclarationTypeError(f"@{hook} decorates a function, not {given!r}", help="put it above a def")


def annotation_of(function: Any, name: str) -> Any:
    """An evaluated annotation of a function's parameter, or of "return"; None where there is none.

    Raises DeclarationTypeError for a string that can't be evaluated.
    """
    found = getattr(function, "__annotations__", {}).get(name)
    if not isinstance(found, str):
        return found
    names = function.__globals__
    if found in names:
        return names[found]
    code, cells = function.__code__, function.__closure__ or ()
    closed = {free: cell.cell_contents for free, cell in zip(code.co_freevars, cells) if _filled(cell)}
    try:
        made = eval(found, names, closed)
        return eval(made, names, closed) if isinstance(made, str) else made  # quoted, under the future import too
    except DeclarationError:
        raise
    except NameError as error:
        from pybpf.compiler.diagnostics.suggest import meant

        help, lines = meant(str(error.name), [*names, *closed])
        raise DeclarationTypeError(
            f"{function.__name__}(): the name `{error.name}` is not defined",
            help=help,
            lines=lines,
            site=(code.co_filename, code.co_firstlineno, name),
        ) from None
    except Exception as error:
        raise DeclarationTypeError(
            f"{function.__name__}(): the annotation `{found}` of `{name}` can't be evaluated: {error}",
            site=(code.co_filename, code.co_firstlineno, name),
        ) from None


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
