"""The frontend's second half: from parsed programs to the typed tree, or to a CompileError with all diagnostics."""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.diagnostics.base import Report
from pybpf.compiler.elf.names import check_symbol_name
from pybpf.compiler.frontend import cost, kinds, longloops, ranges, tree
from pybpf.compiler.frontend.function import Checker
from pybpf.compiler.frontend.known import ContextRef, Known, Refused
from pybpf.compiler.frontend.parse import ParsedProgram, parse_program
from pybpf.compiler.frontend.reach import Reach, uses
from pybpf.compiler.frontend.scope import Parameter, annotation_of, assigned_names, too_deep
from pybpf.compiler.frontend.session import Session
from pybpf.compiler.schema import core
from pybpf.compiler.schema.errors import DeclarationError
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.specs import in_registers
from pybpf.compiler.schema.types import U64, BoolType, PtrType, Space, Type, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.frontend.parse import Parsed
    from pybpf.compiler.frontend.reach import Reached
    from pybpf.compiler.frontend.session import Instance
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import MapSpec, Target

__all__ = ["check"]


def check(parsed: Parsed, target: Target, *, whole: bool = True) -> tree.Typed:
    """Type-check all programs, and those that program arrays hold from the start. Raises CompileError with every
    diagnostic found, warnings too, if there is an error.

    Warnings of programs that pass are in `Typed.warnings`. Not `whole`: the object may have other programs.
    """
    report = Report()
    programs: list[tree.Program] = []
    iterations: dict[tree.Stmt, int] = {}
    subprograms: dict[Any, Instance] = {}
    states: dict[Any, dict[str, tree.Var]] = {}
    arena_pointers: list[Any] = []
    reach = Reach()
    slots: dict[tree.Program, list[Any]] = {}  # functions of programs that one may go on in
    waiting = list(parsed.programs)
    known = {waited.spec.function for waited in waiting}
    while waiting:
        parsed_program = waiting.pop(0)
        spec = parsed_program.spec
        state = states.setdefault(spec.context, {})
        session = Session(
            parsed.sources, target, spec, state=state, iterations=iterations, subprograms=subprograms,
            arena_pointers=arena_pointers,
        )
        program, diagnostics = _program(session, parsed_program)
        for diagnostic in diagnostics:
            report.add(diagnostic)
        if program is not None:
            programs.append(program)
            slots[program] = []
            waiting += _tail_called(report, parsed.sources, program, reach.add(program), known, slots[program])
    report.raise_if_failed()
    reached = reach.reached()
    if arena_pointers or any([spec.kind.family == "arena" for spec in reached.maps]):
        from pybpf.compiler.frontend.arenas import belong

        for diagnostic in belong(programs, reached.maps, whole):
            report.add(diagnostic)
        report.raise_if_failed()
    _name_apart(programs)
    _distinct(report, programs, reached)
    typed = tree.Typed(programs, reached.maps, reached.globals, list(report.diagnostics), reached.subprograms)
    typed.kfuncs = reached.kfuncs
    typed.called = _only_called(slots, len(parsed.programs))
    return typed


def _only_called(slots: dict[tree.Program, list[Any]], given: int) -> list[str]:
    """The names of programs that others go on in, and that nothing else starts.

    Where each of the given programs is in a slot, the kernel starts them all.
    """
    programs = list(slots)
    inside = {function for functions in slots.values() for function in functions}
    roots = [program for program in programs[:given] if program.spec.function not in inside] or programs[:given]
    return [program.spec.name for program in programs if program not in roots and program.spec.function in inside]


def _tail_called(
    report: Report, sources: Any, program: tree.Program, maps: list[MapSpec], known: set[Any], slots: list[Any]
) -> list[ParsedProgram]:
    """Programs that were not seen before, in the slots of program arrays among `maps`; all are added to `slots`."""
    found: list[ParsedProgram] = []
    for spec in maps:
        for index in sorted(spec.programs):
            try:
                called = spec.programs[index].__bpf__
            except DeclarationError as error:
                place = program.function.span
                report.add(errors.Declaration(place, error.title, error.label, error.help))
                continue
            wanted = program.spec.prog_type
            if called.prog_type != wanted:
                from pybpf.compiler.frontend.wording import header

                where = header(program.function.span)
                report.add(errors.TailCallOther(where, spec.name, index, called.name, called.prog_type, wanted))
                continue
            slots.append(called.function)
            if called.function not in known:
                known.add(called.function)
                parsed = parse_program(sources, called)
                if isinstance(parsed, ParsedProgram):
                    found.append(parsed)
                else:
                    report.add(parsed)
    return found


def _name_apart(programs: list[tree.Program]) -> None:
    """Programs that one function made, each with constants of its own, have one name: they get numbers behind it."""
    taken = {program.spec.name for program in programs}
    seen: dict[str, Any] = {}
    for program in programs:
        name, code = program.spec.name, program.spec.function.__code__
        if name not in seen:
            seen[name] = code
        elif seen[name] is code:
            count = 2
            while f"{name}_{count}" in taken:
                count += 1
            taken.add(f"{name}_{count}")
            program.spec = replace(program.spec, name=f"{name}_{count}")


