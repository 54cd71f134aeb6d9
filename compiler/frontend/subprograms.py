"""Subprograms: functions of their own in the object. In: a SubprogSpec and argument values. Out: a SubprogCall.

Each set of argument types makes one subprogram, which all programs of one type share. Numbers and references are
handed over when the program runs, the context too; a map, a function or a type that is given to a static subprogram is
known at compile time there, as in an inlined function.

A static subprogram is verified anew at each call: a reference leads to the memory that it leads to in the caller. A
global one is verified once, for any arguments of the types that its parameters are annotated with: a reference may be
None there, unless the kernel (6.8) is told that it never is.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import cost, kinds, ranges, tree
from pybpf.compiler.frontend.convert import convert, materialize, type_of
from pybpf.compiler.frontend.elsewhere import relocate
from pybpf.compiler.frontend.inline import annotation, bind, definition, given_for, key_of, result_of
from pybpf.compiler.frontend.known import ContextRef, Known, Refused
from pybpf.compiler.frontend.moves import forget_packet, restart
from pybpf.compiler.frontend.reach import children, reads, uses
from pybpf.compiler.frontend.scope import Parameter
from pybpf.compiler.frontend.tuples import wrapped
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.specs import ContextSpec
from pybpf.compiler.schema.types import NoneType, OptionalType, PtrType, Space, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.frontend.session import Instance
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import SubprogSpec

__all__ = ["MOST_ARGUMENTS", "NONNULL", "call_subprogram", "context_use", "make_subprogram"]

MOST_ARGUMENTS = 5  # registers R1 to R5
_SINCE = "4.16"
_MEMORY_SINCE = "5.13"  # of global ones: MEM, or NULL
# What a function's end leaves as it is.
_LASTING = (Space.MAP, Space.PERCPU, Space.GLOBAL, Space.CONST, Space.PACKET, Space.ARENA)
NONNULL = (6, 8)  # the kernel that knows the tags "arg:nonnull" and "arg:ctx"
# Programs whose context a kernel does not tell by the name of its struct (elf/model.py, Param).
_TAGGED_CONTEXTS = ("SYSCALL", "TRACEPOINT", "TRACING")


def call_subprogram(
    checker: Checker, spec: SubprogSpec, args: list[Value], keywords: dict[str, Value], span: Span
) -> Value:
    """A call of a function that is decorated as a subprogram."""
    function = spec.function
    checker.check_release("a subprogram", _SINCE, span)
    module, node = definition(checker, function, span)
    values = bind(checker, function, module, node, args, keywords, span)
    inner = checker.enter(module, node, function)
    rule = _global_parameter if spec.global_ else _static_parameter
    try:
        made = [rule(checker, inner, module.span(p), p, v, node) for p, v in values.given]
    except Refused:
        checker.diagnostics += relocate(inner.diagnostics, function, span)
        raise
    instance = make_subprogram(checker, inner, spec, made, span)
    subprogram = instance.subprogram
    if subprogram is None:
        raise Refused
    if checker.releases or checker.around:
        from pybpf.compiler.frontend.references import check_awake

        check_awake(checker, subprogram, span)
    given: list[tree.Expr] = []
    runtime = [v for (_, v), p in zip(values.given, made) if isinstance(p.known, ContextRef) or p.known is None]
    for value, var in zip(runtime, subprogram.params):
        given.append(_argument(checker, spec, value, var))
    if len(subprogram.params) > len(runtime):
        given.append(tree.Context(PtrType(None, Space.CTX), span))
    call: tree.Expr = tree.SubprogCall(instance.result, span, subprogram, tuple(given))
    checker.ranges[call] = bounds = ranges.of_type(instance.result) if spec.global_ else instance.range
    if values.lets:
        call = wrapped(checker, values.lets, call)
    if instance.moves_packet:
        forget_packet(checker, f"{spec.name}()", span)
        if spec.global_:
            call = restart(checker, call)
            checker.ranges[call] = bounds
    return call


def make_subprogram(
    checker: Checker, inner: Checker, spec: SubprogSpec, parameters: list[Parameter], span: Span
) -> Instance:
    """The subprogram of a function for these parameters; the instance holds none where it was refused.

    `inner` is the checker of the function, fresh from `Checker.enter`.
    """
    session, function = checker.session, spec.function
    with_context = any(isinstance(p.known, ContextRef) for p in parameters)
    context = id(session.program.context) if with_context else 0
    program = session.program
    key = (spec, program.prog_type, program.sleepable, context, *[key_of(p) for p in parameters])
    instance = session.subprograms.get(key)
    if instance is None:
        session.active.append((function, span))
        session.in_subprogram.append(spec.name)
        outer, session.instances = session.instances, {}  # what is inlined there may be refused there only
        try:
            instance = _check(inner, spec, parameters)
        except Refused:
            instance = inner.refused()
        finally:
            session.active.pop()
            session.in_subprogram.pop()
            session.instances = outer
        session.subprograms[key] = instance
        session.kept.append((parameters, program))
    checker.diagnostics += relocate(instance.diagnostics, function, span)
    return instance


def _check(inner: Checker, spec: SubprogSpec, parameters: list[Parameter]) -> Instance:
    """Check the function's body and make the subprogram."""
    session, node = inner.session, inner.node
    runtime = [p for p in parameters if p.known is None or isinstance(p.known, ContextRef)]
    if len(runtime) > MOST_ARGUMENTS:
        span = runtime[MOST_ARGUMENTS].span
        inner.fail(errors.TooManyParameters(span, spec.name, tuple([_written(p) for p in runtime])))
    inner.set_parameters(parameters, result_of(inner, spec.function, node))
    instance = inner.check()
    function = instance.function
    if function is None:
        return instance
    header = inner.end_span()
    instance.function = None  # nobody inlines it
    if instance.known is not None or not _may_return(inner, instance.result, spec):
        what = kinds.spell(type_of(instance.known) if instance.known is not None else instance.result)
        instance.diagnostics.append(errors.SubprogramResult(header, spec.name, what, spec.global_))
        return instance
    state = uses(function, session.state.values())
    if spec.global_:
        read = reads(function, state)
        if read:
            instance.diagnostics.append(errors.SubprogramState(header, spec.name, read[0].name.partition(".")[2]))
            return instance
        state = ()
    out_of_reach = None if any(p.known is not None for p in runtime) else context_use(function)
    if spec.global_ and out_of_reach is not None:
        text = inner.text(out_of_reach.span)
        instance.diagnostics.append(errors.ContextOutOfReach(out_of_reach.span, text, "a global subprogram"))
        return instance
    wants_context = out_of_reach is not None or _checks_packet(function)
    hidden = not spec.global_ and not any(p.known is not None for p in runtime) and wants_context
    if len(runtime) + len(state) + hidden > MOST_ARGUMENTS:
        held = tuple([_written(p) for p in runtime])
        shared = state[0].name[4:] if state else "context"
        instance.diagnostics.append(errors.TooManyParameters(header, spec.name, held, shared))
        return instance
    if spec.global_:
        instance.diagnostics += cost.check(session, function)
        if any(d.severity == "error" for d in instance.diagnostics):
            return instance
    variables = iter(function.params)
    params = tuple([None if p.known is not None else next(variables) for p in runtime])
    if hidden:
        params = (*params, None)
    instance.subprogram = tree.Subprogram(spec.name, function, params, session.program, not spec.global_, state)
    return instance


