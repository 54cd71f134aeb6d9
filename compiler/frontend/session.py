"""What one compilation shares: the sources, the target, the program in hand, and the functions checked so far."""

from __future__ import annotations

from pybpf.compiler.frontend import ranges, tree
from pybpf.compiler.schema.record import Record, factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.frontend.ranges import Interval
    from pybpf.compiler.frontend.source import Sources
    from pybpf.compiler.frontend.tuples import Part
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import HelperSpec, KfuncSpec, ProgramSpec, Target
    from pybpf.compiler.schema.types import Type

__all__ = ["Instance", "Session"]


class Instance(Record, eq=False):
    """One function checked for one set of argument types.

    `known` is what it returns where that is a compile-time value; `function` is None where it was refused. `passes`
    are the indices of parameters that the result may refer to, `fresh` says that it may refer to an object the
    function makes. `subprogram` is what it became where it is not inlined. `moves_packet`: a
    call may move the packet (moves.py). `parts` are the items of the result, where that is a tuple. `acquires`: the
    result is a reference that this gives back (references.py); `tested`: which may have been tested for None.
    `moved` says of variables that are kept on the context, which are addresses in the packet, how many bytes a call
    moves them on at most; nothing of those where that is not known.
    """

    function: tree.Function | None
    result: Type
    range: Interval = ranges.EVERYTHING
    known: Value | None = None
    diagnostics: list[Diagnostic] = factory(list)
    passes: bool = True
    subprogram: tree.Subprogram | None = None
    moves_packet: bool = False
    acquires: HelperSpec | KfuncSpec | None = None
    tested: bool = False
    parts: tuple[Part, ...] = ()
    moved: dict[str, int] = factory(dict)


class Session(Record, eq=False):
    """The state of checking one program. Instances belong to a program, since helpers and contexts differ by
    program.
    """

    sources: Sources
    target: Target
    program: ProgramSpec
    instances: dict[Any, Instance] = factory(dict)
    # compile-time arguments whose identity is part of a key of `instances`: kept alive
    kept: list[Any] = factory(list)
    # definitions that are known not to be nested too deeply
    shallow: set[Any] = factory(set)
    # functions being checked now, outermost first, each with the call that led there: finds recursion
    active: list[tuple[Any, Span | None]] = factory(list)
    # variables kept on the context (StateSpec), by name, in the order of first use; shared by sessions of that context
    state: dict[str, tree.Var] = factory(dict)
    # loops of the tree -> the most iterations they take; shared by all sessions of a compilation
    iterations: dict[tree.Stmt, int] = factory(dict)
    # names of the subprograms being checked now, outermost first
    in_subprogram: list[str] = factory(list)
    # functions checked as subprograms; shared by all sessions of a compilation
    subprograms: dict[Any, Instance] = factory(dict)
    # expressions that follow pointers into an arena; shared by all sessions of a compilation
    arena_pointers: list[tree.Expr] = factory(list)
    # whether a lock is taken anywhere
    locks: bool = False
    # functions that timers call, by the function and the map
    callbacks: dict[Any, tree.Callback] = factory(dict)
