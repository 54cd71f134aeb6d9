"""Functions, programs, and all of an object."""

from __future__ import annotations

from pybpf.compiler.schema.record import Record, factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend.tree.nodes import Var
    from pybpf.compiler.frontend.tree.statements import Stmt
    from pybpf.compiler.schema.span import Source, Span
    from pybpf.compiler.schema.specs import GlobalSpec, KfuncSpec, MapSpec, ProgramSpec
    from pybpf.compiler.schema.types import Type

__all__ = ["Callback", "Computed", "Function", "Program", "Subprogram", "Typed"]


class Callback(Record, eq=False):
    """A Python function that the kernel calls with an element of a map: `key` is a number or a copy, `value` a number
    or a reference into the map. All are None while it is being checked.
    """

    function: Function | None
    key: Var | None
    value: Var | None


class Function(Record, eq=False):
    """A Python function with its types known; one for each set of argument types that it is called with.

    `outer` are variables that it assigns for its caller: the items of a tuple that it returns, and what it declares
    `nonlocal`.
    """

    name: str
    params: tuple[Var, ...]
    result: Type
    body: list[Stmt]
    span: Span
    source: Source
    outer: tuple[Var, ...] = ()


class Subprogram(Record, eq=False):
    """A function of its own in the object, which programs and subprograms call. `name` is its symbol.

    `params` are the variables that take the arguments, in order; None stands for the context. Those of `function` are
    the same without the context. `static`: verified with its callers; otherwise global, verified on its own.
    `program` is one that calls it: it says what the context is, and which helpers may be called. `state` are the
    variables kept on the context (StateSpec) that it, or what it calls, reads or assigns: the caller's own.
    """

    name: str
    function: Function
    params: tuple[Var | None, ...]
    program: ProgramSpec
    static: bool = True
    state: tuple[Var, ...] = ()


class Computed(Record, eq=False):
    """Arguments that are computed from the context, and the assignments that do it: of those that are used."""

    variables: tuple[Var, ...]
    statements: list[Stmt]


class Program(Record, eq=False):
    """A decorated function. `args` are the variables that are read from the context at entry, by their offsets.
    `computed` are those that the body's first assignments compute.

    A variable that is kept on the context (StateSpec) is one Var of all programs, named `ctx.NAME`: the body of one
    that uses it assigns it first; inlined functions and subprograms read and assign the same Var.
    """

    spec: ProgramSpec
    function: Function
    args: tuple[tuple[Var, int], ...] = ()
    computed: Computed | None = None
    arena: MapSpec | None = None  # the one that pointers which it follows lead into


class Typed(Record, eq=False):
    """All programs of one object, what they reach in the order of first use (subprograms, maps, globals), and what to
    warn of. `called` are the names of programs that others go on in, and that nothing else starts.
    """

    programs: list[Program]
    maps: list[MapSpec] = factory(list)
    globals: list[GlobalSpec] = factory(list)
    warnings: list[Diagnostic] = factory(list)
    subprograms: list[Subprogram] = factory(list)
    called: list[str] = factory(list)
    kfuncs: list[KfuncSpec] = factory(list)
