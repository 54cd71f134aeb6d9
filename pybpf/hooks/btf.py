"""Hooks whose arguments the kernel describes by BTF: `@tp_btf`, `@fentry`, `@fexit`, `@fmod_ret`; lsm.py builds on it.

The parameters are the arguments, each of the struct or number that it is in C: in order, or by their names, where all
are names that the function's signature has (`ret` is the result):

    @tp_btf("sched_switch")
    def switched(preempt: bool, prev: task_struct, next: task_struct) -> None: ...

    @fexit("vfs_read")
    def done(count: u64, ret: i64) -> None: ...

Before them may stand `ctx: RawTracepointContext`, which some helpers take. Pointers among them are the kernel's own:
their members are loaded, without a probe read. `@fentry(program)`, with a function that is a BPF program itself, sees
calls of that; what is its context there is the kernel's own struct.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import I32, NONE, NoneType, PtrType, Space
from pybpf.hooks.base import Hook, is_number, needs_target, site_in
from pybpf.program import Program, annotation_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar

    from typing_extensions import ParamSpec

    from pybpf.compiler.btf.kernel import Prototype
    from pybpf.compiler.schema.specs import ContextSpec, ProgramSpec
    from pybpf.compiler.schema.types import Type

    P = ParamSpec("P")
    R = TypeVar("R", bound="int | None", covariant=True)

    class _Typed(Protocol):
        def __call__(self, function: Callable[P, R], /) -> Program[P, R]: ...

    Signature = Callable[[str], "Prototype | None"]


__all__ = ["BtfHook", "fentry", "fexit", "fmod_ret", "fsession", "tp_btf"]

_MOST = 12  # MAX_BPF_FUNC_ARGS
_RESULT = "ret"  # as libbpf's BPF_PROG has it


class BtfHook(Hook):
    """`signature` looks up the arguments by the target's name; `results`: one more, after them, is what it returned.

    `allowed` bounds the answer. `program`: the target is a BPF program, which loading is told.
    """

    __slots__ = ("allowed", "default", "program", "results", "signature", "target")

    def __init__(
        self,
        name: str,
        pattern: str,
        target: str,
        signature: Signature,
        *,
        results: bool = False,
        allowed: tuple[int, int] | None = None,
        default: int = 0,
        program: bool = False,
    ) -> None:
        attach: dict[str, Any] = {"target": target}
        if program:
            attach["of_program"] = target
        super().__init__(name, pattern, target, attach)
        self.signature = signature
        self.target = target
        self.results = results
        self.allowed = allowed
        self.default = default
        self.program = program

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        own = _context(function)
        return own, "bpf_raw_tracepoint_args", tuple([8 * place for place, _ in self._places(function)])

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        places = self._places(function)
        made = super().spec(function)
        types = tuple([kind for _, kind in places]) if self._found() is not None else ()
        return replace(
            made,
            btf=True,
            arg_types=types,
            allowed=self.allowed,
            default_return=self.default,
            doubt=self._doubt(),
        )

    def returns(self, function: Callable[..., Any]) -> Type:
        said = annotation_of(function, "return")
        if said is None or said is type(None):
            return NONE
        if not is_number(said) and said is not bool:
            raise DeclarationTypeError(
                f"@{self.name}: {function.__name__}() must be annotated to return int or None",
                site=site_in(function, "return"),
            )
        return I32

    def _found(self) -> Prototype | None:
        return self.signature(self.target)

    def _slots(self, found: Prototype) -> tuple[dict[str, int], list[tuple[int, Type]]]:
        """The place of each argument, in words of 8 bytes, by its name; and place and type of all, in order."""
        slots: list[tuple[int, Type]] = []
        named: dict[str, int] = {}
        at = 0
        for name, kind in found.params:
            if name:
                named[name] = len(slots)
            slots.append((at, kind))
            # a struct that is handed over itself takes the registers that it needs
            at += max(1, (kind.size + 7) // 8) if isinstance(kind, KernelType) else 1
        if self.results and not isinstance(found.result, NoneType):
            named.setdefault(_RESULT, len(slots))
            slots.append((at, found.result))
        return named, slots

    def _places(self, function: Callable[..., Any]) -> list[tuple[int, Type]]:
        """For each parameter the place of its argument, in words of 8 bytes, and the argument's type."""
        code = function.__code__
        given = code.co_varnames[self._leading(function) : code.co_argcount]
        found = self._found()
        if found is None:
            if self.results and given:
                raise DeclarationValueError(
                    f"@{self.name}: there is no BTF that describes {self.target}()",
                    help="without its signature the place of the result is not known: use @fentry, or @kretprobe",
                )
            self._check_count(function, given, _MOST)
            return [(number, NONE) for number in range(len(given))]
        named, slots = self._slots(found)
        at = [named.get(name, -1) for name in given]
        if -1 not in at:
            return [slots[number] for number in at]
        self._check_count(function, given, len(slots))
        for number, (name, place) in enumerate(zip(given, at)):
            if place not in (-1, number):
                odd = given[at.index(-1)]
                has = ", ".join([*[known or "?" for known, _ in found.params], *([_RESULT] if self.results else [])])
                raise DeclarationTypeError(
                    f"@{self.name}: `{name}` is argument number {place + 1} of {self.target}(), not {number + 1}, "
                    f"and it has no `{odd}`",
                    help=f"name only arguments that it has, or all in order: {has}",
                    site=site_in(function, name),
                )
        return slots[: len(given)]

    def _leading(self, function: Callable[..., Any]) -> int:
        """How many parameters stand before the arguments."""
        return 0 if _context(function) is None else 1

    def _check_count(self, function: Callable[..., Any], given: tuple[str, ...], most: int) -> None:
        if len(given) > most:
            raise DeclarationTypeError(
                f"@{self.name}: {self.target} gives {most} values, but {function.__name__}() takes {len(given)}",
                site=site_in(function, given[most]),
            )

    def _doubt(self) -> tuple[str, str]:
        """What is odd about the target, and what is near to it: a kernel that the object is for may have it still."""
        if self.program or self._found() is not None:
            return "", ""
        from pybpf.stdlib.kernel.functions import like

        near, known = like(self.target)
        if not known:
            return "", ""
        hint = f'did you mean @{self.name}("{near}")?' if near else ""
        return f"the running kernel has no function {self.target}()", hint


