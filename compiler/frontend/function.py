"""Checks one Python function for one set of argument types. In: its syntax tree and what its parameters are. Out:
Instance.

A local variable has one type, found from all its assignments: the body is checked again with the types that the last
pass found until none changes (one pass is enough unless a later assignment widens a type). Only the diagnostics of the
last pass are kept. Within a pass the checker walks the statements once, carrying the facts that hold at each place
(flow.py). What to do for each kind of syntax node is in the tables of statements.py and expressions.py.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import closures, expressions, flow, kinds, ranges, scope, statements, tree, tuples
from pybpf.compiler.frontend.convert import convert, materialize, type_of
from pybpf.compiler.frontend.elsewhere import in_library
from pybpf.compiler.frontend.flow import Fact
from pybpf.compiler.frontend.known import ContextRef, Known, Refused
from pybpf.compiler.frontend.measure import alignment, origins, parts, range_of
from pybpf.compiler.frontend.session import Instance
from pybpf.compiler.later import module
from pybpf.compiler.schema.errors import DeclarationError
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.span import Span
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import I64, NONE, U64, OptionalType, PtrType, TupleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any, NoReturn

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend import fieldfacts
    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.known import LocalFunction, Value
    from pybpf.compiler.frontend.ranges import Interval
    from pybpf.compiler.frontend.scope import Slot
    from pybpf.compiler.frontend.session import Session
    from pybpf.compiler.frontend.settle import Loop
    from pybpf.compiler.frontend.source import Module
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast
    fieldfacts = module("frontend.fieldfacts")

__all__ = ["Checker"]

_PASSES = 12  # a type can widen only a few times; this only keeps a mistake of ours from looping


class Checker:
    """One function being checked."""

    def __init__(
        self, session: Session, module: Module, node: Any, function: Any, enclosing: Checker | None = None
    ) -> None:
        self.session = session
        self.module = module
        self.node = node
        self.function = function
        self.in_library = in_library(function)
        self.names = scope.Names(function)
        arguments = node.args
        stars = [p for p in (arguments.vararg, arguments.kwarg) if p is not None]
        self.locals = scope.find_locals(
            node, [p.arg for p in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars)]
        )
        self.enclosing = enclosing  # the function around it, of one that is defined inside a program
        self.inherited: State = {}  # what is known of that one's variables at the call
        self.outer_nonlocals: set[str] = set()
        self.called_in_loop = False
        if enclosing is not None:
            self.outer_nonlocals = {n for n in self.locals.nonlocals if n in enclosing.slots}
            self.locals.names = [n for n in self.locals.names if n not in self.outer_nonlocals]
        self.local_functions: dict[Any, LocalFunction] = {}
        self.rebound = closures.rebound_by_calls(self)
        self.presets: dict[str, Type] = {}
        self.unsigned: set[str] = set()  # variables that began as literals, and to which u64s are added later
        self.parameters: list[scope.Parameter] = []
        self.around: tuple[tuple[str, bool, Span], ...] = ()  # regions open where it is called (references.py)
        self.dynptrs: dict[Span, str] = {}  # the kinds of those that Dynptr() makes, by its place
        self.declared_result: Type | None = None  # from the annotation; None: infer it
        self.is_program = False
        self.diagnostics: list[Diagnostic] = []
        self.changed = False
        self._start()

    def set_parameters(self, parameters: list[scope.Parameter], result: Type | None) -> None:
        """What the function is checked for."""
        self.parameters = parameters
        self.declared_result = result

    def _start(self) -> None:
        """Forget what a pass found."""
        self.diagnostics = []
        self.changed = False
        self.left_out = 0  # statements left out, each because of an error in `diagnostics`
        self.lost_return = False  # one of them would have returned
        self.state: State | None = {}
        self.locked = 0  # how many of its own locks are held here
        self.exits: list[State] = []  # the state at each way out
        self.loops: list[Loop] = []
        self.ranges: dict[tree.Expr, Interval] = {}
        self.alignments: dict[str, int] = {}  # of what variables refer to, where that is less than 8 bytes
        self.reserved: set[Span] = set()  # where ring-buffer records were reserved
        self.releases: dict[Span, Any] = {}  # what gives back the reference that was acquired there
        self.with_held: set[Span] = set()  # where those were acquired that a `with` block releases
        self.told: set[Span] = set()  # where one was acquired that an error was reported of
        self.tested: set[Span] = set()  # where those were acquired that were tested for None
        self.tested_before: set[Span] = set()  # calls of functions that have tested what they return
        self.transfers_tested = False  # one of them is returned
        self.transfers: Any = None  # what gives back the reference that the function returns
        self.reserved_names: set[str] = set()  # variables of the `with` blocks around the statement in hand
        self.slots: dict[str, Slot] = {}
        self.result_slot = scope.Slot("return")
        self.result_range: Interval | None = None
        self.result_origins: frozenset[Any] = frozenset()  # objects that the result may refer to
        self.moves_packet = False  # addresses into the packet that a caller has are gone after a call
        self.in_test = False  # of an `if`
        self.told_of_fields = False  # by such a test (fieldfacts.py)
        self.held_fields: dict[str, tree.Expr] = {}  # by variables of ours
        self._temporaries = 0

    def enter(self, module: Module, node: Any, function: Any, enclosing: Checker | None = None) -> Checker:
        """A checker of a function that this one calls, or that is defined in it."""
        return Checker(self.session, module, node, function, enclosing)

    def refused(self) -> Instance:
        """What stands for a function whose checking was given up."""
        return Instance(None, NONE, diagnostics=self.diagnostics)

    # --- the whole function

    def check(self) -> Instance:
        """Passes over the body until the types of all variables stay as they are."""
        presets: dict[str, Type] = {}
        result: Type | None = None
        for _ in range(_PASSES):
            instance = self._pass(presets, result)
            if not self.changed:
                assert not self.left_out or instance.function is None, "a statement was refused without a diagnostic"
                return instance
            presets = {name: slot.var.type for name, slot in self.slots.items() if slot.var is not None}
            presets |= {name: s.joined for name, s in self.slots.items() if isinstance(s.joined, TupleType)}
            presets |= dict.fromkeys(self.unsigned, U64)
            result = self.result_slot.last
            if isinstance(self.result_slot.joined, TupleType):
                result = self.result_slot.joined
        raise AssertionError(f"the types of {self.node.name} do not settle")

    def _pass(self, presets: dict[str, Type], result: Type | None) -> Instance:
        self._start()
        self.presets = presets
        self.slots = {name: scope.Slot(name, preset=presets.get(name)) for name in self.locals.names}
        self.result_slot = scope.Slot("return", declared=self.declared_result, preset=result)
        self.slots["return"] = self.result_slot  # for the parts of a tuple
        if self.enclosing is not None:
            closures.inherit(self)
        for name in (self.locals.nonlocals & self.slots.keys()) - self.outer_nonlocals:
            self.slots[name].broken = True  # the statement itself is refused
        for name, annotation in self.locals.annotations.items():
            try:
                self.slots[name].declared = scope.annotated_type(self, annotation)
            except Refused:
                self.slots[name].broken = True
        params = [var for p in self.parameters for var in self._enter(p)]
        body = self.block(self.node.body)
        if self.state is not None:
            self.exits.append(self.state)
            body += statements.fall_off(self)
        slot = self.result_slot
        kind = slot.last or slot.declared or NONE  # `last` says where an object is, an annotation does not
        if isinstance(slot.joined, TupleType):
            kind = slot.joined
        failed = any(d.severity == "error" for d in self.diagnostics)
        if self.enclosing is not None and self.left_out:  # because of an error in the function around it
            failed = True
        function = None
        parts: tuple[tuples.Part, ...] = ()
        if not failed:
            parts = tuples.result_parts(self, slot.joined) if isinstance(slot.joined, TupleType) else ()
            assigned = [part.var for part in parts if part.var is not None] + closures.outer_assigned(self)
            function = tree.Function(
                self.node.name, tuple(params), NONE if parts else kind, body, self.module.span(self.node),
                self.module.source, tuple(assigned),
            )  # fmt: skip
        known = slot.alias if slot.alias is not None and not failed else None
        bounds = self.result_range or ranges.EVERYTHING
        made = Instance(function, kind, bounds, known, self.diagnostics, moves_packet=self.moves_packet)
        made.acquires, made.tested, made.parts = self.transfers, self.transfers_tested, parts
        for name in [var.name for var in self.session.state.values()]:
            far = max([state[name].range[1] for state in self.exits if name in state], default=0)
            if far <= 0xFFFF:
                made.moved[name] = far
        return made

    def _enter(self, parameter: scope.Parameter) -> list[tree.Var]:
        """The variable of a parameter; none for one that is known at compile time, several for a tuple."""
        name = parameter.name
        slot = self.slots.setdefault(name, scope.Slot(name, preset=self.presets.get(name)))
        assert self.state is not None
        if parameter.parts is not None:
            found = [var for part in parameter.parts for var in self._enter(part)]
            slot.joined = TupleType(tuple([self.part_type(p) for p in parameter.parts]))
            slot.span = parameter.span
            self.state[slot.name] = Fact(origins=frozenset([parameter.span]))
            return found
        if parameter.known is not None:
            slot.alias, slot.joined = parameter.known, kinds.KnownType(_identity(parameter.known))
            self.state[slot.name] = Fact()
            return []
        assert parameter.type is not None
        span = parameter.span
        if parameter.annotated:
            slot.declared = parameter.type
        else:
            slot.joined = kinds.join(slot.joined, parameter.type)
        slot.span = span
        kind = slot.declared or kinds.settle(kinds.join(slot.preset, parameter.type) or parameter.type)
        slot.var = tree.Var(slot.name, kind, span)
        self.state[slot.name] = Fact(range=parameter.range, origins=frozenset([span]))
        return [slot.var]

    def part_type(self, parameter: scope.Parameter) -> Type:
        """The type of an item of a tuple that is a parameter."""
        slot = self.slots[parameter.name]
        return slot.var.type if slot.var is not None else slot.joined or NONE

    # --- diagnostics

    def span(self, node: Any) -> Span:
        return self.module.span(node)

    def text(self, span: Span) -> str:
        """The source text of a region, up to the end of its first line."""
        line = span.source.line(span.line)
        return line[span.col : span.end_col] if span.line == span.end_line else line[span.col :]

    def end_span(self) -> Span:
        """The line that holds the function's name: where something is missing at its end."""
        span = self.span(self.node)
        line = span.source.line(span.line)
        return Span(span.source, span.line, span.col, span.line, len(line.rstrip()))

    def annotation(self, node: Any) -> Type:
        return scope.annotated_type(self, node)

    def schema(self, known: Value) -> Any:
        """What an object's `__bpf__` says; None where it has none. A faulty declaration is refused where it is used."""
        if not isinstance(known, Known) or isinstance(known.value, int):
            return None
        try:
            found = getattr(known.value, "__bpf__", None)
        except DeclarationError as error:
            self.misdeclared(error, known.span)
        if isinstance(found, MapSpec) and self.session.program.sleepable:
            since = found.kind.sleepable
            if not since or not self.has_release(since):
                name, kind = self.session.program.name, found.kind.name
                self.fail(errors.MapOfSleeper(known.span, self.text(known.span), kind, name, since))
        return found

    def misdeclared(self, error: DeclarationError, use: Span) -> NoReturn:
        """Refuse the use of a faulty declaration."""
        from pybpf.compiler.diagnostics.blame import misdeclared

        self.fail(misdeclared(error, use, self.session.sources))

    def check_release(self, what: str, since: str, span: Span) -> None:
        """Refuse what came to Linux with release `since` ("5.8", "": always there) if the program is for older ones."""
        if not self.has_release(since):
            target = self.session.target.kernel
            self.fail(errors.TooNew(span, what, since, f"{target[0]}.{target[1]}"))

    def has_release(self, since: str) -> bool:
        """Whether the kernels that the program is for have what came with release `since`."""
        major, _, minor = since.partition(".")
        return not since or (int(major), int(minor)) <= self.session.target.kernel

    @property
    def repeats(self) -> bool:
        """Whether the statement in hand may run again in the same frame: in a loop, or called from one."""
        return bool(self.loops) or self.called_in_loop

    def made(self, expr: tree.Expr) -> None:
        """A new object was made: what was made at the same place before, by an earlier iteration, is gone."""
        kind = expr.type.inner if isinstance(expr.type, OptionalType) else expr.type
        if self.repeats and self.state is not None and isinstance(kind, PtrType):
            flow.stale(self.state, expr.span, "the object was made anew by a later iteration", expr.span)

    def report(self, diagnostic: Diagnostic) -> None:
        """Say it and go on."""
        self.diagnostics.append(diagnostic)

    def fail(self, diagnostic: Diagnostic) -> NoReturn:
        """Say it and give up on this statement."""
        self.diagnostics.append(diagnostic)
        raise Refused

    # --- statements

    def block(self, nodes: list[Any]) -> list[tree.Stmt]:
        """Check statements one after the other from the current state, which is None afterwards if they never end."""
        made: list[tree.Stmt] = []
        for position, node in enumerate(nodes):
            if self.state is None:  # no warning where a constant test has decided so
                if statements.ends_always(nodes[position - 1]):
                    self.report(errors.Unreachable(self.span(node)))
                break
            acquired = len(self.releases)
            if self.told_of_fields and isinstance(node, (ast.With, ast.Match)):
                self.state = fieldfacts.without(self.state)
            try:
                handler = statements.STATEMENTS.get(type(node), statements.unsupported)
                more = handler(self, node)
                made += more
                if self.told_of_fields:
                    fieldfacts.forget_written(self, more)
            except Refused:
                self.left_out += 1
                self.lost_return = self.lost_return or scope.returns(node)
                self.poison(scope.assigned_names(node))
                if self.state is not None and (self.releases or self.dynptrs):
                    from pybpf.compiler.frontend.references import forget

                    self.told.update(list(self.releases)[acquired:])  # what became of it nobody knows
                    forget(self, scope.mentioned_names(node))
        return made

    def poison(self, names: list[str]) -> None:
        """Say nothing more about these variables: what they hold is unknown because of an error already reported."""
        if self.state is not None:
            for name in names:
                if name in self.slots:
                    self.state[name] = Fact(poisoned=True)

    # --- variables

    def temporary(self, type: Type, value: tree.Expr) -> tree.Var:
        """A variable of ours that holds `value`."""
        self._temporaries += 1
        var = tree.Var(f"%{self._temporaries}", type, value.span)
        if self.state is not None:
            self.state[var.name] = self.fact(value)
        return var

    def local(self, var: tree.Var, span: Span) -> tree.Expr:
        """Read a variable of ours, or of the context; an Optional that is known to be present is unwrapped."""
        read: tree.Expr = tree.Local(var.type, span, var)
        fact = self.state.get(var.name) if self.state is not None else None
        if fact is not None:
            self.ranges[read] = fact.range
            if fact.presence == flow.PRESENT and isinstance(var.type, OptionalType):
                read = tree.Unwrap(var.type.inner, span, read)
                if fact.range != ranges.EMPTY:  # else it is never there, and this is not reached
                    self.ranges[read] = fact.range
        return read

    def read(self, name: str, span: Span) -> Value:
        """The value of a local variable by its name."""
        slot = self.slots[name]
        assert self.state is not None
        fact = self.state.get(name)
        if slot.broken or (fact is not None and fact.poisoned):
            raise Refused
        if fact is None or not fact.assigned:
            outer = self.names.find(name)
            self.poison([name])  # said once is enough
            self.fail(errors.Unassigned(span, name, fact is not None, _global_kind(outer)))
        if fact.stale is not None:
            why, where = fact.stale
            self.fail(errors.Stale(span, name, why, where))
        if isinstance(slot.joined, TupleType):
            return tuples.read(self, slot, len(slot.joined.items), span)
        if slot.alias is not None:
            return replace(slot.alias, span=span)
        if slot.var is None:
            raise Refused
        return self.local(slot.var, span)

    def assign(self, name: str, value: Value, span: Span) -> list[tree.Stmt]:
        """`name = value`: widens the variable's type if need be, converts the value, and notes what is now known."""
        slot = self.slots[name]
        if slot.broken:
            raise Refused
        if name in self.reserved_names:
            self.fail(errors.ReserveName(span, name, True))
        assert self.state is not None
        if self.takes_tuple(name, value, span):
            return tuples.assign(self, name, value, span)
        annotation = slot.declared
        there = isinstance(value, Known) and (value.value is not None or not isinstance(annotation, OptionalType))
        if annotation is not None and kinds.is_reference(annotation) and there:  # None is of any space
            value = convert(self, value, annotation, f"`{name}`", slot.span)
        if annotation is None or kinds.is_reference(annotation):
            seen = type_of(value)
            joined = kinds.join(slot.joined, seen)
            if joined is None:
                assert slot.joined is not None
                owner = self._owner(name)
                if (
                    slot.natural and kinds.same(slot.joined, I64) and kinds.same(seen, U64)
                    and name not in owner.unsigned
                ):  # fmt: skip
                    owner.unsigned.add(name)
                    self.changed = owner.changed = True
                    raise Refused  # this pass is not the last
                from pybpf.compiler.frontend.advise import called, other_space

                other_space(self, f"`{name}`", slot.joined, seen, span, slot.span)
                self.fail(errors.Disagree(span, name, called(slot.joined), called(seen), slot.span))
            if slot.joined is not None and span != slot.span:
                joined = kinds.merged(joined)
            slot.joined = joined
            slot.span = slot.span or span
            if isinstance(joined, kinds.KnownType) and isinstance(value, (Known, ContextRef)):
                if isinstance(value, Known) and isinstance(value.value, (float, complex)):
                    materialize(self, value)  # says what is wrong
                slot.alias = value
                self.state[name] = Fact()
                return []
            wanted = kinds.settle(kinds.join(slot.preset, joined) or joined)
            if annotation is not None:
                if not kinds.fits_annotation(annotation, wanted):
                    convert(self, value, annotation, f"`{name}`", slot.span)  # says what is wrong
                wanted = kinds.annotated(annotation, wanted)
        else:
            wanted = annotation
            slot.span = slot.span or span
        if slot.var is None:
            slot.var = tree.Var(name, wanted, slot.span)
        elif not kinds.same(slot.var.type, wanted):
            slot.var.type = wanted
            self.changed = True
        converted = convert(self, value, slot.var.type, f"`{name}`", slot.span if slot.declared is not None else None)
        self.state[name] = self.fact(converted)
        if isinstance(slot.joined, kinds.AnyInt):
            slot.natural = slot.joined.lo >= 0
        elif slot.natural:
            slot.natural = self.state[name].range[0] >= 0
        if kinds.is_reference(converted.type):
            self.alignments[name] = min(self.alignments.get(name, 8), alignment(self, converted))
        return [tree.Assign(span, slot.var, converted)]

    def _owner(self, name: str) -> Checker:
        """The function whose variable it is, of one that is `nonlocal` here."""
        owner = self
        while owner.enclosing is not None and name in owner.locals.nonlocals:
            owner = owner.enclosing
        return owner

    def takes_tuple(self, name: str, value: Value, span: Span) -> bool:
        """Whether a variable is given a tuple whose items are variables of their own; notes so."""
        slot = self.slots[name]
        wanted = slot.declared or slot.preset
        if not tuples.is_tuple(value):
            return False
        seen = type_of(value)
        if isinstance(wanted, TupleType) or isinstance(slot.joined, TupleType):
            seen = tuples.tuple_of(value)
        joined = kinds.join(slot.joined, seen)
        declared = slot.declared
        if isinstance(declared, TupleType) and isinstance(seen, TupleType) and len(declared.items) == len(seen.items):
            joined = declared  # each item is converted to its own type
        if joined is None:
            return False  # the caller says so
        if not isinstance(joined, TupleType):
            return False
        if isinstance(slot.declared, TupleType) and len(slot.declared.items) != len(joined.items):
            self.fail(errors.UnpackCount(span, len(slot.declared.items), len(joined.items), value.span))
        if isinstance(slot.joined, kinds.KnownType):
            self.changed = True  # it was taken for a constant before
        slot.joined, slot.span, slot.alias = joined, slot.span or span, None
        return True

    def fact(self, value: tree.Expr) -> Fact:
        """What is known of a variable that was just given `value`."""
        presence, source = flow.MAYBE, None
        if isinstance(value.type, OptionalType):
            source = value.span
            if isinstance(value, tree.Wrap):
                presence = flow.PRESENT
            elif isinstance(value, tree.NoneValue):
                presence = flow.ABSENT
            elif isinstance(value, tree.Local) and self.state is not None and value.var.name in self.state:
                other = self.state[value.var.name]
                presence, source = other.presence, other.source
        return Fact(
            range=range_of(self, value), presence=presence, source=source, origins=origins(self, value),
            parts=parts(self, value),
        )  # fmt: skip

    # --- expressions

    def expr(self, node: Any, want: Type | None = None) -> Value:
        """The value of an expression. `want` is the type that its place would like: it shapes literals and new
        objects.
        """
        return expressions.EXPRESSIONS.get(type(node), expressions.unsupported)(self, node, want)


def _is_type(joined: Type | None) -> bool:
    return joined is not None and not isinstance(joined, kinds.KnownType)


def _identity(value: Value) -> Any:
    return value.value if isinstance(value, Known) else value


def _global_kind(outer: Known | None) -> str:
    """What a module-level name of the same spelling is: decides what help to give."""
    from pybpf.compiler.schema.specs import GlobalSpec

    if outer is None:
        return ""
    spec = getattr(outer.value, "__bpf__", None)
    return ("const" if spec.constant else "var") if isinstance(spec, GlobalSpec) else "other"
