"""Statements."""

from __future__ import annotations

from pybpf.compiler.frontend.tree.maps import MapIndex
from pybpf.compiler.frontend.tree.nodes import Node
from pybpf.compiler.frontend.tree.values import CtxLoad, Field, Global, Index, KernelPlace
from pybpf.compiler.schema.record import factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend.tree.maps import RingReserve
    from pybpf.compiler.frontend.tree.nodes import Expr, Var
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import HelperSpec, IterSpec, KfuncSpec, MapSpec

__all__ = [
    "Assign", "Break", "Continue", "ExprStmt", "ForEach", "ForHelper", "ForMap", "ForRange", "If", "Place", "Return",
    "Stmt", "Store", "Update", "While", "WithAcquire", "WithLock", "WithReserve",
]  # fmt: skip


class Stmt(Node):
    """Base of statements."""

    span: Span


Place = (Field, Index, Global, MapIndex, CtxLoad, KernelPlace)


class Assign(Stmt):
    """var = value; both have the same type (for an aggregate: the variable now refers to it)."""

    var: Var
    value: Expr


class Store(Stmt):
    """place = value: a scalar is stored at the place's width and byte order; an aggregate is built or copied there.

    A text may be stored to a larger one, whose rest becomes NUL; one of role "data_loc" may be larger, and is cut.
    """

    place: Expr
    value: Expr


class Update(Stmt):
    """place op= value for a scalar place, as one read and one write; `atomic` where other CPUs may do the same.

    `value` is of type I64 or U64; the result wraps at the place's width.
    """

    place: Expr
    op: str
    value: Expr
    atomic: bool = False


class ExprStmt(Stmt):
    """An expression evaluated for its effect."""

    value: Expr


class If(Stmt):
    test: Expr
    body: list[Stmt]
    orelse: list[Stmt] = factory(list)


class While(Stmt):
    """`orelse` runs when the test turns false, not after a break.

    `bound`: how the verifier sees the end (longloops.py); `carried`: the variables that the loop assigns and that have
    a value in front of it; `limit`: where the addresses in the packet that it moves end the program, 0 where they can't
    get too far; None where nobody knows (walks.py).
    """

    test: Expr
    body: list[Stmt]
    orelse: list[Stmt] = factory(list)
    bound: str = ""
    carried: tuple[Var, ...] = ()
    limit: int | None = None


class ForRange(Stmt):
    """for var in range(start, stop, step): bounds are evaluated once, and are of type I64 or U64 as `var` is.

    `step` is a non-zero constant. `var` may be assigned in the body without changing the iteration, and keeps its last
    value after the loop. `orelse` as in While. `most`: `start` and `stop` are known to be neither negative nor above
    these; None where they are not. `bound`, `carried` and `limit` as in While.
    """

    var: Var
    start: Expr
    stop: Expr
    step: int
    body: list[Stmt]
    orelse: list[Stmt] = factory(list)
    most: tuple[int | None, int | None] = (None, None)
    bound: str = ""
    carried: tuple[Var, ...] = ()
    limit: int | None = None


class ForMap(Stmt):
    """for key, value in map.items(), where `key` or `value` may be left out: once for each element.

    `key` is a number, or a reference to a copy on the stack; `value` a number, or a reference into the map. `orelse`
    and `carried` as in While. An element that the body deletes, or that comes meanwhile, may be met or not.
    """

    map: MapSpec
    key: Var | None
    value: Var | None
    body: list[Stmt]
    orelse: list[Stmt] = factory(list)
    carried: tuple[Var, ...] = ()


class ForEach(Stmt):
    """for var in an iterator of the kernel: once for each element that it gives.

    `args` are those of the function that makes it, behind the iterator itself. `var` refers to an object of the kernel
    that is there for the iteration, or is a number. `orelse` and `carried` as in While.
    """

    iterator: IterSpec
    args: tuple[Expr, ...]
    var: Var
    body: list[Stmt]
    orelse: list[Stmt] = factory(list)
    carried: tuple[Var, ...] = ()


class ForHelper(Stmt):
    """for var in a helper that calls the body: with an object of the kernel that is there for the call.

    `args` are those of the helper, without the body and its frame. `orelse` and `carried` as in While.
    """

    helper: HelperSpec
    args: tuple[Expr, ...]
    var: Var
    body: list[Stmt]
    orelse: list[Stmt] = factory(list)
    carried: tuple[Var, ...] = ()


class Break(Stmt):
    """Leave the innermost loop."""


class Continue(Stmt):
    """Go on with the innermost loop."""


class Return(Stmt):
    """Leave the function; the value has the function's result type (None: no value)."""

    value: Expr | None = None


class WithLock(Stmt):
    """with lock(value): body. `lock` is the field, a reference into a map; it is released on every way out."""

    lock: Expr
    body: list[Stmt]


class WithAcquire(Stmt):
    """with releasing(acquire) as var: body. `var` has the type of `acquire`, a call that acquires a reference; on every
    way out of the body `release` gives it back, if there is one. `discards`: what does so on a way that fails, and
    where the body says `var.discard()`."""

    var: Var
    acquire: Expr
    release: HelperSpec | KfuncSpec
    body: list[Stmt]
    discards: HelperSpec | None = None


class WithReserve(Stmt):
    """with ring.reserve() as var: body. `var` is Optional; on every way out of the body (return, break and continue
    too) the record is submitted, if there is one and it was not discarded."""

    var: Var
    reserve: RingReserve
    body: list[Stmt]