def context_use(function: tree.Function) -> tree.Context | None:
    """Where a function, or what is inlined in it, uses the program's context as such."""
    seen: set[tree.Function] = set()
    todo: list[Any] = [function]
    while todo:
        node = todo.pop()
        if isinstance(node, tree.Function):
            if node not in seen:
                seen.add(node)
                todo += node.body
        elif isinstance(node, tree.Context):
            return node
        elif isinstance(node, tree.Node):
            todo += children(node)
    return None


def _checks_packet(function: tree.Function) -> bool:
    """Whether a function that is not given the context may need it for the bounds of what it is given of the packet.

    The verifier forgets what was checked of an address when a variable is added to it, and in a loop that the kernel
    bounds; what it calls may need the context too.
    """

    def visit(node: Any) -> bool:
        if isinstance(node, tree.Function):
            if node in seen:
                return False
            seen.add(node)
            return any([visit(statement) for statement in node.body])
        if not isinstance(node, tree.Node):
            return False
        loops = (tree.While, tree.ForRange, tree.ForMap, tree.ForEach, tree.ForHelper)
        if isinstance(node, (tree.Context, *loops)):
            return True
        if isinstance(node, (tree.Index, tree.Slice)) and _in_packet(node.base.type):
            at = node.index if isinstance(node, tree.Index) else node.start
            if not isinstance(at, tree.Const):
                return True
        return any([visit(child) for child in children(node)])

    seen: set[tree.Function] = set()
    return any([_in_packet(var.type) for var in function.params]) and visit(function)


def _in_packet(kind: Type) -> bool:
    inside = kind.inner if isinstance(kind, OptionalType) else kind
    return isinstance(inside, PtrType) and inside.space == Space.PACKET


def _may_return(inner: Checker, kind: Type, spec: SubprogSpec) -> bool:
    """Whether a result fits into a register, and is no reference to the subprogram's own stack, or its caller's."""
    if kinds.is_int(kind) or isinstance(kind, NoneType):
        return True
    if spec.global_ or not kinds.is_reference(kind):
        return False
    inside = kind.inner if isinstance(kind, OptionalType) else kind
    return isinstance(inside, PtrType) and inside.space in _LASTING and not inner.result_origins


def _written(parameter: Parameter) -> tuple[str, str]:
    """A parameter and its type as the source of a Struct has it; "" for the type of the context."""
    kind = parameter.type.inner if isinstance(parameter.type, OptionalType) else parameter.type
    if isinstance(kind, PtrType):
        kind = kind.pointee
    return parameter.name, kinds.written(kind) if kind is not None else ""


# --- parameters