def _distinct(report: Report, programs: list[tree.Program], reached: Reached) -> None:
    """Loaders find everything by its symbol: no two may have the same. Shown at a program, which has a place.

    Subprograms are named by us where that is needed: nobody looks for them.
    """
    entries = [("a program", program.spec.name, program.function.span) for program in programs]
    entries += [("a map", spec.name, programs[0].function.span) for spec in reached.maps]
    entries += [("a global", spec.name, programs[0].function.span) for spec in reached.globals]
    kfuncs = dict.fromkeys([spec.name for spec in reached.kfuncs])  # declared twice, it is still one function
    entries += [("a kernel function", name, programs[0].function.span) for name in kfuncs]
    known: dict[str, tuple[str, Span]] = {}
    for kind, name, span in entries:
        if name not in known:
            known[name] = kind, span
            continue
        first, place = known[name]
        second = f"another {kind[2:]}" if kind == first else kind
        report.add(errors.SameSymbol(span if kind == "a program" else place, name, first, second))
    report.raise_if_failed()
    taken = set(known)
    for subprogram in reached.subprograms:
        name, count = subprogram.name, 1
        if check_symbol_name(f"{name}_2") is not None:  # not of ASCII letters
            name = subprogram.name = "subprogram"
        while subprogram.name in taken or check_symbol_name(subprogram.name) is not None:
            count += 1
            subprogram.name = f"{name}_{count}"
        taken.add(subprogram.name)


def _program(session: Session, parsed: ParsedProgram) -> tuple[tree.Program | None, list[Any]]:
    deepest = too_deep(parsed.node)
    if deepest is not None:
        return None, [errors.NestedTooDeeply(parsed.module.span(deepest), parsed.node.name)]
    checker = Checker(session, parsed.module, parsed.node, parsed.spec.function)
    checker.is_program = True
    try:
        parameters, offsets = _parameters(checker, parsed)
    except Refused:
        return None, checker.diagnostics
    checker.set_parameters(parameters, None)
    session.active.append((parsed.spec.function, None))
    instance = checker.check()
    diagnostics = [*_doubts(parsed, session), *instance.diagnostics]
    function = instance.function
    if function is None or any(diagnostic.severity == "error" for diagnostic in diagnostics):
        return None, diagnostics
    function.result = parsed.spec.returns
    made = None
    if parsed.spec.arg_values:
        from pybpf.compiler.frontend.computed import compute

        made, wrong = compute(checker, parsed.spec, function)
        diagnostics += wrong
    function.body[:0] = _initial_state(session, checker, function)
    if made is not None:
        function.body[:0] = made.statements
    wrong = cost.check(session, function) or longloops.check(session, function)
    if session.locks:
        from pybpf.compiler.frontend import locks

        wrong += locks.check(function)
    if wrong:
        return None, diagnostics + wrong
    if any(d.severity == "error" for d in diagnostics):
        return None, diagnostics
    return tree.Program(parsed.spec, function, tuple(zip(function.params, offsets)), made), diagnostics


def _doubts(parsed: ParsedProgram, session: Session) -> list[Any]:
    """What is odd about the hook, shown where it is named: too new for the target, or not known."""
    spec, kernel = parsed.spec, session.target.kernel
    what, hint = spec.doubt
    old = bool(spec.since) and tuple([int(part) for part in spec.since.split(".")]) > kernel
    if not what and not old:
        return []
    decorators = parsed.node.decorator_list
    place = parsed.module.span(decorators[0] if decorators else parsed.node)
    if old:
        text = place.source.line(place.line)[place.col : place.end_col]
        return [errors.TooNew(place, f"`@{text}`", spec.since, f"{kernel[0]}.{kernel[1]}")]
    return [errors.DoubtfulHook(place, what, hint)]


def _initial_state(session: Session, checker: Checker, function: tree.Function) -> list[tree.Stmt]:
    """Assignments of the variables that are kept on the context, for those that the program uses."""
    context = session.program.context
    made: list[tree.Stmt] = []
    span = checker.end_span()
    used = uses(function, session.state.values())
    for state in context.state if context is not None else ():
        var = session.state.get(state.name)
        initial = context.field(state.init) if context is not None else None
        if var in used and var is not None and initial is not None:
            made.append(tree.Assign(span, var, tree.CtxLoad(var.type, span, initial)))
    return made