def _context(function: Callable[..., Any]) -> ContextSpec | None:
    """The context, for helpers that take one: `ctx: RawTracepointContext` before the arguments."""
    from pybpf.stdlib.contexts.tracing import RawTracepointContext

    code = function.__code__
    said = annotation_of(function, code.co_varnames[0]) if code.co_argcount else None
    return said.__bpf__ if isinstance(said, type) and issubclass(said, RawTracepointContext) else None  # type: ignore[attr-defined]


# Arguments of tracepoints that may be NULL, of structs that functions of the kernel take (raw_tp_null_args in
# kernel/bpf/btf.c of Linux 6.13, which the verifier goes by since then; they may be NULL before as well).
_NULLS: dict[str, tuple[int, ...]] = {
    "kfree_skb": (3,), "sched_pi_setprio": (1,), "sched_stick_numa": (2,), "sched_swap_numa": (2,),
    "tcp_send_reset": (0, 1), "tcp_sendmsg_locked": (2,),
}  # fmt: skip


class _TracepointHook(BtfHook):
    """A tracepoint: one that looks like a misspelt name is refused; others may be a module's, or of another kernel."""

    __slots__ = ()

    def _found(self) -> Prototype | None:
        found = super()._found()
        if found is None:
            from difflib import get_close_matches

            from pybpf.stdlib.tracepoints import raw_names

            near = get_close_matches(self.target, raw_names(), 1, 0.8)
            if near:
                raise DeclarationValueError(
                    f"@tp_btf: there is no tracepoint {self.target!r}", help=f'did you mean @tp_btf("{near[0]}")?'
                )
            return None
        from pybpf.stdlib.tracepoints import raw_arguments

        names = raw_arguments(self.target) or ()
        nulls, params = _NULLS.get(self.target, ()), []
        for number, (name, kind) in enumerate(found.params):
            if len(names) == len(found.params):
                name = names[number]
            if isinstance(kind, PtrType) and (number in nulls or name.endswith("__nullable")):
                kind = PtrType(kind.pointee, Space.NULLABLE)
            params.append((name, kind))
        return replace(found, params=tuple(params))

    def _doubt(self) -> tuple[str, str]:
        return "", ""


def tp_btf(name: str, *, sleepable: bool = False) -> _Typed:
    """A tracepoint by its raw arguments, with their types: `@tp_btf("sched_switch")`. Linux 5.5.

    `sleepable=True` where the tracepoint may fault: those of system calls, Linux 7.2.
    """
    from pybpf.stdlib.kernel.functions import raw_tracepoint

    _check("tp_btf", name, "sched_switch")
    hook = _TracepointHook("tp_btf", f"tp_btf{'.s' if sleepable else ''}+", name, raw_tracepoint)
    return hook  # type: ignore[return-value]


class _ManyHook(BtfHook):
    """Many functions at once. What their arguments are differs, so programs get the context alone."""

    __slots__ = ()

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        code = function.__code__
        if code.co_argcount > self._leading(function):
            name = code.co_varnames[self._leading(function)]
            raise DeclarationTypeError(
                f"@{self.name}: each function has arguments of its own: {function.__name__}() takes none but a context",
                help="ask for one by its number:",
                lines=("value = Array[u64, L[1]]()", "helpers.bpf_get_func_arg(ctx, 0, value)"),
                site=site_in(function, name),
            )
        return super().context(function)

    def _doubt(self) -> tuple[str, str]:
        return "", ""