def _static_parameter(
    checker: Checker, inner: Checker, span: Span, parameter: Any, value: Value, node: Any
) -> Parameter:
    """What a parameter of a static subprogram is for these arguments."""
    made = given_for(checker, inner, inner.module, parameter, value, node)
    if made.parts is not None:
        checker.fail(errors.SubprogramArgument(value.span, node.name, parameter.arg, "a tuple"))
    wanted = annotation(inner, parameter)
    if isinstance(made.known, Known):
        known = made.known.value
        if known is not None and not isinstance(known, (int, str, bytes)):
            return made  # a map, a function, a type: known at compile time
        expr = materialize(checker, made.known, wanted if isinstance(wanted, Type) else None)
        if isinstance(wanted, Type):
            expr = convert(checker, made.known, wanted, f"the parameter `{parameter.arg}` of {node.name}()", span)
        annotated = isinstance(wanted, Type) and not kinds.is_reference(wanted)
        made = Parameter(made.name, span, type=expr.type, annotated=annotated)
    if made.known is None:
        assert made.type is not None
        kind = made.type
        several = isinstance(kind, OptionalType) and not kinds.is_reference(kind)
        if several or kinds.is_dynptr(kind) or isinstance(kind, NoneType):
            checker.fail(errors.SubprogramArgument(value.span, node.name, parameter.arg, kinds.spell(kind)))
        made = replace(made, range=ranges.of_type(kind))
    return made


def _global_parameter(
    checker: Checker, inner: Checker, span: Span, parameter: Any, value: Value, node: Any
) -> Parameter:
    """What a parameter of a global subprogram is: what its annotation says, whatever is given."""
    name = parameter.arg
    wanted = annotation(inner, parameter)
    kernel = checker.session.target.kernel
    is_context = isinstance(wanted, type) and isinstance(getattr(wanted, "__bpf__", None), ContextSpec)
    if is_context or (isinstance(value, ContextRef) and not isinstance(wanted, Type)):
        given_for(checker, inner, inner.module, parameter, value, node)
        assert isinstance(value, ContextRef)
        program = checker.session.program.prog_type
        if program in _TAGGED_CONTEXTS and kernel < NONNULL:
            inner.fail(errors.GlobalContext(span, node.name, program, _release(kernel)))
        return Parameter(name, span, known=value)
    text = inner.text(inner.span(parameter.annotation)) if parameter.annotation is not None else ""
    if not isinstance(wanted, Type):
        inner.fail(errors.GlobalParameter(span, node.name, name, text))
    kind = wanted.inner if isinstance(wanted, OptionalType) else wanted
    if kinds.is_int(kind) and not isinstance(wanted, OptionalType):
        limits = ranges.of_type(wanted)
        return Parameter(name, span, type=wanted, range=limits, annotated=True)
    if not isinstance(kind, PtrType) or kind.pointee is None or kinds.is_dynptr(kind):
        inner.fail(errors.GlobalParameter(span, node.name, name, text))
    if kinds.may_be_null(kind):  # of the kernel: an address, to which the verifier has nothing to say
        return Parameter(name, span, type=PtrType(kind.pointee, Space.KERNEL))
    if not isinstance(wanted, OptionalType) and kernel < NONNULL:
        inner.fail(errors.GlobalMayBeNone(span, node.name, name, text, _release(kernel)))
    inner.check_release("memory as an argument of a global subprogram", _MEMORY_SINCE, span)
    place = PtrType(kind.pointee, Space.MAP)
    return Parameter(name, span, type=OptionalType(place) if isinstance(wanted, OptionalType) else place)


def _release(kernel: tuple[int, int]) -> str:
    return f"{kernel[0]}.{kernel[1]}"


def _argument(checker: Checker, spec: SubprogSpec, value: Value, var: tree.Var | None) -> tree.Expr:
    """What a call hands over for a parameter."""
    if var is None:
        return materialize(checker, value)
    what = f"`{var.name}`"
    if not spec.global_ or not kinds.is_reference(var.type) or kinds.may_be_null(var.type):
        return convert(checker, value, var.type, what, var.span)
    if isinstance(value, Known):
        return convert(checker, value, var.type, what, var.span)
    assert isinstance(value, tree.Expr)
    _check_lent(checker, spec, value)
    inner = value.type.inner if isinstance(value.type, OptionalType) else value.type
    wanted = var.type.inner if isinstance(var.type, OptionalType) else var.type
    lent = isinstance(inner, PtrType) and inner.space in (Space.RINGBUF, Space.PACKET)
    if lent and kinds.fits_annotation(wanted, inner) and not isinstance(value.type, OptionalType):
        value = tree.Cast(wanted, value.span, value)
    return convert(checker, value, var.type, what, var.span)


def _check_lent(checker: Checker, spec: SubprogSpec, value: tree.Expr) -> None:
    """The kernel takes what is given to a global subprogram for memory that it may write."""
    kind = value.type.inner if isinstance(value.type, OptionalType) else value.type
    if isinstance(kind, PtrType) and kind.space == Space.CONST:
        checker.fail(errors.ConstantLent(value.span, checker.text(value.span), spec.name))