def _parameters(checker: Checker, parsed: ParsedProgram) -> tuple[list[Parameter], list[int]]:
    """The parameters of a program's function, and the offsets in the context that its arguments are read from."""
    spec, node, module = parsed.spec, parsed.node, parsed.module
    arguments = node.args
    star = arguments.vararg or arguments.kwarg
    if star is not None:
        text = f"{'*' if arguments.vararg is not None else '**'}{star.arg}"
        checker.fail(errors.StarParameters(module.span(star), spec.name, text, None, True))
    if arguments.kwonlyargs or arguments.defaults:
        odd, default = _odd(arguments)
        text = checker.text(module.span(default)) if default is not None else ""
        checker.fail(errors.OddParameter(module.span(odd), spec.name, odd.arg, text, bool(arguments.kwonlyargs)))
    plain = [*arguments.posonlyargs, *arguments.args]
    made: list[Parameter] = []
    if spec.context is not None:
        assert plain, "the hook gives a context only to a function with a parameter for it"
        first = plain.pop(0)
        span = module.span(first)
        made.append(Parameter(first.arg, span, known=ContextRef(spec.context, span)))
    if spec.ops is not None:
        first = plain.pop(0)
        span = module.span(first)
        made.append(Parameter(first.arg, span, known=Known(spec.ops.owner, span)))
    assert len(plain) <= len(spec.arg_offsets or spec.arg_values), "the hook counts the parameters"
    for number, parameter in enumerate(plain):
        span = module.span(parameter)
        known = spec.arg_types[number] if number < len(spec.arg_types) else None
        kind = _argument_type(checker, parameter, known)
        if isinstance(kind, PtrType):
            if spec.user:
                kind = PtrType(kind.pointee, Space.USER)
            if spec.btf:
                from pybpf.compiler.frontend.trust import of_argument

                assigned = assigned_names(node.body)
                space = Space.NULLABLE if kind.space == Space.NULLABLE else of_argument(spec.attach_type)
                kind = PtrType(kind.pointee, Space.KERNEL if parameter.arg in assigned else space)
            made.append(Parameter(parameter.arg, span, type=kind, range=ranges.of_type(kind)))
            continue
        made.append(Parameter(parameter.arg, span, type=kind, range=ranges.of_type(kind), annotated=True))
    return made, list(spec.arg_offsets[: len(plain)])


def _odd(arguments: Any) -> tuple[Any, Any]:
    """The first parameter that the kernel can't give, and its default."""
    if arguments.kwonlyargs:
        return arguments.kwonlyargs[0], arguments.kw_defaults[0]
    plain = [*arguments.posonlyargs, *arguments.args]
    return plain[-len(arguments.defaults)], arguments.defaults[0]


def _argument_type(checker: Checker, parameter: Any, known: Type | None) -> Type:
    """The type that an argument of the hook is read as: what it is in C where that is known, else u64, unless it is
    annotated.
    """
    if isinstance(known, PtrType) and known.space == Space.PERCPU:  # memory that the hook lets be written
        return known
    if parameter.annotation is None:
        if known is None or not (kinds.is_int(known) or kinds.may_be_null(known)):
            return U64
        return kinds.host(known)
    found = annotation_of(checker, parameter.annotation)
    if found is int:
        return kinds.host(known) if known is not None and kinds.is_int(known) else U64
    if isinstance(found, Type) and known is not None:
        _check_argument(checker, parameter, found, known)
    if isinstance(found, Type) and kinds.may_be_null(found):
        return found
    if not isinstance(found, Type) or not kinds.is_int(found):
        spelled = kinds.spell(found) if isinstance(found, Type) else checker.text(checker.span(parameter.annotation))
        reader = "user" if checker.session.program.user else "kernel"
        read = f"content: Bytes[L[16]] = {reader}_bytes({parameter.arg})"
        if found is str or spelled.startswith("Text["):
            read = f"content: Text[L[64]] = {reader}_str({parameter.arg})"
        checker.fail(errors.ArgumentNotNumber(checker.span(parameter.annotation), parameter.arg, spelled, read))
    return kinds.host(found)


def _check_argument(checker: Checker, parameter: Any, said: Type, known: Type) -> None:
    """Refuse a struct in place of another, or of a number; a number that is wider than C's, whose upper bits are
    whatever the register held; and a flag in place of a number.
    """
    if not isinstance(said, PtrType):
        if not kinds.is_int(said) or not kinds.is_int(known):
            return
        wider = size_of(said) > size_of(known) and in_registers(checker.session.program)
        if wider or (isinstance(said, BoolType) and not isinstance(known, BoolType)):
            span, spelled = checker.span(parameter.annotation), kinds.spell(known)
            where = checker.session.program.section
            checker.fail(errors.ArgumentOther(span, parameter.arg, kinds.spell(said), spelled, where))
        return
    one, other = kinds.aggregate(said), kinds.aggregate(known)
    if other is None and isinstance(known, PtrType):  # void *
        return
    if core.essential(str(one)) != core.essential(str(other)):
        span, right = checker.span(parameter.annotation), kinds.spell(known)
        where = checker.session.program.section
        checker.fail(errors.ArgumentOther(span, parameter.arg, kinds.spell(said), right, where))