class _Decorator:
    """`@fentry`, `@fexit` and `@fsession`, and what follows the dot."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def multi(self, functions: str, *, sleepable: bool = False) -> _Typed:
        """Many kernel functions at once, by a pattern: `.multi("tcp_*")`. For loaders that attach such programs.
        Linux 7.2.

        The program takes nothing, or `ctx: RawTracepointContext`: `helpers.bpf_get_func_arg(ctx, 0, value)` gives an
        argument, `helpers.bpf_get_func_ip(ctx)` which function it is.
        """
        needs_target(self.name, functions, "a pattern of kernel functions", f'@{self.name}.multi("tcp_*")')
        if any([not (c.isalnum() or c in "_.*?") for c in functions]):
            raise DeclarationValueError(
                f"@{self.name}.multi: {functions!r} is not a pattern of functions",
                help=f'it is made of names with * and ?: @{self.name}.multi("tcp_*")',
            )
        pattern = f"{self.name}.multi{'.s' if sleepable else ''}+"
        hook = _ManyHook(f"{self.name}.multi", pattern, functions, lambda _: None, allowed=(0, 0))
        return hook  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"<hook {self.name}>"


class _Fentry(_Decorator):
    __slots__ = ()

    def __call__(
        self, function: str | Program[..., Any], *, sleepable: bool = False, of_program: bool = False
    ) -> _Typed:
        """The entry of a kernel function, with its arguments: `@fentry("tcp_connect")`. Linux 5.5.

        `@fentry(program)` is the entry of a BPF program; `@fentry("name", of_program=True)` of a function of a BPF
        object that is known by name only. Which loaded one is told when loading: `load(trace, target_program=...)`.
        `sleepable=True` (Linux 5.10): where the kernel says that the function may fault, as system calls do.
        """
        return _made("fentry", function, "tcp_connect", sleepable, of_program, False, (0, 0))


class _Fexit(_Decorator):
    __slots__ = ()

    def __call__(
        self, function: str | Program[..., Any], *, sleepable: bool = False, of_program: bool = False
    ) -> _Typed:
        """The return of a kernel function, with its arguments and, as one more parameter, its result. Linux 5.5.

        What may be traced is as with @fentry.
        """
        return _made("fexit", function, "tcp_connect", sleepable, of_program, True, (0, 0))


def fmod_ret(function: str, *, sleepable: bool = False) -> _Typed:
    """Before a kernel function, in place of which an answer other than 0 is its result. Linux 5.7.

    Functions of the kernel's security modules, `@fmod_ret("security_file_open")`, and those that it lets fail on demand
    (ALLOW_ERROR_INJECTION). One more parameter, `ret`, is what programs before this one answered.
    """
    return _made("fmod_ret", function, "security_file_open", sleepable, False, True, None)


class _Fsession(_Decorator):
    __slots__ = ()

    def __call__(self, function: str, *, sleepable: bool = False) -> _Typed:
        """Both the entry and the return of a kernel function, in one program. Linux 7.0. `ret` is 0 at the entry."""
        return _made("fsession", function, "tcp_connect", sleepable, False, True, (0, 0))


fentry = _Fentry("fentry")
fexit = _Fexit("fexit")
fsession = _Fsession("fsession")


def _check(name: str, target: Any, example: str) -> None:
    needs_target(name, target, "the name of a function", f'@{name}("{example}")')
    if not target.isidentifier():
        raise DeclarationValueError(f"@{name}: {target!r} is no name", help=f'as in @{name}("{example}")')


def _made(
    name: str,
    target: Any,
    example: str,
    sleepable: bool,
    of_program: bool,
    results: bool,
    allowed: tuple[int, int] | None,
) -> _Typed:
    from pybpf.stdlib.kernel.functions import function as signature

    pattern = f"{name}{'.s' if sleepable else ''}+"
    if isinstance(target, Program):
        traced = target
        hook = BtfHook(name, pattern, traced.name, lambda _: _of_program(traced), results=results, allowed=allowed,
                       program=True)  # fmt: skip
        return hook  # type: ignore[return-value]
    _check(name, target, example)
    look: Signature = (lambda _: None) if of_program else signature
    hook = BtfHook(name, pattern, target, look, results=results, allowed=allowed, program=of_program)
    return hook  # type: ignore[return-value]


def _of_program(program: Program[..., Any]) -> Prototype:
    """A BPF program's signature, as a program that traces it has it."""
    from pybpf.compiler.btf.kernel import Prototype
    from pybpf.stdlib.kernel.names import lookup
    from pybpf.stdlib.kfuncs import KERNELS_CONTEXT

    struct = program.__bpf__.context_struct
    known = lookup(KERNELS_CONTEXT.get(struct, struct))
    kind = getattr(known, "__bpf__", None)
    context = PtrType(kind if isinstance(kind, KernelType) else None, Space.KERNEL)
    return Prototype(program.name, (("ctx", context),), I32)
